/** What a packed byte means (spec/PACKING.md), as tables for the model. */
import { PACK_ILLEGAL_REMAINDER, PACK_MAX, PACK_STRIDE } from "../../../spec/packing.ts";

/** Trit i of byte b at 5 b + i. */
export const TRITS = new Int8Array(256 * 5);
/** Zeros among the trits of a byte; 255: no code. */
export const ZEROS = new Uint8Array(256);
export const BAD = 255;

for (let code = 0; code < 256; code++) {
  const hi = Math.floor(code / PACK_STRIDE);
  const lo = code % PACK_STRIDE;
  if (code > PACK_MAX || lo === PACK_ILLEGAL_REMAINDER) {
    ZEROS[code] = BAD;
    continue;
  }
  const trits = [Math.floor(hi / 3), hi % 3, Math.floor(lo / 9), Math.floor(lo / 3) % 3, lo % 3].map((t) => t - 1);
  TRITS.set(trits, code * 5);
  ZEROS[code] = trits.filter((t) => t === 0).length;
}
