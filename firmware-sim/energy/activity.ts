/**
 * What a board did, as counts of the events of events.ts. The simulator's counters (the meter, the coprocessor, the UART, the
 * flash and the clock) become one here; activities of parts add up, and what happened between two moments is their difference.
 */
import { type EnergyEvent, EVENT_NAMES } from "./events.ts";

export type Activity = Readonly<Partial<Record<EnergyEvent, number>>>;

/** Counters of a board since it was made. Left out: it has no such part. */
export interface BoardCounters {
  /** Simulated time, ns. */
  readonly ns: number;
  /** CPU cycles, waiting for memory included, and those alone; its clock. */
  readonly cpu: { readonly cycles: number; readonly waitCycles: number; readonly hz: number };
  readonly flash?: { readonly readBytes: number; readonly busyNs: number };
  readonly psram?: { readonly bytes: number };
  readonly uart?: { readonly sentBytes: number };
  readonly tgemv?: TgemvCounters;
}

/** The coprocessor's performance counters, and where its beats came from. */
export interface TgemvCounters {
  /** Cycles in which it was busy. */
  readonly cycles: number;
  /** Steps of all its lanes: a beat for each vector slot. */
  readonly laneSteps: number;
  /** Lanes that take part in a step. */
  readonly lanes: number;
  /** 32-bit words of SRAM: descriptors, activations, outputs. */
  readonly sramWords: number;
  readonly flashBytes: number;
  readonly psramBytes: number;
}

const NS = 1e9;

export function activityOf({ ns, cpu, flash, psram, uart, tgemv }: BoardCounters): Activity {
  const awakeNs = (cpu.cycles * NS) / cpu.hz;
  return {
    core_cycle: cpu.cycles - cpu.waitCycles,
    wait_cycle: cpu.waitCycles,
    sleep: Math.max(0, ns - awakeNs),
    leakage: ns,
    flash_byte: (flash?.readBytes ?? 0) + (tgemv?.flashBytes ?? 0),
    flash_busy: flash?.busyNs ?? 0,
    psram_byte: (psram?.bytes ?? 0) + (tgemv?.psramBytes ?? 0),
    uart_byte: uart?.sentBytes ?? 0,
    sram_word: tgemv?.sramWords ?? 0,
    ternary_lane: (tgemv?.laneSteps ?? 0) * (tgemv?.lanes ?? 0),
    tgemv_cycle: tgemv?.cycles ?? 0,
  };
}

/** What happened from `before` to `after`. */
export function activityBetween(before: Activity, after: Activity): Activity {
  return combined(after, before, -1);
}

export function activitySum(a: Activity, b: Activity): Activity {
  return combined(a, b, 1);
}

function combined(a: Activity, b: Activity, sign: number): Activity {
  const counts = EVENT_NAMES.map((event) => [event, (a[event] ?? 0) + sign * (b[event] ?? 0)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}
