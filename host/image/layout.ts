/** Which tensors a model has, in the order in which a forward pass reads them: one list for reader, writer and description. */
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_CHAT,
  KIND_CONFIG,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
  KIND_META,
  KIND_ROUTER,
  KIND_TABLES,
  KIND_TOKENIZER,
} from "../../spec/image.ts";

/** linear: a ternary BitLinear. rows: embedding or head, one scale a row. gain: an int16 vector. */
export type TensorRole = "linear" | "rows" | "gain";

export interface TensorSlot {
  readonly kind: number;
  readonly layer: number;
  readonly role: TensorRole;
  readonly rows: number;
  readonly cols: number;
}

export interface Shape {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly subNorm: boolean;
  readonly tied: boolean;
}

const NAMES = new Map([
  [KIND_CONFIG, "config"],
  [KIND_TOKENIZER, "tokenizer"],
  [KIND_TABLES, "tables"],
  [KIND_CHAT, "chat"],
  [KIND_META, "meta"],
  [KIND_EMBED, "embed"],
  [KIND_HEAD, "head"],
  [KIND_FINAL_NORM, "final_norm"],
  [KIND_ATTN_NORM, "attn_norm"],
  [KIND_ATTN_Q, "attn_q"],
  [KIND_ATTN_K, "attn_k"],
  [KIND_ATTN_V, "attn_v"],
  [KIND_ATTN_SUB_NORM, "attn_sub_norm"],
  [KIND_ATTN_O, "attn_o"],
  [KIND_FFN_NORM, "ffn_norm"],
  [KIND_FFN_GATE, "ffn_gate"],
  [KIND_FFN_UP, "ffn_up"],
  [KIND_FFN_SUB_NORM, "ffn_sub_norm"],
  [KIND_FFN_DOWN, "ffn_down"],
  [KIND_ROUTER, "router"],
]);

export function isKnownKind(kind: number): boolean {
  return NAMES.has(kind);
}

/** "embed", "layer 3 attn_q"; "kind 40000" for one that is not ours. */
export function sectionName(kind: number, layer: number): string {
  const name = NAMES.get(kind) ?? `kind ${kind}`;
  return kind >= KIND_ATTN_NORM && kind <= KIND_ROUTER ? `layer ${layer} ${name}` : name;
}

export function tensorSlots(shape: Shape): TensorSlot[] {
  const { dim, hiddenDim, vocabSize } = shape;
  const queries = shape.nHeads * shape.headDim;
  const keys = shape.nKvHeads * shape.headDim;
  const gain = (kind: number, layer: number, cols: number): TensorSlot => ({
    kind,
    layer,
    role: "gain",
    rows: 1,
    cols,
  });
  const linear = (kind: number, layer: number, rows: number, cols: number): TensorSlot => ({
    kind,
    layer,
    role: "linear",
    rows,
    cols,
  });
  const slots: TensorSlot[] = [{ kind: KIND_EMBED, layer: 0, role: "rows", rows: vocabSize, cols: dim }];
  for (let layer = 0; layer < shape.nLayers; layer++) {
    slots.push(
      gain(KIND_ATTN_NORM, layer, dim),
      linear(KIND_ATTN_Q, layer, queries, dim),
      linear(KIND_ATTN_K, layer, keys, dim),
      linear(KIND_ATTN_V, layer, keys, dim),
    );
    if (shape.subNorm) slots.push(gain(KIND_ATTN_SUB_NORM, layer, queries));
    slots.push(
      linear(KIND_ATTN_O, layer, dim, queries),
      gain(KIND_FFN_NORM, layer, dim),
      linear(KIND_FFN_GATE, layer, hiddenDim, dim),
      linear(KIND_FFN_UP, layer, hiddenDim, dim),
    );
    if (shape.subNorm) slots.push(gain(KIND_FFN_SUB_NORM, layer, hiddenDim));
    slots.push(linear(KIND_FFN_DOWN, layer, dim, hiddenDim));
  }
  slots.push(gain(KIND_FINAL_NORM, 0, dim));
  if (!shape.tied) slots.push({ kind: KIND_HEAD, layer: 0, role: "rows", rows: vocabSize, cols: dim });
  return slots;
}
