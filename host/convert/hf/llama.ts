/**
 * Families with the names of transformers' Llama and BitNet.
 *
 * | family | model_type | weights | sub-norms |
 * |---|---|---|---|
 * | BitNet 2B-4T | bitnet | packed or latent, quantization_config | attn_sub_norm, ffn_sub_norm |
 * | 1bitLLM large, xl, 3B | llama, weight_bits 1 and input_bits 8 | latent | inner_attn_ln, ffn_layernorm |
 * | Falcon3-1.58bit, Falcon-E, Llama3-8B-1.58 | llama, quantization_config | packed | none |
 * | Llama, TriLM | llama | floats, TriLM's are {0, +-s} | none |
 *
 * weight_bits 1 in 1bitLLM's files is the argument of a function that does not read it: utils_quant.py rounds to -1, 0, +1 all the same. It does not say that the weights are binary.
 */
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
} from "../../../spec/image.ts";
import type { JsonFields } from "../json.ts";
import { readQuantization, readTransformersConfig } from "./config.ts";
import { type Found, type HfFamily, type TensorPlace, unsupported, type WeightRule } from "./family.ts";

/** Names below model.layers.N. */
const LAYER_NAMES: ReadonlyMap<number, readonly string[]> = new Map([
  [KIND_ATTN_NORM, ["input_layernorm"]],
  [KIND_ATTN_Q, ["self_attn.q_proj"]],
  [KIND_ATTN_K, ["self_attn.k_proj"]],
  [KIND_ATTN_V, ["self_attn.v_proj"]],
  [KIND_ATTN_SUB_NORM, ["self_attn.attn_sub_norm", "self_attn.inner_attn_ln"]],
  [KIND_ATTN_O, ["self_attn.o_proj"]],
  [KIND_FFN_NORM, ["post_attention_layernorm"]],
  [KIND_FFN_GATE, ["mlp.gate_proj"]],
  [KIND_FFN_UP, ["mlp.up_proj"]],
  [KIND_FFN_SUB_NORM, ["mlp.ffn_sub_norm", "mlp.ffn_layernorm"]],
  [KIND_FFN_DOWN, ["mlp.down_proj"]],
]);
const GLOBAL_NAMES: ReadonlyMap<number, string> = new Map([
  [KIND_EMBED, "model.embed_tokens.weight"],
  [KIND_FINAL_NORM, "model.norm.weight"],
  [KIND_HEAD, "lm_head.weight"],
]);

export function llamaPlace(kind: number, layer: number): TensorPlace {
  const global = GLOBAL_NAMES.get(kind);
  if (global !== undefined) return { names: [global] };
  return { names: (LAYER_NAMES.get(kind) ?? []).map((name) => `model.layers.${layer}.${name}.weight`) };
}

/** @param allowed experts: the caller reads what config.json says of them */
export function readLlamaConfig(config: JsonFields, found: Found, allowed = { experts: false }) {
  const subNorm = llamaPlace(KIND_ATTN_SUB_NORM, 0).names.some((name) => found.has(name));
  return readTransformersConfig(config, { subNorm, head: found.has("lm_head.weight"), ...allowed });
}

const isType = (config: JsonFields, ...types: string[]) => types.includes(config.text("model_type", ""));

function quantizationOf(config: JsonFields): WeightRule {
  const rule = readQuantization(config);
  if (!rule) throw config.bad("quantization_config", "an object");
  return rule;
}

const shared = {
  config: (config: JsonFields, found: Found) => readLlamaConfig(config, found),
  place: (kind: number, layer: number) => llamaPlace(kind, layer),
};

export const BITNET_2B_4T: HfFamily = {
  ...shared,
  name: "BitNet b1.58",
  matches: (config) => isType(config, "bitnet") && config.get("quantization_config") !== undefined,
  weights: quantizationOf,
  fakeQuant: true,
};

export const ONE_BIT_LLM: HfFamily = {
  ...shared,
  name: "1bitLLM BitNet b1.58",
  matches: (config) =>
    isType(config, "llama", "bitnet") &&
    config.get("weight_bits") !== undefined &&
    config.get("quantization_config") === undefined,
  weights(config) {
    for (const [name, wanted] of [
      ["weight_bits", 1],
      ["input_bits", 8],
    ] as const)
      if (config.integer(name, wanted) !== wanted) throw unsupported(config, `${name} ${config.integer(name)}`);
    return { scale: "multiply", latent: true, online: true };
  },
  fakeQuant: true,
};

export const PACKED_LLAMA: HfFamily = {
  ...shared,
  name: "Llama b1.58",
  matches: (config) => isType(config, "llama") && config.get("quantization_config") !== undefined,
  weights: quantizationOf,
  fakeQuant: true,
};

export const FLOAT_LLAMA: HfFamily = {
  ...shared,
  name: "Llama",
  matches: (config) => isType(config, "llama", "bitnet"),
  weights: () => ({ scale: "divide", latent: false, online: false }),
  fakeQuant: false,
};
