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
  /** Radians per position of each pair of a head, (head_dim / 2), where they are not those of ropeTheta (Llama 3's and linear scaling); for tables.ts and the float engine. */
  readonly ropeFrequencies?: Float64Array;
  readonly normEps: number;
  /**
   * A BitLinear normalises its input once more by itself, without a gain (OLMo-Bitnet). "bare": the norm before it has no gain either, so that the second one changes nothing
   * but eps, which an image leaves out. "gained": only the float engine can do that, an image of such a model is refused.
   */
  readonly inputNorm?: "bare" | "gained";
  /** Token id, -1 for none. */
  readonly bos: number;
  readonly eos: number;
  readonly stop: readonly number[];
  readonly addBos: boolean;
  /** Experts of a feed-forward layer, and how many of them a token takes; 0: dense. */
  readonly nExperts: number;
  readonly nExpertsUsed: number;
  /** What the linear weights may be: -1, 0, +1 (b1.58) or -1, +1 (BitNet b1). */
  readonly weights: "ternary" | "binary";
}

/** How a source is to be read. */
export interface OpenOptions {
  /** Round float weights of a checkpoint that was not trained for it: to trits (b1.58), or to signs (b1). */
  readonly quantize?: "absmean" | "sign";
  /** Leave float weights of linear layers as they are: for the float engine. An image takes none. */
  readonly float?: boolean;
  /** Order of an I2_S tensor's weights, which the file does not tell: bitnet.cpp writes one on x86 and another on Arm. */
  readonly i2s?: "x86" | "arm";
  /** tokenizer.json, tokenizer.model or llama2.c's tokenizer.bin, instead of the one beside the weights. */
  readonly tokenizer?: string;
  readonly signal?: AbortSignal;
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

/** A real matrix (rows, cols): embedding, head, router, or a linear layer that is not ternary. */
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

/** What a source says of itself when it is an assistant (spec/TOOLS.md). */
export interface AssistantSource {
  /** Id of the first of the special tokens. */
  readonly base: number;
  /** Margin in logits below which a call is not made. */
  readonly gate: number;
  /** Most tokens of text in an answer. */
  readonly textMax: number;
  /** Path of the tools.json that lies beside the source. */
  readonly beside: string | null;
}

export interface ModelSource {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly chat: Chat | null;
  /** Left out, or null: the model is none. */
  readonly assistant?: AssistantSource | null;
  /** For people: licence, source. Becomes the META section. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** What the source has and the image will not. */
  readonly dropped: readonly Dropped[];
  /** Decisions that the source left open. */
  readonly notes: readonly string[];
  /** As published, a linear layer rounds its input to int8 by its absmax, token by token (BitNet); false: it stays float (Llama, TriLM). */
  readonly fakeQuant: boolean;
  /**
   * Weights of a linear layer by KIND_* of spec/image.ts; a real matrix only with OpenOptions.float. A ternary one has `trits`.
   * @throws TritkitError E_QUANTIZE for float weights that nobody allowed to round
   */
  linear(
    kind: number,
    layer: number,
    at?: LinearAt,
  ): Promise<LinearSource | MatrixSource> | LinearSource | MatrixSource;
  /** KIND_EMBED or KIND_HEAD; KIND_ROUTER of a layer, (n_experts, dim). */
  matrix(kind: number, layer?: number): Promise<MatrixSource> | MatrixSource;
  /** Gains of an RMSNorm; KIND_FFN_SUB_NORM of an expert in models that have both. */
  gain(kind: number, layer: number, expert?: number): Promise<Float32Array> | Float32Array;
  close(): Promise<void>;
}

export interface LinearAt {
  readonly expert?: number;
  readonly signal?: AbortSignal;
}

export function isTernary(weights: LinearSource | MatrixSource): weights is LinearSource {
  return "trits" in weights;
}
