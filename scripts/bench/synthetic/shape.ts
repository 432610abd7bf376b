/** Shapes of synthetic models: that of BitNet b1.58 2B-4T (its config.json), and whatever a test wants instead. */
import type { ModelConfig } from "../../../host/convert/index.ts";

export interface SyntheticShape {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly vocabSize: number;
  readonly seqLen: number;
  readonly seed: number;
  /** Default: 2B-4T's squared ReLU. */
  readonly activation?: "silu" | "relu2";
}

/** microsoft/bitnet-b1.58-2B-4T: 2.08 billion ternary weights and an embedding of 0.33 billion. */
export const SHAPE_2B4T: SyntheticShape = {
  dim: 2560,
  hiddenDim: 6912,
  nLayers: 30,
  nHeads: 20,
  nKvHeads: 5,
  vocabSize: 128256,
  seqLen: 4096,
  seed: 1,
};

/** The smallest that llama.cpp takes: rows of TQ2_0 are multiples of 256 weights. For tests, and to try whether a benchmark runs at all. */
export const SHAPE_QUICK: SyntheticShape = {
  dim: 256,
  hiddenDim: 512,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  vocabSize: 1024,
  seqLen: 512,
  seed: 1,
};

/** Specials of Llama 3's vocabulary: from 128000 on; the small vocabularies end with two. */
const LLAMA3_SPECIALS = 256;
const LARGE_VOCABULARY = 100_000;

export function specialCount(vocabSize: number): number {
  return vocabSize >= LARGE_VOCABULARY ? LLAMA3_SPECIALS : 2;
}

/** Everything else is 2B-4T's: sub-norms, tied head, theta 5e5, eps 1e-5. */
export function configOf(shape: SyntheticShape): ModelConfig {
  const bos = shape.vocabSize - specialCount(shape.vocabSize);
  return {
    ...shape,
    headDim: shape.dim / shape.nHeads,
    activation: shape.activation ?? "relu2",
    subNorm: true,
    tied: true,
    ropeTheta: 500_000,
    normEps: 1e-5,
    bos,
    eos: bos + 1,
    stop: [],
    addBos: true,
    nExperts: 0,
    nExpertsUsed: 0,
    weights: "ternary",
  };
}

/** "2560x30-1": what file names are made of. */
export function shapeName({ dim, nLayers, seed }: SyntheticShape): string {
  return `synthetic-${dim}x${nLayers}-seed${seed}`;
}
