/**
 * Fields of config.json that every model of transformers spells alike -> configuration, and what its quantization_config says about the weights.
 *
 * One packed layout goes with two meanings of weight_scale (`linear_class`). The configuration decides, never the number's size.
 *
 * NOT IMPLEMENTED, refused by name: partial rotary factors, biases, sliding windows, RoPE scalings that are no frequencies (hf/rope.ts), norms inside BitLinear with a gain.
 */
import { STOP_MAX } from "../../../spec/image.ts";
import type { JsonFields } from "../json.ts";
import { type FamilyConfig, type Specials, unsupported, type WeightRule } from "./family.ts";
import { readRope } from "./rope.ts";

/** transformers/utils/quantization_config.py, BitNetQuantConfig. null: config.json does not call the model BitNet's. */
export function readQuantization(config: JsonFields, floatModules = ["lm_head"]): WeightRule | null {
  const quantization = config.fields("quantization_config");
  if (!quantization) return null;
  const method = quantization.text("quant_method", "bitnet");
  if (method !== "bitnet") throw unsupported(config, `weights quantised by ${method}`);
  if (quantization.flag("use_rms_norm", false))
    throw unsupported(config, "a norm inside its linear layers (use_rms_norm)");
  // Only the head stays a matrix of floats; embeddings are no linear layers.
  const floats = quantization.list("modules_to_not_convert").filter((name) => !floatModules.includes(String(name)));
  if (floats.length > 0) throw unsupported(config, `linear layers that stay floats (${floats.join(", ")})`);
  const linearClass = quantization.text("linear_class", "bitlinear");
  const mode = quantization.text("quantization_mode", "offline");
  if (mode !== "offline" && mode !== "online") throw unsupported(config, `the quantization_mode ${mode}`);
  // Older 2B-4T files say offline_quantization instead of linear_class.
  if (linearClass === "autobitlinear" || quantization.get("offline_quantization") === true)
    return { scale: "multiply", latent: true, online: mode === "online" };
  if (linearClass !== "bitlinear") throw unsupported(config, `the linear_class ${linearClass}`);
  return { scale: "divide", latent: true, online: false };
}

/** What LlamaConfig and BitNetConfig have in common. */
export function readTransformersConfig(
  config: JsonFields,
  found: { subNorm: boolean; head: boolean; experts: boolean },
): FamilyConfig {
  refuseVariants(config);
  if (!found.experts) refuseExperts(config);
  const dim = config.integer("hidden_size");
  const nHeads = config.integer("num_attention_heads");
  const headDim = config.integer("head_dim", dim / nHeads);
  const rope = readRope(config, Math.min(headDim, HEAD_DIM_SANE));
  return {
    dim,
    hiddenDim: config.integer("intermediate_size"),
    nLayers: config.integer("num_hidden_layers"),
    nHeads,
    nKvHeads: config.integer("num_key_value_heads", nHeads),
    headDim,
    seqLen: config.integer("max_position_embeddings"),
    vocabSize: config.integer("vocab_size"),
    activation: readActivation(config),
    subNorm: found.subNorm,
    tied: config.flag("tie_word_embeddings", !found.head),
    ropeTheta: rope.theta,
    ropeFrequencies: rope.frequencies,
    normEps: readNormEps(config, "rms_norm_eps"),
    nExperts: 0,
    nExpertsUsed: 0,
    weights: "ternary",
  };
}

/** Of config.json, unless generation_config.json says otherwise; eos may be a list, of which the first leads and the others stop too. */
export function readSpecials(config: JsonFields, generation: JsonFields | null): Specials {
  const ids = (name: string): number[] => {
    const value = generation?.get(name) ?? config.get(name);
    if (value === undefined) return [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return list.map((id) => {
      if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0) throw config.bad(name, "a token id");
      return id;
    });
  };
  const [eos = -1, ...stop] = ids("eos_token_id");
  if (stop.length > STOP_MAX) throw unsupported(config, `${stop.length + 1} tokens that end an answer`);
  return { bos: ids("bos_token_id")[0] ?? -1, eos, stop };
}

/** Frequencies are computed before the configuration has been checked: no list of a billion. */
const HEAD_DIM_SANE = 65536;

function refuseVariants(config: JsonFields): void {
  for (const name of ["attention_bias", "mlp_bias"]) if (config.flag(name, false)) throw unsupported(config, name);
  for (const name of ["partial_rotary_factor", "rotary_pct"])
    if (config.number(name, 1) !== 1) throw unsupported(config, "a partial rotary factor");
  if (config.get("sliding_window") !== undefined && config.flag("use_sliding_window", true))
    throw unsupported(config, "attention in a sliding window");
}

function refuseExperts(config: JsonFields): void {
  for (const name of ["num_local_experts", "num_experts", "n_routed_experts"])
    if (config.integer(name, 0) > 0) throw unsupported(config, "experts");
}

function readActivation(config: JsonFields): "silu" | "relu2" {
  const name = config.text("hidden_act");
  if (name === "silu" || name === "swish") return "silu";
  if (name === "relu2") return "relu2";
  throw unsupported(config, `the activation ${name}`);
}

export function readNormEps(config: JsonFields, name: string, fallback?: number): number {
  const eps = config.number(name, fallback);
  if (eps !== 0 && !(eps > 1e-30 && eps < 1)) throw config.bad(name, "a small positive number");
  return eps;
}
