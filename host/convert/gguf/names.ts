/** Names of tensors in GGUF files (ggml-org/llama.cpp, gguf-py/gguf/constants.py, TENSOR_NAMES; microsoft/BitNet uses the same). */
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
  KIND_HEAD,
  KIND_ROUTER,
} from "../../../spec/image.ts";

const LAYER_NAMES: ReadonlyMap<number, string> = new Map([
  [KIND_ATTN_NORM, "attn_norm"],
  [KIND_ATTN_Q, "attn_q"],
  [KIND_ATTN_K, "attn_k"],
  [KIND_ATTN_V, "attn_v"],
  [KIND_ATTN_SUB_NORM, "attn_sub_norm"],
  [KIND_ATTN_O, "attn_output"],
  [KIND_FFN_NORM, "ffn_norm"],
  [KIND_FFN_GATE, "ffn_gate"],
  [KIND_FFN_UP, "ffn_up"],
  [KIND_FFN_SUB_NORM, "ffn_sub_norm"],
  [KIND_FFN_DOWN, "ffn_down"],
  [KIND_ROUTER, "ffn_gate_inp"],
]);
const GLOBAL_NAMES: ReadonlyMap<number, string> = new Map([
  [KIND_EMBED, "token_embd"],
  [KIND_FINAL_NORM, "output_norm"],
  [KIND_HEAD, "output"],
]);

export const EMBED_NAME = "token_embd.weight";
export const HEAD_NAME = "output.weight";
export const ROPE_FREQS_NAME = "rope_freqs.weight";

/** "blk.3.attn_q" of KIND_ATTN_Q and layer 3; with experts "blk.3.ffn_up_exps", which holds all of a layer. */
export function tensorBase(kind: number, layer: number, experts = false): string {
  const name = GLOBAL_NAMES.get(kind);
  if (name !== undefined) return name;
  const ofExperts = experts && (kind === KIND_FFN_GATE || kind === KIND_FFN_UP || kind === KIND_FFN_DOWN);
  return `blk.${layer}.${LAYER_NAMES.get(kind)}${ofExperts ? "_exps" : ""}`;
}

/** Optional factor of a linear layer's weights, one number: llama.cpp multiplies the product with it. */
export function scaleName(base: string): string {
  return `${base}.scale`;
}
