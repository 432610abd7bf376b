/**
 * What is left in flash when power fails in the middle of an erase or a program: seeded, so that a test can repeat it.
 *
 *     erase     a byte is   as it was | 0x00 (pre-programmed, as NOR does before it erases) | partly set | 0xFF
 *     program   units       done ... done | one partly cleared | untouched ... untouched
 *
 * One torn operation in eight did nothing yet and one in eight had finished: power may fail at either end as well.
 *
 * NOT IMPLEMENTED: marginal cells, which read differently each time; damage to other sectors.
 */
import type { Random } from "../random.ts";

export type Tear = "nothing" | "partly" | "everything";

export function chooseTear(random: Random): Tear {
  const dice = random.below(8);
  if (dice === 0) return "nothing";
  return dice === 7 ? "everything" : "partly";
}

/** Leaves `cells`, one sector, as an erase that broke off. */
export function tearErase(cells: Uint8Array, random: Random): void {
  // How far it got: early, most cells are old or pre-programmed; late, most are erased.
  const progress = random.below(256);
  for (let i = 0; i < cells.length; i++) {
    const own = random.byte();
    if (own < progress) cells[i] = random.byte() < progress ? 0xff : cells[i] | random.byte();
    else if (random.below(4) === 0) cells[i] = 0;
  }
}

/** Leaves `cells`, one unit, as a program of `data` that broke off: each bit that was to be cleared may still be set. */
export function tearProgram(cells: Uint8Array, data: Uint8Array, random: Random): void {
  for (let i = 0; i < cells.length; i++) cells[i] &= data[i] | random.byte();
}

/** A unit whose error-correcting code does not match: what is read is neither the old content nor the new. */
export function scramble(cells: Uint8Array, random: Random): void {
  for (let i = 0; i < cells.length; i++) cells[i] = random.byte();
}
