/** One tiny model as a GGUF file of either program; gguf_twin.ts writes it as a Hugging Face directory. */
import { TYPE_F32 } from "../convert/gguf/types.ts";
import { encodeFloats, encodeTrits } from "./gguf_encode.ts";
import { type Field, ggufBytes, type WrittenTensor } from "./gguf_writer.ts";
import { byteCharacters } from "./hf_fixture.ts";
import { seeded } from "./seeded.ts";

export const SHAPE = { dim: 256, hidden: 512, layers: 2, heads: 4, kv: 2, headDim: 64, vocab: 260, context: 64 };

/** Tensors of a layer: name in GGUF, name in Hugging Face, rows and columns; a norm has no columns. */
const { dim, hidden, heads, kv, headDim } = SHAPE;
export const LINEARS: readonly [gguf: string, hf: string, rows: number, cols: number][] = [
  ["attn_q", "self_attn.q_proj", heads * headDim, dim],
  ["attn_k", "self_attn.k_proj", kv * headDim, dim],
  ["attn_v", "self_attn.v_proj", kv * headDim, dim],
  ["attn_output", "self_attn.o_proj", dim, heads * headDim],
  ["ffn_gate", "mlp.gate_proj", hidden, dim],
  ["ffn_up", "mlp.up_proj", hidden, dim],
  ["ffn_down", "mlp.down_proj", dim, hidden],
];
export const NORMS: readonly [gguf: string, hf: string, length: number, sub: boolean][] = [
  ["attn_norm", "input_layernorm", dim, false],
  ["attn_sub_norm", "self_attn.attn_sub_norm", heads * headDim, true],
  ["ffn_norm", "post_attention_layernorm", dim, false],
  ["ffn_sub_norm", "mlp.ffn_sub_norm", hidden, true],
];

export interface Linear {
  readonly rows: number;
  readonly cols: number;
  /** A binary16 number. */
  readonly scale: number;
  readonly trits: Int8Array;
}

export interface Tiny {
  readonly subNorm: boolean;
  readonly tied: boolean;
  readonly activation: "silu" | "relu2";
  /** 0: dense. */
  readonly experts: number;
  /** By "LAYER NAME EXPERT", the name as in GGUF, no expert where there is one matrix. */
  readonly linears: ReadonlyMap<string, Linear>;
  readonly norms: ReadonlyMap<string, Float32Array>;
  /** (experts, dim) of each layer. */
  readonly routers: readonly Float32Array[];
  /** (vocab, dim), binary16 numbers. */
  readonly embed: Float32Array;
  readonly head: Float32Array;
  readonly finalNorm: Float32Array;
}

export function tinyModel(options: Partial<Pick<Tiny, "subNorm" | "tied" | "activation" | "experts">> = {}): Tiny {
  const { subNorm = true, tied = true, activation = "relu2", experts = 0 } = options;
  const random = seeded(11);
  const halves = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => Math.round((random() * 2 - 1) * 512) * scale);
  const linears = new Map<string, Linear>();
  const norms = new Map<string, Float32Array>();
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    for (const [name, , rows, cols] of LINEARS)
      for (const expert of experts > 0 && name.startsWith("ffn")
        ? Array.from({ length: experts }, (_, i) => ` ${i}`)
        : [""])
        linears.set(`${layer} ${name}${expert}`, {
          rows,
          cols,
          scale: Math.round(40 + random() * 60) / 1024,
          trits: Int8Array.from({ length: rows * cols }, () => Math.floor(random() * 3) - 1),
        });
    for (const [name, , length, sub] of NORMS)
      if (subNorm || !sub)
        norms.set(
          `${layer} ${name}`,
          Float32Array.from({ length }, () => 0.9 + random() / 5),
        );
  }
  return {
    ...{ subNorm, tied, activation, experts, linears, norms },
    embed: halves(SHAPE.vocab * dim, 1 / 512),
    head: halves(SHAPE.vocab * dim, 1 / 8192),
    finalNorm: Float32Array.from({ length: dim }, () => 0.9 + random() / 5),
    routers: Array.from({ length: experts > 0 ? SHAPE.layers : 0 }, () =>
      Float32Array.from({ length: experts * dim }, () => (random() - 0.5) / 4),
    ),
  };
}

