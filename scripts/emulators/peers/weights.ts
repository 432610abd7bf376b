/**
 * Weights of a peer: seeded noise, as float32 and as int8 with a scale for each matrix, laid out as peer.h says. What they are worth does not
 * matter to what a token costs; that they are of the size that RMSNorm and a trained model make likely does, a little: float routines take
 * longer where exponents differ.
 */

/** peer.h: DIM, LAYERS, ... */
export interface PeerShape {
  readonly name: string;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffn: number;
  readonly vocab: number;
}

export interface PeerWeights {
  /** All matrices begin at the first one's place. */
  readonly shared: boolean;
  readonly matrices: Float32Array;
  /** The same, quantised: matrices[i] is about int8[i] * scale of its matrix. */
  readonly int8: Int8Array;
  /** Gains of all norms. */
  readonly vectors: Float32Array;
  /** Of int8, by matrix: those of layer 0, ..., the head. */
  readonly scales: Float32Array;
}

/** Rows and columns of all matrices: Wq Wk Wv Wo Wgate Wup Wdown of each layer, then the head. */
export function matrixShapes({ dim, layers, heads, kvHeads, headDim, ffn, vocab }: PeerShape): [number, number][] {
  const q = heads * headDim;
  const kv = kvHeads * headDim;
  const layer: [number, number][] = [
    [q, dim],
    [kv, dim],
    [kv, dim],
    [dim, q],
    [ffn, dim],
    [ffn, dim],
    [dim, ffn],
  ];
  return [...Array.from({ length: layers }, () => layer).flat(), [vocab, dim]];
}

/** Numerical Recipes' generator, as peer_random of peer.h: int8. */
export function peerRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >> 24;
  };
}

export function makeWeights(shape: PeerShape, shared: boolean): PeerWeights {
  const shapes = matrixShapes(shape);
  const sizes = shapes.map(([rows, columns]) => rows * columns);
  const total = shared ? Math.max(...sizes) : sizes.reduce((a, b) => a + b, 0);
  const next = uniform(20260101);
  const matrices = new Float32Array(total);
  const int8 = new Int8Array(total);
  const scales = new Float32Array(sizes.length);
  let at = 0;
  for (const [i, size] of (shared ? [total] : sizes).entries()) {
    // Unit variance in, unit variance out.
    const most = Math.sqrt(3 / (shared ? shape.dim : shapes[i][1]));
    for (let k = at; k < at + size; k++) matrices[k] = most * next();
    const part = matrices.subarray(at, at + size);
    const scale = part.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0) / 127;
    for (let k = at; k < at + size; k++) int8[k] = Math.round(matrices[k] / scale);
    if (shared) scales.fill(scale);
    else scales[i] = scale;
    at += size;
  }
  const { dim, layers, heads, headDim, ffn } = shape;
  const vectors = Float32Array.from({ length: layers * (2 * dim + heads * headDim + ffn) + dim }, () => 1 + next() / 2);
  return { shared, matrices, int8, vectors, scales };
}

/** The float weights that the int8 ones stand for. */
export function dequantised(shape: PeerShape, { shared, int8, scales }: PeerWeights): Float32Array {
  if (shared) return Float32Array.from(int8, (w) => w * scales[0]);
  const out = new Float32Array(int8.length);
  let at = 0;
  for (const [i, [rows, columns]] of matrixShapes(shape).entries())
    for (const end = at + rows * columns; at < end; at++) out[at] = int8[at] * scales[i];
  return out;
}

/** Numbers in [-1, 1): Mulberry32 (public domain, Tommy Ettinger), from memory. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
