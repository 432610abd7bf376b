/**
 * A synthetic model as a Hugging Face directory of bf16 latent weights, as microsoft/bitnet-b1.58-2B-4T-bf16 is one: shards with an index, config.json, tokenizer.json.
 *
 * A latent weight is its trit times 1.25 scale and something: within +-0.3 scale for a zero, 1.0 to 1.5 times the scale for the others. Their mean is near the
 * scale, so absmean finds exactly the trits that were drawn, with a wide margin on both sides of its half.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TensorSlot, tensorSlots } from "../../../host/image/layout.ts";
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
} from "../../../spec/image.ts";
import { StreamFile } from "./file.ts";
import type { Progress } from "./gguf.ts";
import { floatToBfloat } from "./half.ts";
import { configOf, type SyntheticShape } from "./shape.ts";
import { syntheticTokenizer, tokenizerJson } from "./tokenizer.ts";
import {
  CODE_DIGITS,
  CODES,
  codesPerRow,
  EMBED_STEP,
  embedRow,
  gains,
  linearScale,
  Random,
  rowCodes,
  TRITS_PER_CODE,
} from "./weights.ts";

/** transformers' names, N the layer. */
const NAMES = new Map([
  [KIND_EMBED, "model.embed_tokens"],
  [KIND_ATTN_NORM, "model.layers.N.input_layernorm"],
  [KIND_ATTN_Q, "model.layers.N.self_attn.q_proj"],
  [KIND_ATTN_K, "model.layers.N.self_attn.k_proj"],
  [KIND_ATTN_V, "model.layers.N.self_attn.v_proj"],
  [KIND_ATTN_SUB_NORM, "model.layers.N.self_attn.attn_sub_norm"],
  [KIND_ATTN_O, "model.layers.N.self_attn.o_proj"],
  [KIND_FFN_NORM, "model.layers.N.post_attention_layernorm"],
  [KIND_FFN_GATE, "model.layers.N.mlp.gate_proj"],
  [KIND_FFN_UP, "model.layers.N.mlp.up_proj"],
  [KIND_FFN_SUB_NORM, "model.layers.N.mlp.ffn_sub_norm"],
  [KIND_FFN_DOWN, "model.layers.N.mlp.down_proj"],
  [KIND_FINAL_NORM, "model.norm"],
]);
const BF16_BYTES = 2;
/** Mean size of (0.3 uniform) and (1.0 .. 1.5) in shares 1/3 and 2/3, by which scales are divided so that the mean is the scale. */
const MEAN_SIZE = (0.15 + 2 * 1.25) / 3;
/** Ways in which the five weights of a code may deviate. */
const VARIANTS = 16;

export interface HfOptions {
  /** Bytes of a shard, about: a tensor is never cut. */
  readonly shardBytes?: number;
  readonly onProgress?: Progress;
  readonly signal?: AbortSignal;
}

/** The directory appears when it is whole. */
export async function writeHf(shape: SyntheticShape, directory: string, options: HfOptions = {}): Promise<void> {
  const { shardBytes = 2e9, onProgress = () => {}, signal } = options;
  const slots = tensorSlots(configOf(shape));
  const total = slots.reduce((sum, slot) => sum + bytesOf(slot), 0);
  const shards = cut(slots, shardBytes);
  const part = `${directory}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  try {
    await writeFile(join(part, "config.json"), configJson(shape));
    await writeFile(join(part, "tokenizer.json"), tokenizerJson(syntheticTokenizer(shape)));
    const map: Record<string, string> = {};
    let done = 0;
    for (const [i, shard] of shards.entries()) {
      const name =
        shards.length === 1 ? "model.safetensors" : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`;
      for (const slot of shard) map[nameOf(slot)] = name;
      await StreamFile.write(
        join(part, name),
        async (file) => {
          await file.append(shardHeader(shard));
          for (const slot of shard) {
            onProgress(done, total);
            await writeTensor(file, shape.seed, slot);
            done += bytesOf(slot);
          }
        },
        signal,
      );
    }
    if (shards.length > 1) {
      const index = { metadata: { total_size: total }, weight_map: map };
      await writeFile(join(part, "model.safetensors.index.json"), `${JSON.stringify(index, null, 2)}\n`);
    }
    await rm(directory, { recursive: true, force: true });
    await rename(part, directory);
    onProgress(total, total);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
}

