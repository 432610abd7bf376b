/** The models of the paper: their matrices. Sizes up to 3.9B are those of its code and checkpoints, 7B to 70B those of LLaMA and LLaMA-2. */
export interface Shape {
  readonly dim: number;
  readonly ffn: number;
  readonly layers: number;
  /** Width of keys and values: dim, or less with grouped queries. */
  readonly kv: number;
}

export const VOCAB = 32_000;

const SHAPES: Readonly<Record<string, Shape>> = {
  "700M": { dim: 1536, ffn: 4096, layers: 24, kv: 1536 },
  "1.3B": { dim: 2048, ffn: 5460, layers: 24, kv: 2048 },
  "3B": { dim: 3200, ffn: 8640, layers: 26, kv: 3200 },
  "3.9B": { dim: 3200, ffn: 12_800, layers: 26, kv: 3200 },
  "7B": { dim: 4096, ffn: 11_008, layers: 32, kv: 4096 },
  "13B": { dim: 5120, ffn: 13_824, layers: 40, kv: 5120 },
  /** LLaMA-65B: every head has its own keys and values. */
  "65B": { dim: 8192, ffn: 22_016, layers: 80, kv: 8192 },
  /** LLaMA-2-70B: 8 heads of keys and values for 64 of queries. */
  "70B": { dim: 8192, ffn: 28_672, layers: 80, kv: 1024 },
};

export function shapeOf(size: string): Shape {
  const shape = SHAPES[size];
  if (shape === undefined) throw new RangeError(`no shape for ${size}`);
  return shape;
}

/** The matrices of one layer: [outputs, inputs]. */
export function matrices({ dim, ffn, kv }: Shape): readonly [number, number][] {
  return [
    [dim, dim],
    [kv, dim],
    [kv, dim],
    [dim, dim],
    [ffn, dim],
    [ffn, dim],
    [dim, ffn],
  ];
}

/** Weights of all linear layers; embedding and head are counted apart. */
export function linearWeights(shape: Shape): number {
  return shape.layers * matrices(shape).reduce((sum, [m, n]) => sum + m * n, 0);
}

/** Numbers in the keys and values of one position. */
export function cacheNumbers({ layers, kv }: Shape): number {
  return 2 * layers * kv;
}
