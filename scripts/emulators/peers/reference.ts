/**
 * The witness of the peers: the same token computed in double precision, by other code, so that nobody needs to believe that what is counted is
 * a forward pass. Straight from the formulas of the papers that float32.c names; nothing is fast here.
 */
import { matrixShapes, type PeerShape, peerRandom } from "./weights.ts";

const NORM_EPS = 1e-5;
const ROPE_BASE = 10000;
const CACHE_SCALE = 1 / 32;

export interface ReferenceInput {
  readonly shape: PeerShape;
  readonly matrices: Float32Array;
  readonly vectors: Float32Array;
  readonly sharedWeights: boolean;
  readonly sharedCache: boolean;
  /** Rounds what int8.c rounds: inputs of products to 127 steps of their largest, the cache to its fixed ones, probabilities to 15 bits. */
  readonly rounded: boolean;
  readonly token: number;
  readonly position: number;
}

/** Logits of the token that follows `token` at `position`, over a cache of noise. */
export function referenceLogits(input: ReferenceInput): number[] {
  const { shape, token, position } = input;
  const { dim, layers, heads, kvHeads, headDim, ffn } = shape;
  const [step, stored, share] = input.rounded ? [absmax127, cached, share15] : [same, same, same];
  const matrix = matrixReader(input);
  const vector = vectorReader(input.vectors);
  const cache = noise(input);
  const embedding = matrix(7 * layers);

  let x = embedding[token];
  for (let l = 0; l < layers; l++) {
    const [wq, wk, wv, wo, wgate, wup, wdown] = [0, 1, 2, 3, 4, 5, 6].map((m) => matrix(7 * l + m));
    const { keys, values } = cache[input.sharedCache ? 0 : l];
    const h = step(norm(x, vector(dim)));
    keys[position] = stored(split(multiply(wk, h), kvHeads).flatMap((head) => rotate(head, position)));
    values[position] = stored(multiply(wv, h));
    const queries = step(split(multiply(wq, h), heads).flatMap((head) => rotate(head, position)));
    const out = split(queries, heads).flatMap((query, i) => {
      const first = Math.floor((i * kvHeads) / heads) * headDim;
      const mine = (row: number[]): number[] => row.slice(first, first + headDim);
      const weights = keys.map((key) => Math.exp(dot(query, mine(key)) / Math.sqrt(headDim)));
      const all = weights.reduce((a, b) => a + b, 0);
      const shares = share(weights.map((w) => w / all));
      return mine(values[0]).map((_, k) => shares.reduce((sum, w, t) => sum + w * values[t][first + k], 0));
    });
    const attention = multiply(wo, step(norm(out, vector(heads * headDim))));
    x = x.map((value, i) => value + attention[i]);

    const inner = step(norm(x, vector(dim)));
    const up = multiply(wup, inner);
    const gated = multiply(wgate, inner).map((g, i) => Math.max(0, g) ** 2 * up[i]);
    const down = multiply(wdown, step(norm(gated, vector(ffn))));
    x = x.map((value, i) => value + down[i]);
  }
  return multiply(embedding, step(norm(x, vector(dim))));
}

/** How far two vectors are apart: the root of the squared differences over that of the squares of `b`. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return a.length === b.length ? Math.sqrt(difference / size) : Number.POSITIVE_INFINITY;
}

/** Rows of the i-th matrix. */
function matrixReader({ shape, matrices, sharedWeights }: ReferenceInput): (i: number) => number[][] {
  const shapes = matrixShapes(shape);
  return (i) => {
    const before = shapes.slice(0, i).reduce((sum, [rows, columns]) => sum + rows * columns, 0);
    const [rows, columns] = shapes[i];
    const at = sharedWeights ? 0 : before;
    return Array.from({ length: rows }, (_, r) => [...matrices.subarray(at + r * columns, at + (r + 1) * columns)]);
  };
}

/** Gains lie in the order in which they are needed. */
function vectorReader(vectors: Float32Array): (n: number) => number[] {
  let at = 0;
  return (n) => {
    at += n;
    return [...vectors.subarray(at - n, at)];
  };
}

/** Keys and values of the positions before, by layer: one number of a key, one of a value, and so on. */
function noise({ shape, sharedCache, position }: ReferenceInput): { keys: number[][]; values: number[][] }[] {
  const next = peerRandom(1);
  return Array.from({ length: sharedCache ? 1 : shape.layers }, () => {
    const keys: number[][] = [];
    const values: number[][] = [];
    for (let t = 0; t < position; t++) {
      const pairs = Array.from({ length: shape.kvHeads * shape.headDim }, () => [next(), next()]);
      keys.push(pairs.map(([key]) => key * CACHE_SCALE));
      values.push(pairs.map(([, value]) => value * CACHE_SCALE));
    }
    return { keys, values };
  });
}

const same = (v: number[]): number[] => v;
const share15 = (v: number[]): number[] => v.map((p) => Math.round(p * 32767) / 32767);
const cached = (v: number[]): number[] =>
  v.map((x) => Math.max(-127, Math.min(127, Math.round(x / CACHE_SCALE))) * CACHE_SCALE);

function absmax127(v: number[]): number[] {
  const scale = Math.max(...v.map(Math.abs)) / 127;
  return v.map((x) => Math.round(x / scale) * scale);
}

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function multiply(matrix: number[][], vector: number[]): number[] {
  return matrix.map((row) => dot(row, vector));
}

function norm(x: number[], gains: number[]): number[] {
  const root = Math.sqrt(dot(x, x) / x.length + NORM_EPS);
  return x.map((value, i) => (value / root) * gains[i]);
}

/** RoPE on a head: pairs (i, i + half). */
function rotate(head: number[], position: number): number[] {
  const half = head.length / 2;
  const angle = (i: number): number => position * ROPE_BASE ** (-i / half);
  const low = head.slice(0, half).map((a, i) => a * Math.cos(angle(i)) - head[i + half] * Math.sin(angle(i)));
  const high = head.slice(half).map((b, i) => head[i] * Math.sin(angle(i)) + b * Math.cos(angle(i)));
  return [...low, ...high];
}

function split(vector: number[], heads: number): number[][] {
  const n = vector.length / heads;
  return Array.from({ length: heads }, (_, i) => vector.slice(i * n, (i + 1) * n));
}
