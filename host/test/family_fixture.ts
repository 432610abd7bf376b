/**
 * Tiny checkpoints as the published families write them. Weights are k / 256 with whole |k| < 256, which float16 and bfloat16 hold exactly, so that a test can compute means, trits
 * and scales from the integers alone.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { byteTokenizer } from "./hf_fixture.ts";
import { seeded } from "./seeded.ts";

export const UNIT = 1 / 256;

/** (rows, cols) of integers k. */
export interface Grid {
  readonly rows: number;
  readonly cols: number;
  readonly k: Int16Array;
}

export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const SHAPE = { dim: 16, hidden: 24, layers: 2, heads: 4, kv: 4, headDim: 4, vocab: 260 };

/** Latent weights: some near zero, some large. */
export function latentGrid(seed: number, rows: number, cols: number): Grid {
  const random = seeded(seed);
  return { rows, cols, k: Int16Array.from({ length: rows * cols }, () => Math.round((random() * 2 - 1) ** 3 * 255)) };
}

/** {0, +-s}: the level of an element is its own affair. */
export function ternaryGrid(
  seed: number,
  rows: number,
  cols: number,
  level: (row: number, col: number) => number,
): Grid {
  const random = seeded(seed);
  return {
    rows,
    cols,
    k: Int16Array.from(
      { length: rows * cols },
      (_, i) => (Math.floor(random() * 3) - 1) * level(Math.floor(i / cols), i % cols),
    ),
  };
}

/** The upper half of a binary32. */
export function bf16(values: ArrayLike<number>): Uint8Array {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  return new Uint8Array(Uint16Array.from(words, (word) => word >>> 16).buffer);
}

/** Of normal numbers that binary16 holds exactly, and 0. */
export function f16(values: ArrayLike<number>): Uint8Array {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  const half = (word: number) =>
    word << 1 === 0 ? 0 : ((word >>> 16) & 0x8000) | ((((word >>> 23) & 255) - 112) << 10) | ((word >>> 13) & 1023);
  return new Uint8Array(Uint16Array.from(words, half).buffer);
}

export function f32(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

export function gridTensor(grid: Grid, dtype: "BF16" | "F16" | "F32" = "BF16"): RawTensor {
  const encode = { BF16: bf16, F16: f16, F32: f32 }[dtype];
  return { dtype, shape: [grid.rows, grid.cols], bytes: encode(Float32Array.from(grid.k, (k) => k * UNIT)) };
}

/** Packed as transformers packs: bits 2i..2i+1 of byte row r hold output row i * (out / 4) + r. */
export function packedTensor(grid: Grid): RawTensor {
  const quarter = grid.rows / 4;
  const bytes = new Uint8Array(quarter * grid.cols);
  for (const [i, k] of grid.k.entries()) {
    const row = Math.floor(i / grid.cols);
    bytes[(row % quarter) * grid.cols + (i % grid.cols)] |= (Math.sign(k) + 1) << (2 * Math.floor(row / quarter));
  }
  return { dtype: "U8", shape: [quarter, grid.cols], bytes };
}

export function gainTensor(length: number, value: (i: number) => number = (i) => 1 + i / 64): RawTensor {
  return { dtype: "F32", shape: [length], bytes: f32(Array.from({ length }, (_, i) => value(i))) };
}

export function embedTensor(rows = SHAPE.vocab, cols = SHAPE.dim, seed = 5): RawTensor {
  return gridTensor(latentGrid(seed, rows, cols));
}

export function safetensorsBytes(tensors: Readonly<Record<string, RawTensor>>): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([start, json, ...Object.values(tensors).map((tensor) => tensor.bytes)]);
}

export async function writeDirectory(
  directory: string,
  config: object,
  tensors: Readonly<Record<string, RawTensor>>,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "config.json"), JSON.stringify(config));
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  await writeFile(join(directory, "model.safetensors"), safetensorsBytes(tensors));
  return directory;
}

/** Fields of LlamaConfig and BitNetConfig. */
export function llamaConfig(changes: object = {}): object {
  return {
    model_type: "llama",
    hidden_size: SHAPE.dim,
    intermediate_size: SHAPE.hidden,
    num_hidden_layers: SHAPE.layers,
    num_attention_heads: SHAPE.heads,
    num_key_value_heads: SHAPE.kv,
    hidden_act: "silu",
    max_position_embeddings: 64,
    vocab_size: SHAPE.vocab,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    bos_token_id: 258,
    eos_token_id: 259,
    ...changes,
  };
}

/** Rows and columns of the linear layers by their names in transformers. */
export const LINEAR_SHAPES: Readonly<Record<string, readonly [number, number]>> = {
  "self_attn.q_proj": [SHAPE.heads * SHAPE.headDim, SHAPE.dim],
  "self_attn.k_proj": [SHAPE.kv * SHAPE.headDim, SHAPE.dim],
  "self_attn.v_proj": [SHAPE.kv * SHAPE.headDim, SHAPE.dim],
  "self_attn.o_proj": [SHAPE.dim, SHAPE.heads * SHAPE.headDim],
  "mlp.gate_proj": [SHAPE.hidden, SHAPE.dim],
  "mlp.up_proj": [SHAPE.hidden, SHAPE.dim],
  "mlp.down_proj": [SHAPE.dim, SHAPE.hidden],
};

/** All tensors of a Llama; `linear` gives those of a layer by name, sub-norms come when they have names. */
export function llamaTensors(
  linear: (name: string, layer: number, rows: number, cols: number) => Record<string, RawTensor>,
  subNorms: readonly string[] = [],
): Record<string, RawTensor> {
  const tensors: Record<string, RawTensor> = { "model.embed_tokens.weight": embedTensor() };
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    const at = `model.layers.${layer}`;
    for (const [name, [rows, cols]] of Object.entries(LINEAR_SHAPES))
      for (const [suffix, tensor] of Object.entries(linear(name, layer, rows, cols)))
        tensors[`${at}.${name}.${suffix}`] = tensor;
    for (const name of ["input_layernorm", "post_attention_layernorm"])
      tensors[`${at}.${name}.weight`] = gainTensor(SHAPE.dim);
    for (const name of subNorms)
      tensors[`${at}.${name}.weight`] = gainTensor(name.startsWith("mlp") ? SHAPE.hidden : SHAPE.dim);
  }
  tensors["model.norm.weight"] = gainTensor(SHAPE.dim);
  return tensors;
}
