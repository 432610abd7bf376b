/** Which tensors a model has, in the order in which a forward pass reads them: one list for reader, writer and description. */
import {
  KIND_ASSISTANT,
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
  KIND_TOOLS,
} from "../../spec/image.ts";

/** linear: a ternary BitLinear. rows: embedding or head, one scale a row. router: int8 rows, one scale a row. gain: an int16 vector. */
export type TensorRole = "linear" | "rows" | "router" | "gain";

export interface TensorSlot {
  readonly kind: number;
  readonly layer: number;
  /** Of a tensor that every expert has; null for all others, which count as expert 0 in the section table. */
  readonly expert: number | null;
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
  /** 0, or absent: dense. */
  readonly nExperts?: number;
}

const NAMES = new Map([
  [KIND_CONFIG, "config"],
  [KIND_TOKENIZER, "tokenizer"],
  [KIND_TABLES, "tables"],
  [KIND_CHAT, "chat"],
  [KIND_META, "meta"],
  [KIND_ASSISTANT, "assistant"],
  [KIND_TOOLS, "tools"],
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

/** "embed", "layer 3 attn_q", "layer 3 expert 5 ffn_up"; "kind 40000" for one that is not ours. */
export function sectionName(kind: number, layer: number, expert: number | null = null): string {
  const name = NAMES.get(kind) ?? `kind ${kind}`;
  const within = expert === null ? name : `expert ${expert} ${name}`;
  return kind >= KIND_ATTN_NORM && kind <= KIND_ROUTER ? `layer ${layer} ${within}` : name;
}

export function tensorSlots(shape: Shape): TensorSlot[] {
  return [...eachSlot(shape)];
}

/** One after the other: a configuration that nobody has compared with the tensors yet may ask for a million. */
export function* eachSlot(shape: Shape): Generator<TensorSlot, void> {
  const { dim, hiddenDim, vocabSize, nExperts = 0 } = shape;
  const queries = shape.nHeads * shape.headDim;
  const keys = shape.nKvHeads * shape.headDim;
  const slot = (role: TensorRole, kind: number, layer: number, rows: number, cols: number): TensorSlot => ({
    ...{ kind, layer, expert: null, role, rows, cols },
  });
  const gain = (kind: number, layer: number, cols: number) => slot("gain", kind, layer, 1, cols);
  const linear = (kind: number, layer: number, rows: number, cols: number) => slot("linear", kind, layer, rows, cols);
  const feedForward = (layer: number): TensorSlot[] => [
    linear(KIND_FFN_GATE, layer, hiddenDim, dim),
    linear(KIND_FFN_UP, layer, hiddenDim, dim),
    ...(shape.subNorm ? [gain(KIND_FFN_SUB_NORM, layer, hiddenDim)] : []),
    linear(KIND_FFN_DOWN, layer, dim, hiddenDim),
  ];
  yield slot("rows", KIND_EMBED, 0, vocabSize, dim);
  for (let layer = 0; layer < shape.nLayers; layer++) {
    yield gain(KIND_ATTN_NORM, layer, dim);
    yield linear(KIND_ATTN_Q, layer, queries, dim);
    yield linear(KIND_ATTN_K, layer, keys, dim);
    yield linear(KIND_ATTN_V, layer, keys, dim);
    if (shape.subNorm) yield gain(KIND_ATTN_SUB_NORM, layer, queries);
    yield linear(KIND_ATTN_O, layer, dim, queries);
    yield gain(KIND_FFN_NORM, layer, dim);
    if (nExperts === 0) yield* feedForward(layer);
    else yield slot("router", KIND_ROUTER, layer, nExperts, dim);
    for (let expert = 0; expert < nExperts; expert++) for (const part of feedForward(layer)) yield { ...part, expert };
  }
  yield gain(KIND_FINAL_NORM, 0, dim);
  if (!shape.tied) yield slot("rows", KIND_HEAD, 0, vocabSize, dim);
}
