/** How many bytes of weights a second the memory of a board brings to its coprocessor, by the board's own figures: of the memory that models run from. */
import type { Board } from "../../boards/board.ts";

export function bandwidth({ copro, psram }: Board): number {
  if (copro === null) throw new RangeError("the board has no coprocessor");
  // A unit takes one beat of four bytes a cycle at most.
  const most = 4 * copro.hz;
  if (psram !== null) return Math.min(most, (psram.hz * psram.bits_per_clock) / 8);
  return Math.min(most, most / copro.flash_cycles_per_beat);
}
