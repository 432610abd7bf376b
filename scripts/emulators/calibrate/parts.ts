/**
 * What an emulator counted in one phase, by group of functions of the device module: the compiler's helpers (division, 64-bit products and
 * shifts, which some cores have no instruction for) are shared out among the functions that called them, the rest of the firmware is the wire.
 */
import type { OpCounts } from "../../../firmware-sim/index.ts";
import { byPart, type Profile } from "../profile.ts";
import { CLASSES, opsVector } from "./classes.ts";
import type { Unit } from "./emulated.ts";
import { dot, nonNegative } from "./least_squares.ts";
import type { Measured } from "./measure.ts";

/** Routines of libgcc, by their symbols. */
const HELPER = /^(__(?!as_|lib_|board_|uart_|flash_|riscv_)|\.)/;
/** Weight of the priors of what they cost, against squares of relative errors. */
const HELPER_PULL = 0.01;
/** The classes that they serve. */
const SERVED = CLASSES.map((of) => /^(div|mul64|div64|shift64|compare64|bits|switch)$/.test(of));

export const WIRE = "wire, tokenizer, HAL";

/** Part of the token that a function of the module belongs to; the wire's has its own. */
export function partOf(symbol: string): string {
  return [...byPart(new Map([[symbol, 1]]))].find(([, count]) => count > 0)?.[0] ?? WIRE;
}

/** Counts of a phase by function of the module, helpers included. */
export type Own = ReadonlyMap<string, number>;

export function helpersOf(profile: Profile): number {
  return [...profile].reduce((sum, [name, count]) => sum + (HELPER.test(name) ? count : 0), 0);
}

/**
 * @param priors cost of each class
 * @returns for each phase, in order
 */
export function ownCounts(phases: readonly Measured[], unit: Unit, priors: readonly number[]): Own[] {
  const costs = helperCosts(phases, unit, priors);
  return phases.map(({ emulated, ops }) => {
    const own = new Map<string, number>();
    for (const [name, count] of emulated[unit]) if (ops.has(name)) own.set(name, count);
    const shares = [...ops].map(([name, of]) => [name, dot(served(of), costs)] as const);
    const all = shares.reduce((sum, [, share]) => sum + share, 0);
    const counted = helpersOf(emulated[unit]);
    for (const [name, share] of shares) if (share > 0) own.set(name, (own.get(name) ?? 0) + (counted * share) / all);
    return own;
  });
}

/** What a helper takes each time that a class needs it, on average. */
function helperCosts(phases: readonly Measured[], unit: Unit, priors: readonly number[]): number[] {
  const equations = phases.map(({ emulated, ops }) => {
    const y = helpersOf(emulated[unit]);
    const x = CLASSES.map(() => 0);
    for (const of of ops.values())
      served(of).forEach((count, i) => {
        x[i] += count;
      });
    return { x, y, weight: 1 / Math.max(y, 1) ** 2 };
  });
  return nonNegative(equations, priors, HELPER_PULL);
}

function served(ops: OpCounts): number[] {
  return opsVector(ops).map((count, i) => (SERVED[i] ? count : 0));
}

/**
 * What a function executed on the emulated chip: how often the host asks differs, because only the simulated board's time is a chip's, so work for
 * the wire is set to as many calls as there were.
 */
export function normalised({ calls, emulated }: Measured, symbol: string, ops: OpCounts): OpCounts {
  if (partOf(symbol) !== WIRE) return ops;
  const there = calls.get(symbol) ?? 0;
  const ratio = there === 0 ? 0 : (emulated.calls.get(symbol) ?? 0) / there;
  return Object.fromEntries(Object.entries(ops).map(([of, count]) => [of, count * ratio]));
}

/** Of the firmware around the module: start of main's loop, sleeping. */
const IDLE = /^(main|board_sleep|systick_handler)$/;
/** Called once for each frame that is answered. */
const ANSWER = "as_app_app_answer";

/** What the firmware around the module executed, and how many calls of the HAL and bytes on the wire that was for. */
export function firmwareBeside(of: Measured, unit: Unit): { calls: number; bytes: number; counted: number } {
  const { emulated, ops, hal } = of;
  let calls = 0;
  for (const [name, count] of emulated.calls) if (name.startsWith("w2c_hal_")) calls += count;
  let counted = 0;
  for (const [name, count] of emulated[unit])
    if (!ops.has(name) && !HELPER.test(name) && !IDLE.test(name)) counted += count;
  const frames = (emulated.calls.get(ANSWER) ?? 0) / Math.max(1, of.calls.get(ANSWER) ?? 0);
  return { calls, bytes: hal.bytes * frames, counted };
}
