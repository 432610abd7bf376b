/**
 * Mixtures of experts with the names of transformers: Mixtral's, and a Llama or BitNet whose feed-forwards are experts.
 *
 * | | Mixtral | the others (Qwen-MoE's spelling) |
 * |---|---|---|
 * | router | block_sparse_moe.gate | mlp.gate |
 * | gate, up, down of expert E | block_sparse_moe.experts.E.w1, w3, w2 | mlp.experts.E.gate_proj, up_proj, down_proj |
 * | experts, and those that a token takes | num_local_experts, num_experts_per_tok | num_experts, num_experts_per_tok |
 *
 * A router of floats stays one, whatever quantization_config says of linear layers: so do the published ternary experts (MoE-BitNet158, MoTE arXiv 2506.14435), and since version 5
 * transformers itself, whose routers are no linear layers any more. A packed one (U8) is what its trits say.
 *
 * NOT IMPLEMENTED, refused by name: weights over all experts instead of the chosen (norm_topk_prob: false), experts that every token takes, dense layers among the others,
 * routers that are no softmax, grouped choices. No published model has ternary experts and these.
 */
import { KIND_FFN_DOWN, KIND_FFN_GATE, KIND_FFN_SUB_NORM, KIND_FFN_UP, KIND_ROUTER } from "../../../spec/image.ts";
import type { JsonFields } from "../json.ts";
import type { LinearSource, MatrixSource } from "../model.ts";
import { readQuantization } from "./config.ts";
import { type FamilyConfig, type Found, type HfFamily, type TensorPlace, unsupported } from "./family.ts";
import { llamaPlace, readLlamaConfig } from "./llama.ts";

const TYPES = ["mixtral", "llama", "bitnet"];
const COUNTS = ["num_local_experts", "num_experts"];
/** Modules that quantization_config may leave as floats. */
const FLOAT_MODULES = ["lm_head", "gate", "mlp.gate", "block_sparse_moe.gate", "router"];

/** Fields whose other values make another model, and the values that change nothing. */
const NEUTRAL: readonly (readonly [string, readonly unknown[]])[] = [
  ["norm_topk_prob", [true]],
  ["n_routed_experts", [0]],
  ["n_shared_experts", [0]],
  ["num_shared_experts", [0]],
  ["shared_expert_intermediate_size", [0]],
  ["first_k_dense_replace", [0]],
  ["decoder_sparse_step", [1]],
  ["moe_layer_freq", [1]],
  ["scoring_func", ["softmax"]],
  ["routed_scaling_factor", [1]],
  ["n_group", [1]],
  ["topk_group", [1]],
];

/** Names below model.layers.N, those of an expert below its own. */
const NAMES: ReadonlyMap<number, readonly string[]> = new Map([
  [KIND_FFN_GATE, ["gate_proj", "w1"]],
  [KIND_FFN_UP, ["up_proj", "w3"]],
  [KIND_FFN_SUB_NORM, ["ffn_sub_norm", "ffn_layernorm"]],
  [KIND_FFN_DOWN, ["down_proj", "w2"]],
]);
const BLOCKS = ["mlp", "block_sparse_moe"];

function place(kind: number, layer: number, _shape: FamilyConfig, expert = 0): TensorPlace {
  const at = `model.layers.${layer}`;
  if (kind === KIND_ROUTER) return { names: BLOCKS.map((block) => `${at}.${block}.gate.weight`) };
  const names = NAMES.get(kind);
  if (!names) return llamaPlace(kind, layer);
  const own = BLOCKS.flatMap((block) => names.map((name) => `${at}.${block}.experts.${expert}.${name}.weight`));
  // One sub-norm for all experts of a layer counts for each.
  return { names: kind === KIND_FFN_SUB_NORM ? [...own, ...llamaPlace(kind, layer).names] : own };
}

function readConfig(config: JsonFields, found: Found): FamilyConfig {
  for (const [name, neutral] of NEUTRAL) {
    const value = config.get(name);
    if (value !== undefined && !neutral.includes(value))
      throw unsupported(config, `${name} ${JSON.stringify(value)} in a mixture of experts`);
  }
  if (config.list("mlp_only_layers").length > 0) throw unsupported(config, "layers without experts among the others");
  const llama = readLlamaConfig(config, found, { experts: true });
  return {
    ...llama,
    hiddenDim: config.integer("moe_intermediate_size", llama.hiddenDim),
    nExperts: countOf(config),
    nExpertsUsed: config.integer("num_experts_per_tok"),
  };
}

function countOf(config: JsonFields): number {
  return Math.max(...COUNTS.map((name) => config.integer(name, 0)));
}

function matches(config: JsonFields, quantised: boolean): boolean {
  const isOurs = TYPES.includes(config.text("model_type", "")) && countOf(config) > 0;
  return isOurs && (config.get("quantization_config") !== undefined) === quantised;
}

export const BITNET_EXPERTS: HfFamily = {
  name: "a mixture of BitNet b1.58 experts",
  matches: (config) => matches(config, true),
  config: readConfig,
  weights(config) {
    const rule = readQuantization(config, FLOAT_MODULES);
    if (!rule) throw config.bad("quantization_config", "an object");
    return rule;
  },
  fakeQuant: true,
  place,
};

export const FLOAT_EXPERTS: HfFamily = {
  name: "a mixture of experts",
  matches: (config) => matches(config, false),
  config: readConfig,
  weights: () => ({ scale: "divide", latent: false, online: false }),
  fakeQuant: false,
  place,
};

/** A packed router as the matrix that it stands for. */
export function valuesOf(linear: LinearSource): MatrixSource {
  const { rows, cols, scale } = linear;
  return {
    rows,
    cols,
    async values(start, count) {
      const trits = await linear.trits(start, count);
      const scaleOf = (row: number) => (typeof scale === "number" ? scale : scale[start + row]);
      return Float32Array.from(trits, (trit, i) => trit * scaleOf(Math.floor(i / cols)));
    },
  };
}
