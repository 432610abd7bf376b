/**
 * I2_S of bitnet.cpp (microsoft/BitNet, src/ggml-bitnet-mad.cpp, quantize_i2_s): two bits a weight, trit + 1, in the order of the whole row-major tensor,
 * then the tensor's scale as f32 at byte n / 4. weight = trit * scale.
 *
 *     x86   128 weights in 32 bytes   bits 7-6, 5-4, 3-2, 1-0 of byte j are weights j, j + 32, j + 64, j + 96
 *     Arm    64 weights in 16 bytes   bits 7-6, 5-4, 3-2, 1-0 of byte j are weights j, j + 16, j + 32, j + 48
 *
 * The file does not say which, and both read any bytes: nothing in a file can tell. What bitnet.cpp's converters in Python write, and Microsoft's
 * published 2B-4T file, is the order of x86 (microsoft/BitNet, issues 585 and 598).
 *
 * NOT IMPLEMENTED: the order of 4 rows to a byte, which bitnet.cpp writes only when compiled without ACT_PARALLEL.
 */

export type I2sLayout = "x86" | "arm";

/** Weights that share a block of bytes. */
export function i2sBlock(layout: I2sLayout): number {
  return layout === "x86" ? 128 : 64;
}

/**
 * @param bytes whole blocks
 * @returns their trits; 2 where a code is no trit
 */
export function decodeI2s(bytes: Uint8Array, layout: I2sLayout): Int8Array {
  const lane = i2sBlock(layout) / 4;
  const trits = new Int8Array(bytes.length * 4);
  for (let at = 0; at < bytes.length; at += lane)
    for (let j = 0; j < lane; j++) {
      const codes = bytes[at + j];
      const first = at * 4 + j;
      trits[first] = (codes >> 6) - 1;
      trits[first + lane] = ((codes >> 4) & 3) - 1;
      trits[first + 2 * lane] = ((codes >> 2) & 3) - 1;
      trits[first + 3 * lane] = (codes & 3) - 1;
    }
  return trits;
}