/** Rows of Q or K as llama.cpp's converters lay them out for the architecture llama: numpy's reshape(heads, 2, half, cols).swapaxes(1, 2). */
export function permuteRows(trits: Int8Array, cols: number, nHeads: number): Int8Array {
  const out = new Int8Array(trits.length);
  const half = trits.length / cols / nHeads / 2;
  let to = 0;
  for (let head = 0; head < nHeads; head++)
    for (let j = 0; j < half; j++)
      for (const p of [0, 1]) {
        const from = ((head * 2 + p) * half + j) * cols;
        out.set(trits.subarray(from, from + cols), to);
        to += cols;
      }
  return out;
}

export interface GgufOptions {
  readonly architecture?: "bitnet" | "bitnet-25" | "bitnet-b1.58" | "llama";
  /** Of the linear layers. */
  readonly type: number;
  readonly i2s?: "x86" | "arm";
  /** Of embedding and head; default F32. */
  readonly embedType?: number;
  /** Added, or in place of what has the key; undefined takes it away. */
  readonly fields?: Readonly<Record<string, Field | undefined>>;
  readonly tensors?: Readonly<Record<string, WrittenTensor | undefined>>;
}

export function tinyGguf(model: Tiny, options: GgufOptions): Buffer {
  const { architecture = "bitnet-b1.58", type, i2s, embedType = TYPE_F32 } = options;
  const tensors = new Map<string, WrittenTensor>();
  const add = (name: string, tensor: Omit<WrittenTensor, "name">) =>
    tensors.set(`${name}.weight`, { name: `${name}.weight`, ...tensor });
  add("token_embd", { type: embedType, ne: [dim, SHAPE.vocab], bytes: encodeFloats(embedType, model.embed) });
  for (const [key, { rows, cols, scale, trits }] of model.linears) {
    const [layer, name, expert] = key.split(" ");
    const bytes = once(model, `${key} ${architecture === "llama"} ${type} ${i2s}`, () => {
      const nHeads = name === "attn_q" ? heads : name === "attn_k" ? kv : 0;
      const stored = architecture === "llama" && nHeads > 0 ? permuteRows(trits, cols, nHeads) : trits;
      return encodeTrits(type, stored, scale, { i2s });
    });
    if (expert === undefined) add(`blk.${layer}.${name}`, { type, ne: [cols, rows], bytes });
    else {
      // All experts of a layer are stacked in one tensor.
      const before = tensors.get(`blk.${layer}.${name}_exps.weight`)?.bytes ?? new Uint8Array(0);
      add(`blk.${layer}.${name}_exps`, {
        type,
        ne: [cols, rows, model.experts],
        bytes: Buffer.concat([before, bytes]),
      });
    }
  }
  for (const [layer, router] of model.routers.entries())
    add(`blk.${layer}.ffn_gate_inp`, {
      type: TYPE_F32,
      ne: [dim, model.experts],
      bytes: encodeFloats(TYPE_F32, router),
    });
  for (const [key, gains] of model.norms)
    add(`blk.${key.replace(" ", ".")}`, { type: TYPE_F32, ne: [gains.length], bytes: encodeFloats(TYPE_F32, gains) });
  add("output_norm", { type: TYPE_F32, ne: [dim], bytes: encodeFloats(TYPE_F32, model.finalNorm) });
  if (!model.tied)
    add("output", { type: embedType, ne: [dim, SHAPE.vocab], bytes: encodeFloats(embedType, model.head) });
  for (const [name, tensor] of Object.entries(options.tensors ?? {})) {
    if (tensor) tensors.set(name, tensor);
    else tensors.delete(name);
  }
  const fields = new Map<string, Field>();
  const standard = metadata(architecture).concat(
    model.activation === "silu" && architecture !== "llama"
      ? [[`${architecture}.hidden_activation`, "string", "silu"]]
      : [],
  );
  if (model.experts > 0)
    standard.push(
      [`${architecture}.expert_count`, "u32", model.experts],
      [`${architecture}.expert_used_count`, "u32", 2],
    );
  for (const field of standard) fields.set(field[0], field);
  for (const [key, field] of Object.entries(options.fields ?? {})) {
    if (field) fields.set(key, field);
    else fields.delete(key);
  }
  return ggufBytes([...fields.values()], [...tensors.values()]);
}

