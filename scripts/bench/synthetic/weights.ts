/**
 * The numbers of a synthetic model, the same in every format that it is written in.
 *
 * Trits are drawn five at a time as base-3 codes 0..242, row by row, each row from a generator seeded by (seed, kind, layer, row): a third of them is zero, and a
 * tensor has one scale, 1 / sqrt(2/3 cols), which keeps signals at their size through the layers. Embeddings are integers / 32, near normal with
 * a deviation of 1; gains are whole 128ths near 1. So bf16, Q8_0 with the scale 1/32 and int8 rows all hold the embedding exactly, and bf16 the gains.
 */
import { floatToHalf, halfToFloat } from "./half.ts";

export const TRITS_PER_CODE = 5;
export const CODES = 243;
/** Value of one step of the embedding's integers. */
export const EMBED_STEP = 1 / 32;

/** xorshift128 (Marsaglia 2003), 32 bits a call, its state mixed from whole numbers. */
export class Random {
  #x = 0;
  #y = 0;
  #z = 0;
  #w = 0;

  constructor(...numbers: number[]) {
    let state = 0x9e3779b9;
    const mix = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    for (const number of numbers) state = mix() ^ number;
    this.#x = mix() | 1; // never all zero
    this.#y = mix();
    this.#z = mix();
    this.#w = mix();
  }

  /** Fills `out` with codes 0..242, two from each 32 bits. */
  codes(out: Uint8Array): void {
    let [x, y, z, w] = [this.#x, this.#y, this.#z, this.#w];
    for (let i = 0; i < out.length; i += 2) {
      const t = x ^ (x << 11);
      x = y;
      y = z;
      z = w;
      w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
      out[i] = ((w & 0xffff) * CODES) >>> 16;
      if (i + 1 < out.length) out[i + 1] = ((w >>> 16) * CODES) >>> 16;
    }
    [this.#x, this.#y, this.#z, this.#w] = [x, y, z, w];
  }

  /** Fills `out` with random bytes. */
  bytes(out: Uint8Array): void {
    let [x, y, z, w] = [this.#x, this.#y, this.#z, this.#w];
    for (let i = 0; i < out.length; i++) {
      if ((i & 3) === 0) {
        const t = x ^ (x << 11);
        x = y;
        y = z;
        z = w;
        w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
      }
      out[i] = w >>> ((i & 3) * 8);
    }
    [this.#x, this.#y, this.#z, this.#w] = [x, y, z, w];
  }
}

/** (243, 5): trit + 1 of each code, the first trit most significant. */
export const CODE_DIGITS = new Uint8Array(CODES * TRITS_PER_CODE);
for (let code = 0; code < CODES; code++) {
  let rest = code;
  for (let i = TRITS_PER_CODE - 1; i >= 0; i--) {
    CODE_DIGITS[code * TRITS_PER_CODE + i] = rest % 3;
    rest = Math.floor(rest / 3);
  }
}

export function codesPerRow(cols: number): number {
  return Math.ceil(cols / TRITS_PER_CODE);
}

/** Codes of one row; of the last one only as many trits count as the row has columns left. */
export function rowCodes(seed: number, kind: number, layer: number, row: number, out: Uint8Array): void {
  new Random(seed, kind, layer, row).codes(out);
}

/** Scale of a tensor, as exactly as a GGUF block holds it. */
export function linearScale(cols: number): number {
  return halfToFloat(floatToHalf(1 / Math.sqrt((2 / 3) * cols)));
}

/** Integers of a byte's normal quantile: deviation 32, at most +-93. */
const NORMAL = Int8Array.from({ length: 256 }, (_, byte) => Math.round(32 * normalQuantile((byte + 0.5) / 256)));

/** (cols) integers of an embedding's row. */
export function embedRow(seed: number, kind: number, row: number, out: Int8Array): void {
  const bytes = new Uint8Array(out.buffer, out.byteOffset, out.length);
  new Random(seed, kind, 0, row).bytes(bytes);
  for (let i = 0; i < bytes.length; i++) out[i] = NORMAL[bytes[i]];
}

/** (cols) gains between 0.75 and 1.25. */
export function gains(seed: number, kind: number, layer: number, cols: number): Float32Array {
  const bytes = new Uint8Array(cols);
  new Random(seed, kind, layer, 0).bytes(bytes);
  return Float32Array.from(bytes, (byte) => 1 + ((byte & 63) - 32) / 128);
}

/** Inverse of the normal distribution by bisection of its series: 256 values, once. */
function normalQuantile(share: number): number {
  let [low, high] = [-6, 6];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Marsaglia 2004, "Evaluating the normal distribution": x + x^3/3 + x^5/15 + ... */
function normalShare(x: number): number {
  let [sum, term] = [x, x];
  for (let i = 3; Math.abs(term) > 1e-16 && i < 400; i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
