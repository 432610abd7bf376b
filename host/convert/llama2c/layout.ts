/**
 * The file of karpathy/llama2.c (export.py): header, then one tensor after the other for all layers.
 *
 *     v0   i32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, +-vocab_size, seq_len                negative vocab_size: the head is a tensor of its own
 *          embed | attn_norm | wq | wk | wv | wo | ffn_norm | w1 | w2 | w3 | final_norm | 2 x (seq_len, head_dim / 2) of RoPE | head          float32
 *     v1   u32 "ak42", i32 1, the seven, u8 head shared, zeros to 256
 *          attn_norm | ffn_norm | final_norm | embed | wq | wk | wv | wo | w1 | w2 | w3 | head                                                float32
 *     v2   likewise with i32 2, and i32 group size behind the u8
 *          attn_norm | ffn_norm | final_norm   float32 | embed | wq ... | head   int8 | a float32 for each group of them, in the same order
 *
 * w1 is gate, w2 down, w3 up. Groups of v2 run through a tensor row after row.
 */
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
} from "../../../spec/image.ts";
import { TritkitError } from "../../errors.ts";
import { type TensorSlot, tensorSlots } from "../../image/layout.ts";

export const LLAMA2C_MAGIC = 0x616b3432;
/** Bytes that hold any of the headers. */
export const LLAMA2C_HEADER_BYTES = 256;
const LEGACY_HEADER_BYTES = 28;
const FLOAT_BYTES = 4;

export interface Llama2cShape {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly seqLen: number;
  readonly tied: boolean;
}

export interface Llama2cHeader {
  readonly version: 0 | 1 | 2;
  readonly shape: Llama2cShape;
  /** Weights that share a scale (v2), 0: float32. */
  readonly groupSize: number;
}

export interface Llama2cTensor {
  readonly rows: number;
  readonly cols: number;
  readonly offset: number;
  /** Of its float32 scales, one for each group; 0 for a tensor of float32. */
  readonly scales: number;
}

/**
 * @param start the first bytes of the file, at most LLAMA2C_HEADER_BYTES
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function readLlama2cHeader(name: string, start: Uint8Array): Llama2cHeader {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  if (start.length < LEGACY_HEADER_BYTES) throw bad(name, `has ${start.length} bytes, less than a header`);
  if (view.getUint32(0, true) !== LLAMA2C_MAGIC) {
    const vocab = view.getInt32(20, true);
    return { version: 0, shape: readShape(name, view, 0, vocab > 0), groupSize: 0 };
  }
  if (start.length < LLAMA2C_HEADER_BYTES) throw bad(name, `has ${start.length} bytes, less than a header`);
  const version = view.getInt32(4, true);
  if (version !== 1 && version !== 2)
    throw new TritkitError(
      "E_UNSUPPORTED",
      `${name} is a llama2.c file of version ${version}.`,
      "tritkit reads versions 0, 1 and 2.",
    );
  const shared = start[36];
  if (shared > 1) throw bad(name, `has ${shared} where it says whether the head is shared`);
  const groupSize = version === 2 ? view.getInt32(37, true) : 0;
  const shape = readShape(name, view, 8, shared === 1);
  // export.py halves 64 until the rows of dim are made of groups; those of w2, hidden_dim long, may not be (stories42M: 1376).
  if (version === 2 && (groupSize < 1 || shape.dim % groupSize !== 0))
    throw bad(name, `has groups of ${groupSize} weights, which rows of ${shape.dim} are not made of`);
  return { version, shape, groupSize };
}

/** Key: kind and layer, as tensorKey makes it. */
export function layOut(header: Llama2cHeader): { tensors: ReadonlyMap<string, Llama2cTensor>; bytes: number } {
  const { shape, version, groupSize } = header;
  const slots = tensorSlots({ ...shape, subNorm: false });
  const of = (kind: number) => slots.filter((slot) => slot.kind === kind);
  const tensors = new Map<string, Llama2cTensor>();
  let at = version === 0 ? LEGACY_HEADER_BYTES : LLAMA2C_HEADER_BYTES;
  const put = ({ kind, layer, rows, cols }: TensorSlot, bytes: number) => {
    tensors.set(tensorKey(kind, layer), { rows, cols, offset: at, scales: 0 });
    at += rows * cols * bytes;
  };
  if (version === 0) {
    for (const kind of LEGACY_ORDER) for (const slot of of(kind)) put(slot, FLOAT_BYTES);
    at += shape.seqLen * shape.headDim * FLOAT_BYTES;
    for (const slot of of(KIND_HEAD)) put(slot, FLOAT_BYTES);
    return { tensors, bytes: at };
  }
  for (const kind of [KIND_ATTN_NORM, KIND_FFN_NORM, KIND_FINAL_NORM])
    for (const slot of of(kind)) put(slot, FLOAT_BYTES);
  const matrices = [KIND_EMBED, ...LINEARS, KIND_HEAD].flatMap(of);
  for (const slot of matrices) put(slot, version === 1 ? FLOAT_BYTES : 1);
  if (version === 2)
    for (const { kind, layer, rows, cols } of matrices) {
      const key = tensorKey(kind, layer);
      tensors.set(key, { ...(tensors.get(key) as Llama2cTensor), scales: at });
      at += ((rows * cols) / groupSize) * FLOAT_BYTES;
    }
  return { tensors, bytes: at };
}

export function tensorKey(kind: number, layer: number): string {
  return `${kind} ${layer}`;
}

const LINEARS = [KIND_ATTN_Q, KIND_ATTN_K, KIND_ATTN_V, KIND_ATTN_O, KIND_FFN_GATE, KIND_FFN_DOWN, KIND_FFN_UP];
const LEGACY_ORDER = [
  KIND_EMBED,
  KIND_ATTN_NORM,
  ...LINEARS.slice(0, 4),
  KIND_FFN_NORM,
  ...LINEARS.slice(4),
  KIND_FINAL_NORM,
];

function readShape(name: string, view: DataView, at: number, tied: boolean): Llama2cShape {
  const [dim, hiddenDim, nLayers, nHeads, nKvHeads, vocab, seqLen] = Array.from({ length: 7 }, (_, i) =>
    view.getInt32(at + i * 4, true),
  );
  const vocabSize = at === 0 ? Math.abs(vocab) : vocab;
  for (const [field, value] of Object.entries({
    dim,
    hidden_dim: hiddenDim,
    n_layers: nLayers,
    n_heads: nHeads,
    n_kv_heads: nKvHeads,
    vocab_size: vocabSize,
    seq_len: seqLen,
  }))
    if (value < 1) throw bad(name, `is no llama2.c model: its header has ${field} = ${value}`);
  if (dim % nHeads !== 0) throw bad(name, `is no llama2.c model: dim ${dim} does not divide into ${nHeads} heads`);
  return { dim, hiddenDim, nLayers, nHeads, nKvHeads, headDim: dim / nHeads, vocabSize, seqLen, tied };
}

function bad(name: string, what: string): TritkitError {
  return new TritkitError("E_SOURCE_FORMAT", `${name} ${what}.`, "Download the model again.");
}
