/**
 * A synthetic model as GGUF 3, architecture `bitnet`: ternary matrices in TQ2_0, the tied embedding in Q8_0, norms in F32. Formats: ggml's docs/gguf.md, and
 * ggml-common.h for the blocks:
 *
 *     TQ2_0   256 weights: 64 bytes, then the scale as binary16. Bits 2l, 2l+1 of byte 32j+m are trit + 1 of weight 128j + 32l + m
 *     Q8_0    32 weights: the scale as binary16, then 32 int8
 */

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
import { floatToHalf } from "./half.ts";
import { configOf, type SyntheticShape, shapeName } from "./shape.ts";
import { syntheticTokenizer, tokenizerTexts } from "./tokenizer.ts";
import {
  CODE_DIGITS,
  codesPerRow,
  EMBED_STEP,
  embedRow,
  gains,
  linearScale,
  rowCodes,
  TRITS_PER_CODE,
} from "./weights.ts";

export type Progress = (doneBytes: number, totalBytes: number) => void;

/** llama.cpp's names (gguf-py, tensor_mapping.py), N the layer. */
const NAMES = new Map([
  [KIND_EMBED, "token_embd"],
  [KIND_ATTN_NORM, "blk.N.attn_norm"],
  [KIND_ATTN_Q, "blk.N.attn_q"],
  [KIND_ATTN_K, "blk.N.attn_k"],
  [KIND_ATTN_V, "blk.N.attn_v"],
  [KIND_ATTN_SUB_NORM, "blk.N.attn_sub_norm"],
  [KIND_ATTN_O, "blk.N.attn_output"],
  [KIND_FFN_NORM, "blk.N.ffn_norm"],
  [KIND_FFN_GATE, "blk.N.ffn_gate"],
  [KIND_FFN_UP, "blk.N.ffn_up"],
  [KIND_FFN_SUB_NORM, "blk.N.ffn_sub_norm"],
  [KIND_FFN_DOWN, "blk.N.ffn_down"],
  [KIND_FINAL_NORM, "output_norm"],
]);

/** Type ids, and bytes of a block with its weights. */
const F32 = { id: 0, bytes: 4, weights: 1 };
const Q8_0 = { id: 8, bytes: 34, weights: 32 };
const TQ2_0 = { id: 35, bytes: 66, weights: 256 };
const FTYPE_TQ2_0 = 37;
const ALIGN = 32;
/** Types of metadata values. */
const [U32, I32, FLOAT, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9];
const TOKEN_NORMAL = 1;
const TOKEN_CONTROL = 3;

/** @throws RangeError for rows that are no multiple of TQ2_0's blocks */
export async function writeGguf(
  shape: SyntheticShape,
  path: string,
  onProgress: Progress = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const slots = tensorSlots(configOf(shape));
  const uneven = slots.find(({ role, cols }) => role === "linear" && cols % TQ2_0.weights !== 0);
  if (uneven) throw new RangeError(`TQ2_0 takes rows of a multiple of ${TQ2_0.weights} weights, not ${uneven.cols}`);
  const header = headerBytes(shape, slots);
  const total = slots.reduce((sum, slot) => sum + padded(tensorBytes(slot)), padded(header.length));
  await StreamFile.write(
    path,
    async (file) => {
      await file.append(header);
      await file.align(ALIGN);
      for (const slot of slots) {
        onProgress(file.bytes, total);
        if (slot.role === "linear") await writeTernary(file, shape.seed, slot);
        else if (slot.role === "rows") await writeEmbedding(file, shape.seed, slot);
        else await file.append(new Uint8Array(gains(shape.seed, slot.kind, slot.layer, slot.cols).buffer));
        await file.align(ALIGN);
      }
      onProgress(total, total);
    },
    signal,
  );
}

async function writeTernary(file: StreamFile, seed: number, { kind, layer, rows, cols }: TensorSlot): Promise<void> {
  const codes = new Uint8Array(codesPerRow(cols));
  const digits = new Uint8Array(codes.length * TRITS_PER_CODE);
  const scale = floatToHalf(linearScale(cols));
  for (let row = 0; row < rows; row++) {
    rowCodes(seed, kind, layer, row, codes);
    for (let i = 0, at = 0; i < codes.length; i++) {
      const from = codes[i] * TRITS_PER_CODE;
      digits[at++] = CODE_DIGITS[from];
      digits[at++] = CODE_DIGITS[from + 1];
      digits[at++] = CODE_DIGITS[from + 2];
      digits[at++] = CODE_DIGITS[from + 3];
      digits[at++] = CODE_DIGITS[from + 4];
    }
    const out = await file.room((cols / TQ2_0.weights) * TQ2_0.bytes);
    for (let col = 0, at = 0; col < cols; col += TQ2_0.weights) {
      for (let half = col; half < col + TQ2_0.weights; half += 128)
        for (let m = half; m < half + 32; m++)
          out[at++] = digits[m] | (digits[m + 32] << 2) | (digits[m + 64] << 4) | (digits[m + 96] << 6);
      out[at++] = scale & 255;
      out[at++] = scale >> 8;
    }
  }
}

