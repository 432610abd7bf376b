/**
 * OLMo with BitLinear158 (NousResearch/OLMo-Bitnet-1B, modeling_olmo.py; names and order of fused tensors as transformers' convert_olmo_weights_to_hf.py takes them apart).
 *
 *     att_proj (dim + 2 kv, dim): q, k, v      ff_proj (2 hidden, dim): up, gate      one absmean for the fused tensor
 *
 * From memory, for modeling_olmo.py of that model was not at hand: its BitLinear normalises its input (RMSNorm without a gain, eps 1e-5) before the rounding to int8. Before attn_out and ff_out that is a sub-norm of ones. att_proj and ff_proj
 * come behind the block's own norms: without a gain there (layer_norm_with_affine: false) the second norm changes nothing but eps; with one it divides by the root mean square
 * of gain * x, which an image cannot express: only the float engine runs these (ModelConfig.inputNorm).
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
import type { JsonFields } from "../json.ts";
import { readNormEps } from "./config.ts";
import { type FamilyConfig, type HfFamily, type TensorPlace, unsupported } from "./family.ts";

const ROOT = "model.transformer";

/** Fields whose other values make another model, and the value that is supported (also when the field is absent, but for ternary). */
const FIXED: readonly (readonly [string, unknown])[] = [
  ["ternary", true],
  ["rope", true],
  ["alibi", false],
  ["attention_layer_norm", false],
  ["include_bias", false],
  ["bias_for_layer_norm", false],
  ["activation_type", "swiglu"],
  ["layer_norm_type", "rms"],
  ["block_type", "sequential"],
  ["scale_logits", false],
  ["norm_after", false],
  ["scale_emb_init", false],
  ["embedding_layer_norm", false],
];

export const OLMO_BITNET: HfFamily = {
  name: "OLMo-Bitnet",
  matches: (config) => config.text("model_type", "") === "olmo",
  weights: () => ({ scale: "multiply", latent: true, online: true }),
  fakeQuant: true,
  config: readConfig,
  place,
};

function readConfig(config: JsonFields): FamilyConfig {
  for (const [name, wanted] of FIXED) {
    const value = config.get(name) ?? (name === "ternary" ? false : wanted);
    if (value !== wanted) throw unsupported(config, `${name} ${JSON.stringify(value)} in an OLMo model`);
  }
  if (config.get("clip_qkv") !== undefined) throw unsupported(config, "clip_qkv");
  const dim = config.integer("d_model");
  const nHeads = config.integer("n_heads");
  const multiQuery = config.flag("multi_query_attention", false);
  const mlp = config.integer("mlp_hidden_size", config.number("mlp_ratio", 4) * dim);
  return {
    dim,
    // SwiGLU halves what ff_proj gives.
    hiddenDim: mlp / 2,
    nLayers: config.integer("n_layers"),
    nHeads,
    nKvHeads: config.integer("n_kv_heads", multiQuery ? 1 : nHeads),
    headDim: dim / nHeads,
    seqLen: config.integer("max_sequence_length"),
    // The embedding is padded, and the logits with it.
    vocabSize: config.integer("embedding_size", config.integer("vocab_size")),
    activation: "silu",
    subNorm: true,
    tied: config.flag("weight_tying", true),
    ropeTheta: config.number("rope_theta", 10000),
    normEps: readNormEps(config, "layer_norm_eps", 1e-5),
    nExperts: 0,
    nExpertsUsed: 0,
    weights: "ternary",
    inputNorm: config.flag("layer_norm_with_affine", true) ? "gained" : "bare",
  };
}

function place(kind: number, layer: number, shape: FamilyConfig): TensorPlace | null {
  const { nHeads, nKvHeads, headDim, hiddenDim } = shape;
  const queries = nHeads * headDim;
  const keys = nKvHeads * headDim;
  const affine = shape.inputNorm === "gained";
  const at = (name: string, start?: number, count = 0): TensorPlace => ({
    names: [`${ROOT}.blocks.${layer}.${name}.weight`],
    ...(start === undefined ? {} : { rows: { start, count } }),
  });
  switch (kind) {
    case KIND_EMBED:
      return { names: [`${ROOT}.wte.weight`] };
    case KIND_HEAD:
      return { names: [`${ROOT}.ff_out.weight`] };
    case KIND_FINAL_NORM:
      return affine ? { names: [`${ROOT}.ln_f.weight`] } : null;
    case KIND_ATTN_NORM:
      return affine ? at("attn_norm") : null;
    case KIND_FFN_NORM:
      return affine ? at("ff_norm") : null;
    case KIND_ATTN_Q:
      return at("att_proj", 0, queries);
    case KIND_ATTN_K:
      return at("att_proj", queries, keys);
    case KIND_ATTN_V:
      return at("att_proj", queries + keys, keys);
    case KIND_ATTN_O:
      return at("attn_out");
    case KIND_FFN_UP:
      return at("ff_proj", 0, hiddenDim);
    case KIND_FFN_GATE:
      return at("ff_proj", hiddenDim, hiddenDim);
    case KIND_FFN_DOWN:
      return at("ff_out");
    default:
      return null;
  }
}
