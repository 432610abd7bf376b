/**
 * ggml's number blocks -> float32, value for value what ggml's own dequantisers give (ggml-quants.c, dequantize_row_*; layouts in ggml-common.h).
 *
 *     Q8_0    34 bytes /  32   f16 d | int8 q[32]                          d * q
 *     Q4_0    18 bytes /  32   f16 d | qs[16]                              d * (code - 8); low halves are weights 0..15, high ones 16..31
 *     Q4_K   144 bytes / 256   f16 d | f16 dmin | scales[12] | qs[128]     d * sc * code - dmin * m; 32 bytes of qs hold two groups of 32 weights
 *     Q6_K   210 bytes / 256   ql[128] | qh[64] | int8 sc[16] | f16 d      d * sc * (code - 32); a scale for 16 weights
 *
 * Every product here has at most 24 significant bits and every sum at most 50, so that one rounding to float32 at the end is all there is, as in C.
 */
import { bfloatsToFloats, halfAt, halvesToFloats } from "../halves.ts";
import { BLOCK_WEIGHTS, blockScales, decodeTrits } from "./ternary_blocks.ts";
import {
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
  TYPE_TQ1_0,
  TYPE_TQ2_0,
} from "./types.ts";

type Decode = (bytes: Uint8Array<ArrayBuffer>, values: Float32Array) => void;

/**
 * @param type any that blockType knows but I2_S, which has no blocks
 * @param bytes whole blocks, in a buffer of their own
 * @param count their weights
 */
export function decodeFloats(type: number, bytes: Uint8Array<ArrayBuffer>, count: number): Float32Array {
  const decode = DECODERS.get(type);
  if (!decode) throw new RangeError(`type ${type} has no values`);
  const values = new Float32Array(count);
  decode(bytes, values);
  return values;
}

/** Typed arrays take the host's byte order, which is little-endian wherever Node runs but on s390x. */
const DECODERS: ReadonlyMap<number, Decode> = new Map<number, Decode>([
  [TYPE_F32, (bytes, values) => values.set(new Float32Array(bytes.buffer))],
  [TYPE_F16, (bytes, values) => values.set(halvesToFloats(new Uint16Array(bytes.buffer)))],
  [TYPE_BF16, (bytes, values) => values.set(bfloatsToFloats(new Uint16Array(bytes.buffer)))],
  [TYPE_Q8_0, decodeQ8],
  [TYPE_Q4_0, decodeQ4],
  [TYPE_Q4_K, decodeQ4K],
  [TYPE_Q6_K, decodeQ6K],
  [TYPE_TQ1_0, (bytes, values) => decodeTernary(TYPE_TQ1_0, bytes, values)],
  [TYPE_TQ2_0, (bytes, values) => decodeTernary(TYPE_TQ2_0, bytes, values)],
]);

function decodeQ8(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 34, to += 32) {
    const d = halfAt(bytes, at);
    for (let i = 0; i < 32; i++) values[to + i] = d * int8(bytes[at + 2 + i]);
  }
}

function decodeQ4(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 18, to += 32) {
    const d = halfAt(bytes, at);
    for (let i = 0; i < 16; i++) {
      values[to + i] = d * ((bytes[at + 2 + i] & 15) - 8);
      values[to + 16 + i] = d * ((bytes[at + 2 + i] >> 4) - 8);
    }
  }
}

function decodeQ4K(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 144, to += 256) {
    const d = halfAt(bytes, at);
    const dmin = halfAt(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const { scale, min } = q4kScale(bytes, at + 4, group);
      const from = at + 16 + (group >> 1) * 32;
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++)
        values[to + group * 32 + i] = d * scale * ((bytes[from + i] >> shift) & 15) - dmin * min;
    }
  }
}

/**
 * Scale and minimum of a group, 6 bits each, eight of both in 12 bytes:
 *
 *     byte j      bits 5-0 scale j            bits 7-6 upper bits of scale j + 4        j = 0..3
 *     byte j + 4  bits 5-0 min j              bits 7-6 upper bits of min j + 4
 *     byte j + 8  bits 3-0 scale j + 4, low   bits 7-4 min j + 4, low
 */
function q4kScale(bytes: Uint8Array, at: number, group: number): { scale: number; min: number } {
  if (group < 4) return { scale: bytes[at + group] & 63, min: bytes[at + group + 4] & 63 };
  const low = bytes[at + group + 4];
  return {
    scale: (low & 15) | ((bytes[at + group - 4] >> 6) << 4),
    min: (low >> 4) | ((bytes[at + group] >> 6) << 4),
  };
}

/** Halves of 128 weights: 64 bytes of ql, 32 of qh, 8 scales. Byte i of the two gives weights i, i + 32, i + 64, i + 96. */
function decodeQ6K(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 210, to += 256) {
    const d = halfAt(bytes, at + 208);
    for (let part = 0; part < 8; part++) {
      const [h, quarter] = [part >> 2, part & 3];
      const low = at + h * 64 + (quarter & 1) * 32;
      const high = at + 128 + h * 32;
      const scales = at + 192 + h * 8 + quarter * 2;
      for (let i = 0; i < 32; i++) {
        const code = ((bytes[low + i] >> (quarter < 2 ? 0 : 4)) & 15) | (((bytes[high + i] >> (2 * quarter)) & 3) << 4);
        values[to + part * 32 + i] = d * int8(bytes[scales + (i >> 4)]) * (code - 32);
      }
    }
  }
}

function decodeTernary(type: number, bytes: Uint8Array, values: Float32Array): void {
  const trits = new Int8Array(values.length);
  decodeTrits(type, bytes, trits);
  const scales = blockScales(type, bytes);
  for (let i = 0; i < values.length; i++) values[i] = trits[i] * scales[Math.floor(i / BLOCK_WEIGHTS)];
}

function int8(byte: number): number {
  return (byte << 24) >> 24;
}
