/** What `tritkit inspect` tells about an image. Data only, field names as `--json` prints them; nothing is printed here. */
import {
  ACTIVATION_SILU,
  IMAGE_BLOCK_BYTES,
  KIND_EMBED,
  KIND_HEAD,
  KIND_ROUTER,
  KIND_TOKENIZER,
  ROW_SCALE_BYTES,
  SCALE_ROWS,
  SCALE_TENSOR,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_TYPE_SPECIAL,
  TRAILER_BYTES,
  TRL_SHA256,
  TRL_SIGNATURE_KIND,
} from "../../spec/image.ts";
import { PACK_GAIN, PACK_TRITS_1 } from "../../spec/packing.ts";
import { toolsJson } from "../tools/json.ts";
import type { Assistant } from "./assistant.ts";
import type { Chat } from "./chat.ts";
import { hex, uploadSha } from "./digest.ts";
import { sectionName } from "./layout.ts";
import type { Image } from "./reader.ts";
import { scaleValue } from "./scale.ts";
import type { Tensor } from "./section.ts";
import { packingName } from "./sizes.ts";

/** By kind and pre-tokenizer of the TOKENIZER section. */
const KINDS: readonly string[] = ["", "byte-level BPE", "SentencePiece BPE", "unigram"];
const PRE_TOKENIZERS: readonly string[] = ["none", "sentencepiece", "bytes", "gpt-2", "llama-3", "qwen-2", "digits"];

export interface TensorDescription {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** "ternary", "3 trits", "int8", "int4", "int16". */
  readonly packing: string;
  readonly scales: "none" | "tensor" | "rows";
  /** Row scales included. */
  readonly bytes: number;
  readonly bits_per_weight: number;
}

export interface PartDescription {
  readonly name: string;
  readonly bytes: number;
  readonly percent: number;
}

export interface ImageDescription {
  readonly name: string;
  /** "" for any board. */
  readonly board: string;
  readonly version: string;
  readonly bytes: number;
  /** One line: "5 layers, dim 128, 4 heads (2 kv) of 32, hidden 384 relu2, sub-norms, context 256, vocabulary 1024, tied head". */
  readonly architecture: string;
  readonly config: {
    readonly dim: number;
    readonly hidden_dim: number;
    readonly n_layers: number;
    readonly n_heads: number;
    readonly n_kv_heads: number;
    readonly head_dim: number;
    readonly seq_len: number;
    readonly default_context: number;
    readonly vocab_size: number;
    readonly activation: string;
    readonly sub_norm: boolean;
    readonly tied: boolean;
    /** 0: dense. */
    readonly n_experts: number;
    readonly n_experts_used: number;
    readonly rope_theta: number;
    readonly norm_eps: number;
    readonly residual_frac: number;
    readonly head_act_max: number;
    readonly bos: number;
    readonly eos: number;
    readonly stop: readonly number[];
    readonly add_bos: boolean;
  };
  readonly ternary_weights: number;
  /** Of the ternary matrices, scales included; and of all weights. */
  readonly ternary_bits_per_weight: number;
  readonly bits_per_weight: number;
  readonly weights: number;
  readonly tensors: readonly TensorDescription[];
  readonly tokenizer: {
    readonly kind: string;
    readonly pre_tokenizer: string;
    readonly vocab_size: number;
    readonly merges: number;
    readonly special: number;
    readonly add_space_prefix: boolean;
    readonly byte_fallback: boolean;
    readonly bytes: number;
  };
  readonly chat: Chat | null;
  /** null: the model is none. */
  readonly assistant: {
    /** Id of the first of its special tokens. */
    readonly base: number;
    /** In logits. */
    readonly gate: number;
    readonly text_max: number;
    /** As a tools.json; null without any. */
    readonly tools: Readonly<Record<string, unknown>> | null;
    readonly tools_bytes: number;
  } | null;
  /** The META section as JSON, or as text when it is none. */
  readonly meta: unknown;
  readonly digests: {
    /** SHA-256 of the whole file: by this a device knows the upload. */
    readonly upload_sha256: string;
    /** SHA-256 of everything before the trailer. */
    readonly sha256: string;
    readonly blocks: number;
    readonly signature: "none" | "ed25519, not verified" | "unknown";
  };
  /** Adds up to `bytes`. */
  readonly parts: readonly PartDescription[];
}

