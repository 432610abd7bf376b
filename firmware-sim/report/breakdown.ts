/** A token by part of the network: time, cycles, waiting, energy; and what it would gain if a part took no time (Amdahl). */
import { activityOf } from "../energy/activity.ts";
import { type Energy, energyOf } from "../energy/energy_of.ts";
import type { EnergyEvent } from "../energy/events.ts";
import type { EnergyProfile } from "../energy/profile.ts";
import type { Group } from "./attribution.ts";
import { get, sum } from "./counters.ts";
import { PARTS, type Part } from "./parts.ts";

/** Of one token; means, so seldom whole. */
export interface PartRow {
  readonly part: Part;
  readonly ns: number;
  /** Of the CPU: computing, and waiting for flash. */
  readonly cycles: number;
  readonly waitCycles: number;
  /** ns in which the CPU slept because the coprocessor computed. */
  readonly coproNs: number;
  /** ns of flash being written; a token has none unless something is flashed meanwhile. */
  readonly otherNs: number;
  /** Of the token's time. */
  readonly share: number;
  /** How many times as fast the token would be if this part took no time. */
  readonly without: number;
  /** null: the board has no energy profile. */
  readonly energy: Energy | null;
}

export interface Breakdown {
  readonly rows: readonly PartRow[];
  readonly positions: number;
  /** Of one token. */
  readonly ns: number;
  readonly cycles: number;
  readonly waitCycles: number;
  readonly coproNs: number;
  readonly flashBytes: number;
  /** What left the flash chip: lines of the cache, code among them, and what the coprocessor streamed. */
  readonly flashBusBytes: number;
  readonly psramBytes: number;
  readonly energy: Energy | null;
}

export interface BreakdownOptions {
  readonly hz: number;
  readonly lanes: number;
  readonly profile: EnergyProfile | null;
}

/** @param group of at least one position */
export function breakdown(group: Group, { hz, lanes, profile }: BreakdownOptions): Breakdown {
  const n = group.positions;
  const whole = sum(group.parts.values());
  const energy = (counts: Float64Array): Energy | null => (profile === null ? null : energyPerToken(counts));
  const energyPerToken = (counts: Float64Array): Energy => {
    const of = (counter: Parameters<typeof get>[1]): number => get(counts, counter) / n;
    const activity = activityOf({
      ns: of("ns"),
      cpu: { cycles: of("cycles"), waitCycles: of("waitCycles"), hz },
      flash: { readBytes: of("flashBusBytes"), busyNs: of("flashBusyNs") },
      uart: { sentBytes: of("uartSent") },
      tgemv: {
        cycles: of("coproCycles"),
        laneSteps: of("coproLaneSteps"),
        lanes,
        sramWords: of("coproSramWords"),
        flashBytes: of("coproFlashBytes"),
        psramBytes: of("coproPsramBytes"),
      },
    });
    return energyOf(activity, profile as EnergyProfile);
  };
  const ns = get(whole, "ns") / n;
  const row = (part: Part): PartRow => {
    const counts = group.parts.get(part) ?? new Float64Array(whole.length);
    const own = get(counts, "ns") / n;
    const cycles = get(counts, "cycles") / n;
    const awake = (cycles * 1e9) / hz;
    const otherNs = get(counts, "flashBusyNs") / n;
    const share = ns > 0 ? own / ns : 0;
    return {
      ...{ part, ns: own, cycles, otherNs, share },
      waitCycles: get(counts, "waitCycles") / n,
      // Cycles become whole nanoseconds at each reading: less than one is no sleep.
      coproNs: own - awake - otherNs >= 1 ? own - awake - otherNs : 0,
      without: share < 1 ? 1 / (1 - share) : Number.POSITIVE_INFINITY,
      energy: energy(counts),
    };
  };
  const rows = PARTS.map(row);
  return {
    ...{ rows, positions: n, ns },
    cycles: get(whole, "cycles") / n,
    waitCycles: get(whole, "waitCycles") / n,
    coproNs: rows.reduce((total, { coproNs }) => total + coproNs, 0),
    flashBytes: (get(whole, "flashBytes") + get(whole, "coproFlashBytes")) / n,
    flashBusBytes: (get(whole, "flashBusBytes") + get(whole, "coproFlashBytes")) / n,
    psramBytes: get(whole, "coproPsramBytes") / n,
    energy: energy(whole),
  };
}

/** Where energy goes, for people: events that belong together. */
export const ENERGY_SERIES: readonly { readonly name: string; readonly events: readonly EnergyEvent[] }[] = [
  { name: "CPU computes", events: ["core_cycle"] },
  { name: "CPU waits for flash", events: ["wait_cycle"] },
  { name: "CPU sleeps", events: ["sleep"] },
  { name: "flash", events: ["flash_byte", "flash_busy"] },
  { name: "PSRAM", events: ["psram_byte"] },
  { name: "coprocessor and its SRAM", events: ["sram_word", "ternary_lane", "tgemv_cycle"] },
  { name: "UART", events: ["uart_byte"] },
  { name: "leakage", events: ["leakage"] },
];

/** pJ of each of ENERGY_SERIES. */
export function energySeries(energy: Energy | null): number[] {
  return ENERGY_SERIES.map(({ events }) => {
    const own = energy?.events.filter(({ event }) => events.includes(event)) ?? [];
    return own.reduce((total, { pj }) => total + pj, 0);
  });
}
