/**
 * Where the weights of the open model lie. A tensor is named by its entry in the image's section table, which stays in flash; only two
 * words of each are held in SRAM.
 */
import {
  KIND_ATTN_NORM,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_ROUTER,
  SEC_COLS,
  SEC_PACKING,
  SEC_ROWS,
  SEC_SCALE_EXP,
  SEC_SCALE_KIND,
  SEC_SCALE_MANT,
  SEC_SCALES,
} from "../../spec/image.ts";
import { config } from "./config.ts";
import { Scale } from "./numeric.ts";

@unmanaged
export class Tensor {
  /** Address of the entry in the section table; 0: no such tensor. */
  entry: usize;
  /** Address of the packed weights, or of what the SIMD engine made of them. */
  data: usize;
}

/** Tensors of each expert: kinds FFN_GATE..FFN_DOWN. */
const EXPERT_TENSORS = KIND_FFN_DOWN - KIND_FFN_GATE + 1;
/** Tensors of a dense layer: kinds ATTN_NORM..FFN_DOWN, in the order of their numbers. */
const DENSE_TENSORS = KIND_FFN_DOWN - KIND_ATTN_NORM + 1;

@unmanaged
export class Weights {
  /** First byte of the image; 0: no model is open. */
  image: usize;
  bytes: u32;
  tokenizer: usize;
  tokenizer_bytes: u32;
  /** Template of a turn; 0: none. */
  chat: usize;
  chat_bytes: u32;
  /** Of an assistant, and its table of tools (spec/TOOLS.md); 0: none. */
  assistant: usize;
  assistant_bytes: u32;
  tools: usize;
  tools_bytes: u32;
  tables: usize;
  /** (n_layers, layer_tensors()) Tensors, in the arena. */
  layers: usize;
}

export const weights = changetype<Weights>(memory.data(offsetof<Weights>(), 8));
export const embed = changetype<Tensor>(memory.data(offsetof<Tensor>(), 8));
export const final_norm = changetype<Tensor>(memory.data(offsetof<Tensor>(), 8));
/** The embedding's entry when tied; its data may be a repacked copy. */
export const head = changetype<Tensor>(memory.data(offsetof<Tensor>(), 8));

/** Places for tensors in a layer. Kinds ATTN_NORM..FFN_DOWN come first; with experts FFN_GATE..FFN_DOWN of each further one follow, then ROUTER. */
export function layer_tensors(): i32 {
  const n = config.n_experts;
  return n == 0 ? DENSE_TENSORS : DENSE_TENSORS + (n - 1) * EXPERT_TENSORS + 1;
}

/** Place i of layer_tensors() of a layer; whether a tensor is there, its entry tells. */
@inline
export function tensor_at(layer: i32, i: i32): Tensor {
  return changetype<Tensor>(weights.layers + <usize>(layer * layer_tensors() + i) * offsetof<Tensor>());
}

/** The tensor of a kind ATTN_NORM..FFN_DOWN in a layer; of FFN_GATE..FFN_DOWN the first expert's. */
export function layer_tensor(layer: i32, kind: i32): Tensor {
  return tensor_at(layer, kind - KIND_ATTN_NORM);
}

/** A kind FFN_GATE..FFN_DOWN of an expert; the layer's own is expert 0. */
export function expert_tensor(layer: i32, kind: i32, expert: i32): Tensor {
  return tensor_at(layer, kind - KIND_ATTN_NORM + expert * EXPERT_TENSORS);
}

/** In models with experts. */
export function router(layer: i32): Tensor {
  return expert_tensor(layer, KIND_ROUTER, config.n_experts - 1);
}

@inline
export function rows_of(t: Tensor): i32 {
  return load<i32>(t.entry, SEC_ROWS);
}

@inline
export function cols_of(t: Tensor): i32 {
  return load<i32>(t.entry, SEC_COLS);
}

@inline
export function packing_of(t: Tensor): i32 {
  return load<u8>(t.entry, SEC_PACKING);
}

@inline
export function scale_kind_of(t: Tensor): i32 {
  return load<u8>(t.entry, SEC_SCALE_KIND);
}

/** The tensor's scale; for gains and row scales only its exponent means something. */
@inline
export function scale_word(t: Tensor): Scale {
  return load<u32>(t.entry, SEC_SCALE_MANT);
}

/** gain_exp of gains, the largest row exponent of row scales. */
@inline
export function exponent_of(t: Tensor): i32 {
  return load<i16>(t.entry, SEC_SCALE_EXP);
}

/** Address of the row scales: a Scale each. */
@inline
export function row_scales(t: Tensor): usize {
  return weights.image + <usize>load<u32>(t.entry, SEC_SCALES);
}
