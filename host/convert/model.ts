/**
 * The neutral description that stands between importers (Hugging Face, random, ...) and the image writer: a configuration in the
 * papers' terms and tensors that are read only when their turn comes.
 */
import type { Chat } from "../image/reader.ts";
import type { Tokenizer } from "../image/tokenizer.ts";

export interface ModelConfig {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly seqLen: number;
  readonly vocabSize: number;
  readonly activation: "silu" | "relu2";
  /** RMSNorm before the output and down projections (BitNet b1.58). */
  readonly subNorm: boolean;
  /** The head is the embedding. */
  readonly tied: boolean;
  readonly ropeTheta: number;
  readonly normEps: number;
  /** Token id, -1 for none. */
  readonly bos: number;
  readonly eos: number;
  readonly stop: readonly number[];
  readonly addBos: boolean;
}

/** A ternary matrix (rows, cols): weight = trit * scale. */
export interface LinearSource {
  readonly rows: number;
  readonly cols: number;
  /** One for the tensor, or one for each row. */
  readonly scale: number | Float64Array;
  /** @returns (count, cols) trits of the rows from `start` */
  trits(start: number, count: number): Promise<Int8Array> | Int8Array;
}

/** A real matrix (rows, cols): embedding or head. */
export interface MatrixSource {
  readonly rows: number;
  readonly cols: number;
  /** @returns (count, cols) values of the rows from `start` */
  values(start: number, count: number): Promise<Float32Array> | Float32Array;
}

export interface Dropped {
  readonly name: string;
  readonly why: string;
}

export interface ModelSource {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly chat: Chat | null;
  /** For people: licence, source. Becomes the META section. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** What the source has and the image will not. */
  readonly dropped: readonly Dropped[];
  /** Decisions that the source left open. */
  readonly notes: readonly string[];
  /** A BitLinear's weights by KIND_* of spec/image.ts. */
  linear(kind: number, layer: number, signal?: AbortSignal): Promise<LinearSource> | LinearSource;
  /** KIND_EMBED or KIND_HEAD. */
  matrix(kind: number): Promise<MatrixSource> | MatrixSource;
  /** Gains of an RMSNorm. */
  gain(kind: number, layer: number): Promise<Float32Array> | Float32Array;
  close(): Promise<void>;
}