function cut(slots: readonly TensorSlot[], shardBytes: number): TensorSlot[][] {
  const shards: TensorSlot[][] = [[]];
  let bytes = 0;
  for (const slot of slots) {
    if (bytes > 0 && bytes + bytesOf(slot) > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(slot);
    bytes += bytesOf(slot);
  }
  return shards;
}

function shardHeader(shard: readonly TensorSlot[]): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let offset = 0;
  for (const slot of shard) {
    const shape = slot.role === "gain" ? [slot.cols] : [slot.rows, slot.cols];
    entries[nameOf(slot)] = { dtype: "BF16", shape, data_offsets: [offset, offset + bytesOf(slot)] };
    offset += bytesOf(slot);
  }
  // Padded with spaces to a multiple of 8, as the reference implementation does.
  const json = JSON.stringify(entries);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8, " "));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

async function writeTensor(file: StreamFile, seed: number, slot: TensorSlot): Promise<void> {
  const { kind, layer, role, cols } = slot;
  if (role === "linear") return writeLatent(file, seed, slot);
  if (role === "gain")
    return file.append(new Uint8Array(Uint16Array.from(gains(seed, kind, layer, cols), floatToBfloat).buffer));
  const values = new Int8Array(cols);
  const halves = Uint16Array.from({ length: 256 }, (_, byte) => floatToBfloat(((byte << 24) >> 24) * EMBED_STEP));
  for (let row = 0; row < slot.rows; row++) {
    embedRow(seed, kind, row, values);
    const out = await file.room(cols * BF16_BYTES);
    for (let col = 0; col < cols; col++) put(out, col, halves[values[col] & 255]);
  }
}

async function writeLatent(file: StreamFile, seed: number, { kind, layer, rows, cols }: TensorSlot): Promise<void> {
  const table = latentTable(seed, linearScale(cols));
  const codes = new Uint8Array(codesPerRow(cols));
  const variants = new Uint8Array(codes.length);
  const random = new Random(seed, kind, layer, -1);
  for (let row = 0; row < rows; row++) {
    rowCodes(seed, kind, layer, row, codes);
    random.bytes(variants);
    const out = await file.room(cols * BF16_BYTES);
    for (let i = 0, col = 0; i < codes.length; i++) {
      let from = (codes[i] * VARIANTS + (variants[i] & (VARIANTS - 1))) * TRITS_PER_CODE;
      for (const end = Math.min(col + TRITS_PER_CODE, cols); col < end; col++) put(out, col, table[from++]);
    }
  }
}

/** (codes, variants, 5) latent weights as bf16. */
function latentTable(seed: number, scale: number): Uint16Array {
  const table = new Uint16Array(CODES * VARIANTS * TRITS_PER_CODE);
  const bytes = new Uint8Array(table.length);
  new Random(seed, cols32(scale)).bytes(bytes);
  for (let i = 0; i < table.length; i++) {
    const code = Math.floor(i / (VARIANTS * TRITS_PER_CODE));
    const trit = CODE_DIGITS[code * TRITS_PER_CODE + (i % TRITS_PER_CODE)] - 1;
    const share = bytes[i] / 255;
    const size = trit === 0 ? 0.3 * (2 * share - 1) : trit * (1 + 0.5 * share);
    table[i] = floatToBfloat((size * scale) / MEAN_SIZE);
  }
  return table;
}

function cols32(scale: number): number {
  return Math.round(scale * 2 ** 24);
}

function put(out: Uint8Array, index: number, half: number): void {
  out[2 * index] = half;
  out[2 * index + 1] = half >> 8;
}

function nameOf({ kind, layer }: TensorSlot): string {
  return `${NAMES.get(kind)?.replace("N", String(layer))}.weight`;
}

function bytesOf({ rows, cols }: TensorSlot): number {
  return rows * cols * BF16_BYTES;
}

function five(number: number): string {
  return String(number).padStart(5, "0");
}

/** As of microsoft/bitnet-b1.58-2B-4T-bf16 (from memory; its linear_class and quantization_mode stand in transformers' documentation of bitnet). */
function configJson(shape: SyntheticShape): string {
  const config = configOf(shape);
  const fields = {
    architectures: ["BitNetForCausalLM"],
    bos_token_id: config.bos,
    eos_token_id: config.eos,
    hidden_act: config.activation,
    hidden_size: config.dim,
    initializer_range: 0.02,
    intermediate_size: config.hiddenDim,
    max_position_embeddings: config.seqLen,
    model_type: "bitnet",
    num_attention_heads: config.nHeads,
    num_hidden_layers: config.nLayers,
    num_key_value_heads: config.nKvHeads,
    quantization_config: { linear_class: "autobitlinear", quant_method: "bitnet", quantization_mode: "online" },
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: true,
    torch_dtype: "bfloat16",
    use_cache: true,
    vocab_size: config.vocabSize,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}
