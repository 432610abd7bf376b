/** The tiny model of gguf_model.ts as a Hugging Face directory, so that two importers can be held to one image. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TYPE_F32 } from "../convert/gguf/types.ts";
import { encodeFloats } from "./gguf_encode.ts";
import { LINEARS, MERGES, NORMS, PIECES, SHAPE, type Tiny, TOKENS } from "./gguf_model.ts";

const { dim, hidden, heads, kv, headDim } = SHAPE;

/** @param bytes the byte-level tokenizer, else SentencePiece */
export async function writeTinyHf(directory: string, model: Tiny, bytes: boolean): Promise<void> {
  await mkdir(directory, { recursive: true });
  const entries: [name: string, dtype: string, shape: number[], bytes: Uint8Array][] = [];
  const floats = (name: string, shape: number[], values: Float32Array) =>
    entries.push([`${name}.weight`, "F32", shape, encodeFloats(TYPE_F32, values)]);
  floats("model.embed_tokens", [SHAPE.vocab, dim], model.embed);
  floats("model.norm", [dim], model.finalNorm);
  if (!model.tied) floats("lm_head", [SHAPE.vocab, dim], model.head);
  for (const [key, { rows, cols, scale, trits }] of model.linears) {
    const [layer, name] = key.split(" ");
    const hf = `model.layers.${layer}.${LINEARS.find(([gguf]) => gguf === name)?.[1]}`;
    const quarter = (rows / 4) * cols;
    const packed = Uint8Array.from({ length: quarter }, (_, i) =>
      [0, 1, 2, 3].reduce((byte, part) => byte + (trits[part * quarter + i] + 1) * 4 ** part, 0),
    );
    entries.push([`${hf}.weight`, "U8", [rows / 4, cols], packed]);
    entries.push([`${hf}.weight_scale`, "F32", [1], encodeFloats(TYPE_F32, Float32Array.of(scale))]);
  }
  for (const [key, gains] of model.norms) {
    const [layer, name] = key.split(" ");
    floats(`model.layers.${layer}.${NORMS.find(([gguf]) => gguf === name)?.[1]}`, [gains.length], gains);
  }
  const config = {
    model_type: model.subNorm ? "bitnet" : "llama",
    hidden_size: dim,
    intermediate_size: hidden,
    num_hidden_layers: SHAPE.layers,
    num_attention_heads: heads,
    num_key_value_heads: kv,
    head_dim: headDim,
    hidden_act: model.activation,
    max_position_embeddings: SHAPE.context,
    vocab_size: SHAPE.vocab,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: model.tied,
    bos_token_id: bytes ? 258 : 1,
    eos_token_id: bytes ? 259 : 2,
    quantization_config: { quant_method: "bitnet", linear_class: "autobitlinear" },
  };
  await writeFile(join(directory, "config.json"), JSON.stringify(config));
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(bytes ? byteLevel() : sentencePiece()));
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [name, dtype, shape, bytes] of entries) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(json.length));
  await writeFile(
    join(directory, "model.safetensors"),
    Buffer.concat([start, json, ...entries.map(([, , , bytes]) => bytes)]),
  );
}

function special(id: number, content: string) {
  return { id, content, special: true };
}

function byteLevel() {
  return {
    added_tokens: [special(258, TOKENS[258]), special(259, TOKENS[259])],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(TOKENS.slice(0, 258).map((text, id) => [text, id])),
      merges: MERGES,
    },
  };
}

function sentencePiece() {
  const normalizers = [
    { type: "Prepend", prepend: "\u2581" },
    { type: "Replace", pattern: { String: " " }, content: "\u2581" },
  ];
  return {
    added_tokens: PIECES.slice(0, 3).map((text, id) => special(id, text)),
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: null,
    post_processor: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(PIECES.map((text, id) => [text, id])),
      merges: [],
    },
  };
}
