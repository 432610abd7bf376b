/** Encoders of GGUF's tensor types for tests, written from the formats' descriptions and sharing nothing with the decoders. */
import { TYPE_BF16, TYPE_F16, TYPE_F32, TYPE_I2_S, TYPE_Q8_0, TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";

/** Bits of a number that binary16 holds exactly. */
export function toHalf(value: number): number {
  if (value === 0) return 0;
  const size = Math.abs(value);
  const exponent = Math.floor(Math.log2(size));
  const mantissa = (size / 2 ** exponent - 1) * 1024;
  if (!Number.isInteger(mantissa) || exponent < -14 || exponent > 15)
    throw new RangeError(`${value} is no normal half`);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
}

/** Numbers in a plain type, or in Q8_0 with the largest of a block as 127. */
export function encodeFloats(type: number, values: Float32Array): Uint8Array {
  if (type === TYPE_F32) return new Uint8Array(values.slice().buffer);
  if (type === TYPE_F16) return new Uint8Array(Uint16Array.from(values, toHalf).buffer);
  if (type === TYPE_BF16)
    return new Uint8Array(Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16).buffer);
  if (type !== TYPE_Q8_0) throw new RangeError(`no encoder of type ${type}`);
  const out: number[] = [];
  for (let at = 0; at < values.length; at += 32) {
    const block = values.subarray(at, at + 32);
    const largest = block.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    // The next half above, so that 127 of it reach the largest.
    const d = largest === 0 ? 0 : Math.ceil((largest / 127) * 2 ** 20) / 2 ** 20;
    const coarse =
      d === 0 ? 0 : Math.ceil(d / 2 ** (Math.floor(Math.log2(d)) - 10)) * 2 ** (Math.floor(Math.log2(d)) - 10);
    const bits = toHalf(coarse);
    out.push(
      bits & 255,
      bits >> 8,
      ...Array.from(block, (value) => (coarse === 0 ? 0 : Math.round(value / coarse) & 255)),
    );
  }
  return Uint8Array.from(out);
}

/** Trits times a scale, in any type that can hold them. `scales`: of each block of 256, for TQ1_0 and TQ2_0. */
export function encodeTrits(
  type: number,
  trits: Int8Array,
  scale: number,
  { i2s = "x86", scales }: { i2s?: "x86" | "arm"; scales?: (block: number) => number } = {},
): Uint8Array {
  if (type === TYPE_I2_S) return encodeI2s(trits, scale, i2s === "x86" ? 32 : 16);
  if (type !== TYPE_TQ1_0 && type !== TYPE_TQ2_0)
    return encodeFloats(
      type,
      Float32Array.from(trits, (trit) => trit * scale),
    );
  const out: number[] = [];
  for (let at = 0; at < trits.length; at += 256) {
    const codes = Array.from(trits.subarray(at, at + 256), (trit) => trit + 1);
    out.push(...(type === TYPE_TQ1_0 ? encodeTq1(codes) : encodeTq2(codes)));
    const bits = toHalf(scales ? scales(at / 256) : scale);
    out.push(bits & 255, bits >> 8);
  }
  return Uint8Array.from(out);
}

/** 48 bytes of five weights and 4 of four; five digits of base 3 as a fraction of 256, rounded up. */
function encodeTq1(codes: readonly number[]): number[] {
  const byte = (...digits: number[]) => Math.ceil((digits.reduce((sum, digit) => sum * 3 + digit, 0) * 256) / 243);
  const five = (first: number, step: number) => byte(...[0, 1, 2, 3, 4].map((n) => codes[first + n * step]));
  return [
    ...Array.from({ length: 32 }, (_, m) => five(m, 32)),
    ...Array.from({ length: 16 }, (_, m) => five(160 + m, 16)),
    ...Array.from({ length: 4 }, (_, m) => byte(...[0, 1, 2, 3].map((n) => codes[240 + m + n * 4]), 0)),
  ];
}

function encodeTq2(codes: readonly number[]): number[] {
  return Array.from({ length: 64 }, (_, i) => {
    const first = i < 32 ? i : 128 + i - 32;
    return codes[first] + codes[first + 32] * 4 + codes[first + 64] * 16 + codes[first + 96] * 64;
  });
}

function encodeI2s(trits: Int8Array, scale: number, lane: number): Uint8Array {
  const out = Buffer.alloc(trits.length / 4 + 32);
  for (const [i, trit] of trits.entries()) {
    const block = Math.floor(i / (4 * lane));
    const inBlock = i % (4 * lane);
    out[block * lane + (inBlock % lane)] += (trit + 1) * 4 ** (3 - Math.floor(inBlock / lane));
  }
  out.writeFloatLE(scale, trits.length / 4);
  return out;
}