/** Tensors of a model that many tests write are encoded once. */
const encoded = new WeakMap<Tiny, Map<string, Uint8Array>>();

function once(model: Tiny, key: string, encode: () => Uint8Array): Uint8Array {
  const known = encoded.get(model) ?? new Map<string, Uint8Array>();
  encoded.set(model, known);
  const bytes = known.get(key) ?? encode();
  known.set(key, bytes);
  return bytes;
}

/** Text of token id: 256 bytes, "he", " t" and two specials. */
export const TOKENS = [...byteCharacters(), "he", "\u0120t", "<|bos|>", "<|eos|>"];
export const MERGES = ["h e", "\u0120 t"];

/** SentencePiece: its special tokens, 256 bytes and one piece. */
export const PIECES = [
  ...["<unk>", "<s>", "</s>"],
  ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  "\u2581",
];

/** Fields in place of those of the byte-level tokenizer. */
export const SENTENCE_PIECE: Readonly<Record<string, Field | undefined>> = {
  "tokenizer.ggml.model": ["tokenizer.ggml.model", "string", "llama"],
  "tokenizer.ggml.pre": undefined,
  "tokenizer.ggml.merges": undefined,
  "tokenizer.ggml.tokens": ["tokenizer.ggml.tokens", ["string"], PIECES],
  "tokenizer.ggml.scores": ["tokenizer.ggml.scores", ["f32"], PIECES.map(() => 0)],
  "tokenizer.ggml.token_type": ["tokenizer.ggml.token_type", ["i32"], [2, 3, 3, ...new Array(256).fill(6), 1]],
  "tokenizer.ggml.bos_token_id": undefined,
  "tokenizer.ggml.eos_token_id": undefined,
  "tokenizer.ggml.add_bos_token": undefined,
};

function metadata(architecture: string): Field[] {
  const at = (name: string) => `${architecture}.${name}`;
  return [
    ["general.architecture", "string", architecture],
    ["general.name", "string", "tiny"],
    [at("vocab_size"), "u32", SHAPE.vocab],
    [at("context_length"), "u32", SHAPE.context],
    [at("embedding_length"), "u32", dim],
    [at("block_count"), "u32", SHAPE.layers],
    [at("feed_forward_length"), "u32", hidden],
    [at("rope.dimension_count"), "u32", headDim],
    [at("rope.freq_base"), "f32", 10000],
    [at("attention.head_count"), "u32", heads],
    [at("attention.head_count_kv"), "u32", kv],
    [at("attention.layer_norm_rms_epsilon"), "f32", 1e-5],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "gpt-2"],
    ["tokenizer.ggml.tokens", ["string"], TOKENS],
    ["tokenizer.ggml.token_type", ["i32"], TOKENS.map((_, id) => (id < 258 ? 1 : 3))],
    ["tokenizer.ggml.merges", ["string"], MERGES],
    ["tokenizer.ggml.bos_token_id", "u32", 258],
    ["tokenizer.ggml.eos_token_id", "u32", 259],
    ["tokenizer.ggml.add_bos_token", "bool", true],
  ];
}
