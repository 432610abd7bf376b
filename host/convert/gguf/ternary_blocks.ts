/**
 * ggml's ternary blocks, TQ1_0 and TQ2_0 (ggml-common.h, block_tq1_0 and block_tq2_0; ggml-quants.c, dequantize_row_*): 256 trits with one f16 scale.
 *
 *     TQ1_0, 54 bytes   qs[48] | qh[4] | f16 d         a byte holds 5 trits, qh 4: byte = ceil(base-3 number * 256 / 243)
 *                       qs[m], m < 32:   trit n is weight n * 32 + m              n = 0, the most significant, to 4
 *                       qs[32 + m]:      trit n is weight 160 + n * 16 + m
 *                       qh[m]:           trit n is weight 240 + n * 4 + m         n = 0 to 3
 *     TQ2_0, 66 bytes   qs[64] | f16 d                 two bits, trit + 1
 *                       qs[32 h + m]:    bits 2l, 2l + 1 are weight 128 h + 32 l + m
 *
 * weight = trit * d.
 */
import { halfAt } from "../halves.ts";
import { TYPE_TQ1_0 } from "./types.ts";

export const BLOCK_WEIGHTS = 256;
const TQ1_0_BYTES = 54;
const TQ2_0_BYTES = 66;
/** The code 3 of TQ2_0, which ggml would read as +2. */
const NO_TRIT = 2;

/**
 * Trits of consecutive blocks.
 * @param type TYPE_TQ1_0 or TYPE_TQ2_0
 * @param out (blocks * 256)
 * @returns false when a code is no trit; then `out` holds 2 there
 */
export function decodeTrits(type: number, bytes: Uint8Array, out: Int8Array): boolean {
  if (type === TYPE_TQ1_0) {
    for (let at = 0, to = 0; at < bytes.length; at += TQ1_0_BYTES, to += BLOCK_WEIGHTS) {
      decodeDigits(bytes, at, 32, 5, out, to);
      decodeDigits(bytes, at + 32, 16, 5, out, to + 160);
      decodeDigits(bytes, at + 48, 4, 4, out, to + 240);
    }
    return true;
  }
  let seen = 0;
  for (let at = 0, to = 0; at < bytes.length; at += TQ2_0_BYTES, to += BLOCK_WEIGHTS)
    for (let byte = 0; byte < 64; byte++) {
      const codes = bytes[at + byte];
      seen |= codes & (codes >> 1);
      const first = to + (byte >> 5) * 128 + (byte & 31);
      out[first] = (codes & 3) - 1;
      out[first + 32] = ((codes >> 2) & 3) - 1;
      out[first + 64] = ((codes >> 4) & 3) - 1;
      out[first + 96] = (codes >> 6) - 1;
    }
  return (seen & 0x55) === 0 || !out.includes(NO_TRIT);
}

/** `count` bytes whose digits n = 0 to `digits` - 1 lie `count` weights apart. */
function decodeDigits(
  bytes: Uint8Array,
  from: number,
  count: number,
  digits: number,
  out: Int8Array,
  to: number,
): void {
  for (let m = 0; m < count; m++) {
    let rest = bytes[from + m];
    for (let n = 0; n < digits; n++) {
      // The byte is a fraction of 256: three times it, the whole part is the digit.
      out[to + n * count + m] = ((rest * 3) >> 8) - 1;
      rest = (rest * 3) & 0xff;
    }
  }
}

/** Scale d of each block. */
export function blockScales(type: number, bytes: Uint8Array): Float32Array {
  const size = type === TYPE_TQ1_0 ? TQ1_0_BYTES : TQ2_0_BYTES;
  return Float32Array.from({ length: bytes.length / size }, (_, block) => halfAt(bytes, (block + 1) * size - 2));
}
