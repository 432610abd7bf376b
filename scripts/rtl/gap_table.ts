/** How fast the memories of the test bench are: stretches of 1,024 gaps or waits, each of another character. */
import type { Random } from "../../firmware-sim/random.ts";
import type { GapWindow } from "./scenario.ts";

const WINDOW = 1024;
export const REFUSE = 0x8000;

/** Gaps of the weight port; each is given the number of the beat. */
const GAPS: ((random: Random, n: number) => number)[] = [
  () => 1,
  () => 1,
  () => 2,
  () => 3,
  () => 8,
  (_, n) => 1 + (n & 1),
  (_, n) => (n % 16 === 0 ? 14 : 1),
  (_, n) => (n % 32 === 0 ? 40 : 2),
  (random) => 1 + random.below(3),
  (random) => 1 + random.below(12),
  (random) => (random.below(8) === 0 ? 30 + random.below(60) : 1),
];

/** Waits of the M port. */
const WAITS: ((random: Random, n: number) => number)[] = [
  () => 0,
  () => 0,
  () => 0,
  () => 1,
  (random) => random.below(2),
  (random) => random.below(5),
  (random) => (random.below(6) === 0 ? random.below(40) : 0),
];

/** The windows of a table. */
export interface GapTable {
  table: Uint16Array;
  gaps: GapWindow[];
  waits: GapWindow[];
}

export function gapTable(random: Random): GapTable {
  const table = new Uint16Array(65536);
  const result: GapTable = { table, gaps: [], waits: [] };
  let base = 0;
  for (const [styles, windows] of [
    [GAPS, result.gaps],
    [WAITS, result.waits],
  ] as const)
    for (const style of styles) {
      for (let n = 0; n < WINDOW; n++) table[base + n] = style(random, n);
      windows.push({ base, mask: WINDOW - 1 });
      base += WINDOW;
    }
  return result;
}

/** A copy of a window in which beat or grant `n` is refused; null when the table is full. */
export function refusing(table: Uint16Array, window: GapWindow, n: number): GapWindow | null {
  const base = freeWindow(table);
  if (base < 0) return null;
  table.copyWithin(base, window.base, window.base + WINDOW);
  table[base + (n & (WINDOW - 1))] |= REFUSE;
  // Marks a window of zeros (waits) as taken: nobody gets so far in it.
  if (table[base + WINDOW - 1] === 0) table[base + WINDOW - 1] = 1;
  return { base, mask: WINDOW - 1 };
}

function freeWindow(table: Uint16Array): number {
  for (let base = (GAPS.length + WAITS.length) * WINDOW; base < table.length; base += WINDOW)
    if (table[base + WINDOW - 1] === 0) return base;
  return -1;
}
