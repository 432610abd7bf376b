/**
 * config.json of transformers' `bitnet` and `llama` model types -> configuration, and what its quantization_config says about the weights.
 *
 * One packed layout goes with two meanings of weight_scale (`linear_class`). The configuration decides, never the number's size.
 *
 * NOT IMPLEMENTED, refused by name: scaled RoPE, partial rotary factors, biases, sliding windows, other architectures (OLMo, Phi, mixtures of experts).
 */
import { STOP_MAX } from "../../spec/image.ts";
import { TritkitError } from "../errors.ts";
import type { JsonFields } from "./json.ts";
import type { ModelConfig } from "./model.ts";

/** multiply: weight = trit * weight_scale (absmean). divide: weight = trit / weight_scale (1 / absmean). */
export type ScaleMeaning = "multiply" | "divide";

export interface Quantization {
  readonly meaning: ScaleMeaning;
  /** The checkpoint is BitNet's: float weights are latent, and quantised at load by absmean. */
  readonly bitnet: boolean;
}

export function readQuantization(config: JsonFields): Quantization {
  const quantization = config.fields("quantization_config");
  if (!quantization) return { meaning: "divide", bitnet: false };
  const method = quantization.text("quant_method", "bitnet");
  if (method !== "bitnet") throw unsupported(config, `weights quantised by ${method}`);
  const linearClass = quantization.text("linear_class", "bitlinear");
  // Older 2B-4T files say offline_quantization instead of linear_class.
  if (linearClass === "autobitlinear" || quantization.get("offline_quantization") === true)
    return { meaning: "multiply", bitnet: true };
  if (linearClass !== "bitlinear") throw unsupported(config, `the linear_class ${linearClass}`);
  return { meaning: "divide", bitnet: true };
}

/** What the tensors tell and config.json may not. */
export interface Found {
  readonly subNorm: boolean;
  readonly head: boolean;
}

export interface Specials {
  readonly bos: number;
  readonly eos: number;
  readonly stop: readonly number[];
}

/** @throws TritkitError E_SOURCE_FORMAT for a missing or senseless field, E_UNSUPPORTED for what changes the architecture */
export function readConfig(config: JsonFields, found: Found, specials: Specials, addBos: boolean): ModelConfig {
  refuseVariants(config);
  const dim = config.integer("hidden_size");
  const nHeads = config.integer("num_attention_heads");
  return {
    dim,
    hiddenDim: config.integer("intermediate_size"),
    nLayers: config.integer("num_hidden_layers"),
    nHeads,
    nKvHeads: config.integer("num_key_value_heads", nHeads),
    headDim: config.integer("head_dim", dim / nHeads),
    seqLen: config.integer("max_position_embeddings"),
    vocabSize: config.integer("vocab_size"),
    activation: readActivation(config),
    subNorm: found.subNorm,
    tied: config.flag("tie_word_embeddings", !found.head),
    ropeTheta: readRopeTheta(config),
    normEps: readNormEps(config),
    ...specials,
    addBos,
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

function refuseVariants(config: JsonFields): void {
  const type = config.text("model_type");
  if (type !== "bitnet" && type !== "llama") throw unsupported(config, `the model type ${type}`);
  for (const name of ["attention_bias", "mlp_bias"]) if (config.flag(name, false)) throw unsupported(config, name);
  if (config.number("partial_rotary_factor", 1) !== 1) throw unsupported(config, "a partial rotary factor");
  for (const name of ["rope_scaling", "rope_parameters"]) {
    const rope = config.fields(name);
    const kind = rope?.text("rope_type", rope.text("type", "default")) ?? "default";
    if (kind !== "default") throw unsupported(config, `RoPE scaled by ${kind}`);
  }
}

function readActivation(config: JsonFields): "silu" | "relu2" {
  const name = config.text("hidden_act");
  if (name === "silu" || name === "swish") return "silu";
  if (name === "relu2") return "relu2";
  throw unsupported(config, `the activation ${name}`);
}

function readRopeTheta(config: JsonFields): number {
  const theta = config.fields("rope_parameters")?.number("rope_theta", 10000) ?? config.number("rope_theta", 10000);
  if (theta < 1) throw config.bad("rope_theta", "a number from 1");
  return theta;
}

function readNormEps(config: JsonFields): number {
  const eps = config.number("rms_norm_eps");
  if (eps !== 0 && !(eps > 1e-30 && eps < 1)) throw config.bad("rms_norm_eps", "a small positive number");
  return eps;
}

function unsupported(config: JsonFields, what: string): TritkitError {
  return new TritkitError(
    "E_UNSUPPORTED",
    `${config.where} has ${what}.`,
    "tritkit runs bitnet and llama models with plain RoPE and without biases.",
  );
}
