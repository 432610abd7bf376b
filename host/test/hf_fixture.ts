/** A tiny Hugging Face directory, written as the published checkpoints are: packed with either meaning of weight_scale, or latent. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PRE_BYTES_REGEX } from "../convert/tokenizer/json.ts";
import { seeded } from "./seeded.ts";

export type Weights = "multiply" | "divide" | "ternary floats" | "latent";

const SHAPE = { dim: 16, hidden: 24, layers: 2, heads: 2, kv: 1, headDim: 8, vocab: 260 };

/** The trits of a matrix, the same for every kind of directory. */
export function trit(row: number, col: number): number {
  return ((row * 7 + col * 5 + ((row * col) >> 1)) % 3) - 1;
}

/** One scale a tensor, none of them a power of two. */
export function tensorScale(index: number): number {
  return Math.fround(0.05 + index * 0.0137);
}

export interface Changes {
  readonly config?: Record<string, unknown>;
  readonly tensors?: Record<string, { dtype: string; shape: number[]; bytes: Uint8Array }>;
  readonly tokenizer?: unknown;
  /** Rows of the embedding, in place of the fixture's 260; `config` has to agree. */
  readonly vocab?: number;
}

export async function writeHf(directory: string, weights: Weights, changes: Changes = {}): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { dim, hidden, layers, heads, kv, headDim } = SHAPE;
  const vocab = changes.vocab ?? SHAPE.vocab;
  const tensors: NonNullable<Changes["tensors"]> = {};
  const random = seeded(3);
  const floats = (shape: number[], value: (i: number) => number) => ({
    dtype: "F32",
    shape,
    bytes: new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i)).buffer),
  });
  let index = 0;
  const linear = (name: string, rows: number, cols: number) => {
    const scale = tensorScale(index++);
    if (weights === "ternary floats") {
      tensors[`${name}.weight`] = floats([rows, cols], (i) => trit(Math.floor(i / cols), i % cols) * scale);
    } else if (weights === "latent") {
      // 0.6 to 1.4 of the scale where there is a trit, up to 0.3 where there is none: the mean is about 0.77 of the scale.
      tensors[`${name}.weight`] = floats([rows, cols], (i) => {
        const t = trit(Math.floor(i / cols), i % cols);
        return scale * (t === 0 ? 0.6 * (random() - 0.5) : t * (0.6 + 0.8 * random()));
      });
    } else {
      const quarter = rows / 4;
      const packed = new Uint8Array(quarter * cols);
      for (let row = 0; row < rows; row++)
        for (let col = 0; col < cols; col++)
          packed[(row % quarter) * cols + col] |= (trit(row, col) + 1) << (2 * Math.floor(row / quarter));
      tensors[`${name}.weight`] = { dtype: "U8", shape: [quarter, cols], bytes: packed };
      tensors[`${name}.weight_scale`] = floats([1], () => (weights === "multiply" ? scale : 1 / scale));
    }
  };
  const norm = (name: string, length: number) => {
    tensors[`${name}.weight`] = floats([length], (i) => 1 + 0.01 * i);
  };
  tensors["model.embed_tokens.weight"] = floats([vocab, dim], () => random() * 2 - 1);
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    norm(`${at}.input_layernorm`, dim);
    linear(`${at}.self_attn.q_proj`, heads * headDim, dim);
    linear(`${at}.self_attn.k_proj`, kv * headDim, dim);
    linear(`${at}.self_attn.v_proj`, kv * headDim, dim);
    norm(`${at}.self_attn.attn_sub_norm`, heads * headDim);
    linear(`${at}.self_attn.o_proj`, dim, heads * headDim);
    norm(`${at}.post_attention_layernorm`, dim);
    linear(`${at}.mlp.gate_proj`, hidden, dim);
    linear(`${at}.mlp.up_proj`, hidden, dim);
    norm(`${at}.mlp.ffn_sub_norm`, hidden);
    linear(`${at}.mlp.down_proj`, dim, hidden);
  }
  norm("model.norm", dim);
  const quantization = { quant_method: "bitnet", ...(weights === "multiply" ? { linear_class: "autobitlinear" } : {}) };
  const config = {
    model_type: "bitnet",
    hidden_size: dim,
    intermediate_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kv,
    head_dim: headDim,
    hidden_act: "relu2",
    max_position_embeddings: 64,
    vocab_size: vocab,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    bos_token_id: 258,
    eos_token_id: [259, 257],
    quantization_config: quantization,
    ...changes.config,
  };
  await writeFile(join(directory, "config.json"), JSON.stringify(config));
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(changes.tokenizer ?? byteTokenizer()));
  await writeFile(join(directory, "model.safetensors"), safetensors({ ...tensors, ...changes.tensors }));
}

function safetensors(tensors: NonNullable<Changes["tensors"]>): Uint8Array {
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

/** GPT-2's character of each byte. */
export function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++),
  );
}

/** 256 bytes, the merges "he" and " the"'s first half, two specials. */
export function byteTokenizer(): Record<string, unknown> {
  const characters = byteCharacters();
  const special = (id: number, content: string) => ({ id, content, special: true });
  return {
    added_tokens: [special(258, "<|bos|>"), special(259, "<|eos|>")],
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PRE_BYTES_REGEX }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    model: {
      type: "BPE",
      vocab: Object.fromEntries([...characters, "he", "\u0120t"].map((text, id) => [text, id])),
      merges: ["h e", ["\u0120", "t"]],
    },
  };
}