async function writeEmbedding(file: StreamFile, seed: number, { kind, rows, cols }: TensorSlot): Promise<void> {
  const scale = floatToHalf(EMBED_STEP);
  const values = new Int8Array(cols);
  for (let row = 0; row < rows; row++) {
    embedRow(seed, kind, row, values);
    const out = await file.room((cols / Q8_0.weights) * Q8_0.bytes);
    for (let col = 0, at = 0; col < cols; col += Q8_0.weights) {
      out[at++] = scale & 255;
      out[at++] = scale >> 8;
      for (let i = 0; i < Q8_0.weights; i++) out[at++] = values[col + i];
    }
  }
}

function typeOf({ role }: TensorSlot): { id: number; bytes: number; weights: number } {
  if (role === "linear") return TQ2_0;
  return role === "rows" ? Q8_0 : F32;
}

function tensorBytes(slot: TensorSlot): number {
  const type = typeOf(slot);
  return ((slot.rows * slot.cols) / type.weights) * type.bytes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

/** Magic, version, counts, metadata, tensor infos. */
function headerBytes(shape: SyntheticShape, slots: readonly TensorSlot[]): Uint8Array {
  const config = configOf(shape);
  const tokenizer = syntheticTokenizer(shape);
  const { tokens, merges, isSpecial } = tokenizerTexts(tokenizer);
  const types = tokens.map((_, id) => (isSpecial(id) ? TOKEN_CONTROL : TOKEN_NORMAL));
  const metadata: [string, number, unknown][] = [
    ["general.architecture", STRING, "bitnet"],
    ["general.name", STRING, shapeName(shape)],
    ["general.file_type", U32, FTYPE_TQ2_0],
    ["general.quantization_version", U32, 2],
    ["bitnet.block_count", U32, config.nLayers],
    ["bitnet.context_length", U32, config.seqLen],
    ["bitnet.embedding_length", U32, config.dim],
    ["bitnet.feed_forward_length", U32, config.hiddenDim],
    ["bitnet.attention.head_count", U32, config.nHeads],
    ["bitnet.attention.head_count_kv", U32, config.nKvHeads],
    ["bitnet.attention.layer_norm_rms_epsilon", FLOAT, config.normEps],
    ["bitnet.rope.dimension_count", U32, config.headDim],
    ["bitnet.rope.freq_base", FLOAT, config.ropeTheta],
    ["bitnet.vocab_size", U32, config.vocabSize],
    ["tokenizer.ggml.model", STRING, "gpt2"],
    ["tokenizer.ggml.pre", STRING, "llama-bpe"],
    ["tokenizer.ggml.tokens", ARRAY, { type: STRING, values: tokens }],
    ["tokenizer.ggml.token_type", ARRAY, { type: I32, values: types }],
    ["tokenizer.ggml.merges", ARRAY, { type: STRING, values: merges }],
    ["tokenizer.ggml.bos_token_id", U32, config.bos],
    ["tokenizer.ggml.eos_token_id", U32, config.eos],
    ["tokenizer.ggml.add_bos_token", BOOL, config.addBos],
  ];
  const out = new Bytes();
  out.text("GGUF");
  out.u32(3);
  out.u64(slots.length);
  out.u64(metadata.length);
  for (const [key, type, value] of metadata) {
    out.string(key);
    out.u32(type);
    out.value(type, value);
  }
  let offset = 0;
  for (const slot of slots) {
    out.string(`${NAMES.get(slot.kind)?.replace("N", String(slot.layer))}.weight`);
    const dimensions = slot.role === "gain" ? [slot.cols] : [slot.cols, slot.rows];
    out.u32(dimensions.length);
    for (const dimension of dimensions) out.u64(dimension);
    out.u32(typeOf(slot).id);
    out.u64(offset);
    offset += padded(tensorBytes(slot));
  }
  return out.whole();
}

/** Little-endian bytes that grow. */
class Bytes {
  readonly #parts: Buffer[] = [];

  text(text: string): void {
    this.#parts.push(Buffer.from(text, "utf8"));
  }

  string(text: string): void {
    this.u64(Buffer.byteLength(text));
    this.text(text);
  }

  u32(value: number): void {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.#parts.push(part);
  }

  u64(value: number): void {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    this.#parts.push(part);
  }

  value(type: number, value: unknown): void {
    if (type === STRING) this.string(String(value));
    else if (type === BOOL) this.#parts.push(Buffer.of(value === true ? 1 : 0));
    else if (type === FLOAT) this.#parts.push(Buffer.from(Float32Array.of(Number(value)).buffer));
    else if (type === ARRAY) {
      const array = value as { type: number; values: readonly unknown[] };
      this.u32(array.type);
      this.u64(array.values.length);
      for (const each of array.values) this.value(array.type, each);
    } else this.u32(Number(value));
  }

  whole(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