/** @param sha of the upload, where it is known: it takes reading all of the image */
export function describeImage(image: Image, sha?: Uint8Array): ImageDescription {
  const { config, header } = image;
  const ternary = image.tensors.filter((tensor) => tensor.packing === PACK_TRITS_1);
  const weights = image.tensors.filter((tensor) => tensor.packing !== PACK_GAIN);
  const activation = config.activation === ACTIVATION_SILU ? "silu" : "relu2";
  return {
    name: header.name,
    board: header.board,
    version: `${header.major}.${header.minor}`,
    bytes: header.imageBytes,
    architecture: [
      `${config.nLayers} layers`,
      `dim ${config.dim}`,
      `${config.nHeads} heads (${config.nKvHeads} kv) of ${config.headDim}`,
      `hidden ${config.hiddenDim} ${activation}`,
      ...(config.nExperts > 0 ? [`${config.nExperts} experts (${config.nExpertsUsed} used)`] : []),
      config.subNorm ? "sub-norms" : "no sub-norms",
      ...(config.weights === 1 ? ["binary weights"] : []),
      `context ${config.seqLen}`,
      `vocabulary ${config.vocabSize}`,
      config.tied ? "tied head" : "own head",
    ].join(", "),
    config: {
      dim: config.dim,
      hidden_dim: config.hiddenDim,
      n_layers: config.nLayers,
      n_heads: config.nHeads,
      n_kv_heads: config.nKvHeads,
      head_dim: config.headDim,
      seq_len: config.seqLen,
      default_context: config.defaultContext,
      vocab_size: config.vocabSize,
      activation,
      sub_norm: config.subNorm,
      tied: config.tied,
      n_experts: config.nExperts,
      n_experts_used: config.nExpertsUsed,
      rope_theta: scaleValue(config.ropeTheta),
      norm_eps: scaleValue(config.normEps),
      residual_frac: config.residualFrac,
      head_act_max: config.headActMax,
      bos: config.bos,
      eos: config.eos,
      stop: config.stop,
      add_bos: config.addBos,
    },
    ternary_weights: countWeights(ternary),
    ternary_bits_per_weight: bitsPerWeight(ternary),
    bits_per_weight: bitsPerWeight(weights),
    weights: countWeights(weights),
    tensors: image.tensors.map(describeTensor),
    tokenizer: describeTokenizer(image),
    chat: image.chat,
    assistant: image.assistant && describeAssistant(image.assistant),
    meta: parseMeta(image.meta),
    digests: describeDigests(image, sha ?? uploadSha(image.source)),
    parts: describeParts(image, ternary),
  };
}

function describeTensor(tensor: Tensor): TensorDescription {
  return {
    name: tensor.name,
    rows: tensor.rows,
    cols: tensor.cols,
    packing: packingName(tensor.packing),
    scales: tensor.scaleKind === SCALE_ROWS ? "rows" : tensor.scaleKind === SCALE_TENSOR ? "tensor" : "none",
    bytes: tensorBytes(tensor),
    bits_per_weight: bitsPerWeight([tensor]),
  };
}

function describeTokenizer({ tokenizer, sections }: Image): ImageDescription["tokenizer"] {
  return {
    kind: KINDS[tokenizer.kind] ?? "",
    pre_tokenizer: PRE_TOKENIZERS[tokenizer.pre] ?? "",
    vocab_size: tokenizer.tokens.length,
    merges: tokenizer.merges.length,
    special: tokenizer.types.reduce((count, type) => count + Number(type === TOK_TYPE_SPECIAL), 0),
    add_space_prefix: (tokenizer.flags & TOK_ADD_SPACE_PREFIX) !== 0,
    byte_fallback: (tokenizer.flags & TOK_BYTE_FALLBACK) !== 0,
    bytes: sections.find((section) => section.kind === KIND_TOKENIZER)?.bytes ?? 0,
  };
}

function describeAssistant({ base, gate, textMax, tools, table }: Assistant): ImageDescription["assistant"] {
  return { base, gate, text_max: textMax, tools: tools && toolsJson(tools), tools_bytes: table.length };
}

function describeDigests({ source, header }: Image, sha: Uint8Array): ImageDescription["digests"] {
  const trailer = source.read(source.size - TRAILER_BYTES, TRAILER_BYTES);
  const signature = new DataView(trailer.buffer, trailer.byteOffset).getUint32(TRL_SIGNATURE_KIND, true);
  return {
    upload_sha256: hex(sha),
    sha256: hex(trailer.subarray(TRL_SHA256, TRL_SHA256 + 32)),
    blocks: header.digestOffset / IMAGE_BLOCK_BYTES,
    signature: signature === 0 ? "none" : signature === 1 ? "ed25519, not verified" : "unknown",
  };
}

function describeParts(image: Image, ternary: readonly Tensor[]): PartDescription[] {
  const total = image.header.imageBytes;
  const sum = (tensors: readonly Tensor[]) => tensors.reduce((bytes, tensor) => bytes + tensorBytes(tensor), 0);
  const of = (kind: number) => image.tensors.filter((tensor) => tensor.kind === kind);
  const rest = image.sections.filter((section) => !image.tensors.some((t) => t.offset === section.offset));
  const parts: [string, number][] = [
    ["ternary weights", sum(ternary.filter(({ kind }) => kind !== KIND_EMBED && kind !== KIND_HEAD))],
    [image.config.tied ? "embedding and head" : "embedding", sum(of(KIND_EMBED))],
    ["head", sum(of(KIND_HEAD))],
    ["routers", sum(of(KIND_ROUTER))],
    ["gains", sum(image.tensors.filter((tensor) => tensor.packing === PACK_GAIN))],
    ...rest.map((section): [string, number] => [sectionName(section.kind, section.layer), section.bytes]),
    ["digests and trailer", total - image.header.digestOffset],
  ];
  const named = parts.reduce((bytes, [, size]) => bytes + size, 0);
  parts.push(["header and padding", total - named]);
  return parts
    .filter(([, size]) => size > 0)
    .map(([name, size]) => ({ name, bytes: size, percent: (100 * size) / total }));
}

function tensorBytes(tensor: Tensor): number {
  return tensor.bytes + (tensor.scaleKind === SCALE_ROWS ? tensor.rows * ROW_SCALE_BYTES : 0);
}

function countWeights(tensors: readonly Tensor[]): number {
  return tensors.reduce((count, { rows, cols }) => count + rows * cols, 0);
}

function bitsPerWeight(tensors: readonly Tensor[]): number {
  return (tensors.reduce((bytes, tensor) => bytes + tensorBytes(tensor), 0) * 8) / countWeights(tensors);
}

function parseMeta(meta: string | null): unknown {
  if (meta === null) return null;
  try {
    return JSON.parse(meta) as unknown;
  } catch {
    return meta;
  }
}
