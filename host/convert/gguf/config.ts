/**
 * Metadata of a GGUF file -> configuration (keys: ggml-org/ggml, docs/gguf.md; llama.cpp's llama-arch.cpp, LLM_KV_NAMES).
 *
 * | architecture           | written by                                   | RoPE pairs | activation        |
 * |------------------------|----------------------------------------------|------------|-------------------|
 * | bitnet                 | llama.cpp                                    | neox       | SiLU, see below   |
 * | bitnet-b1.58, bitnet-25| bitnet.cpp, Microsoft's published files      | neox       | squared ReLU      |
 * | llama                  | both, for Llama-style models                 | norm       | SiLU              |
 *
 * RoPE pairs are llama_model_rope_type of either program. Activation: the key hidden_activation of newer llama.cpp leads. Without it llama.cpp takes SiLU for `bitnet`,
 * as the 1bitLLM models want; BitNet 2B-4T wants the squared ReLU (its config.json), and is known by its shape.
 *
 * NOT IMPLEMENTED, refused by name: other architectures, sliding windows, soft caps and factors of scores.
 */
import { KIND_ATTN_SUB_NORM } from "../../../spec/image.ts";
import type { ModelConfig } from "../model.ts";
import { unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import type { GgufFields } from "./metadata.ts";
import { HEAD_NAME, tensorBase } from "./names.ts";

export interface Architecture {
  readonly name: string;
  /** The linear layers were trained as BitLinears: float weights are latent, inputs are rounded to int8. */
  readonly bitnet: boolean;
  /** Q and K lie in the order of llama.cpp's "norm" RoPE. */
  readonly permuted: boolean;
}

const ARCHITECTURES: readonly Architecture[] = [
  { name: "bitnet", bitnet: true, permuted: false },
  { name: "bitnet-25", bitnet: true, permuted: false },
  { name: "bitnet-b1.58", bitnet: true, permuted: false },
  { name: "llama", bitnet: false, permuted: true },
];
/** Keys that change the computation, with the values that do not. */
const NEUTRAL: readonly [key: string, values: readonly unknown[]][] = [
  ["rope.scaling.attn_factor", [1]],
  ["attention.sliding_window", [0]],
  ["attention.clamp_kqv", [0]],
  ["attention.max_alibi_bias", [0]],
  ["attention.scale", [0]],
  ["attention.causal", [true]],
  ["attn_logit_softcapping", [0]],
  ["final_logit_softcapping", [0]],
  ["logit_scale", [0, 1]],
  ["embedding_scale", [0, 1]],
  ["residual_scale", [0, 1]],
  ["use_parallel_residual", [false]],
  ["expert_shared_count", [0]],
  ["expert_weights_scale", [0, 1]],
];

/** @throws TritkitError E_UNSUPPORTED, E_SOURCE_FORMAT */
export function readArchitecture(file: GgufFile): Architecture {
  const name = file.fields.text("general.architecture");
  const found = ARCHITECTURES.find((architecture) => architecture.name === name);
  if (!found)
    throw unsupportedGguf(
      file.name,
      `is of the architecture ${JSON.stringify(name.slice(0, 40))}`,
      `tritkit runs ${ARCHITECTURES.map((architecture) => architecture.name).join(", ")}.`,
    );
  return found;
}

/** @throws TritkitError E_SOURCE_FORMAT for a missing or senseless field, E_UNSUPPORTED for what changes the architecture */
export function readConfig(
  file: GgufFile,
  architecture: Architecture,
  tokens: Pick<ModelConfig, "vocabSize" | "bos" | "eos" | "stop" | "addBos">,
): ModelConfig {
  const { fields } = file;
  const key = (name: string) => `${architecture.name}.${name}`;
  refuseVariants(file, architecture);
  const dim = fields.integer(key("embedding_length"));
  const nHeads = fields.integer(key("attention.head_count"));
  const headDim = fields.integer(key("attention.key_length"), dim / nHeads);
  for (const name of ["attention.value_length", "rope.dimension_count"])
    if (fields.integer(key(name), headDim) !== headDim)
      throw unsupportedGguf(
        file.name,
        `has ${fields.integer(key(name))} in ${key(name)} with heads of ${headDim} values`,
        "tritkit runs heads that are rotated as a whole, with keys and values of one size.",
      );
  const config: ModelConfig = {
    dim,
    hiddenDim: readHiddenDim(fields, architecture.name),
    nLayers: fields.integer(key("block_count")),
    nHeads,
    nKvHeads: fields.integer(key("attention.head_count_kv"), nHeads),
    headDim,
    seqLen: fields.integer(key("context_length")),
    activation: "silu",
    subNorm: file.has(`${tensorBase(KIND_ATTN_SUB_NORM, 0)}.weight`),
    tied: !file.has(HEAD_NAME),
    ropeTheta: readTheta(fields, key("rope.freq_base")),
    normEps: readEps(fields, key("attention.layer_norm_rms_epsilon")),
    ...tokens,
    nExperts: fields.integer(key("expert_count"), 0),
    nExpertsUsed: fields.integer(key("expert_used_count"), 0),
    weights: "ternary",
  };
  return { ...config, activation: readActivation(file, architecture, config) };
}

/** Experts may have a width of their own; without one it is that of the layer. */
function readHiddenDim(fields: GgufFields, architecture: string): number {
  const width = `${architecture}.feed_forward_length`;
  const ofExperts = `${architecture}.expert_feed_forward_length`;
  const isMixture = fields.integer(`${architecture}.expert_count`, 0) > 0;
  return isMixture && fields.get(ofExperts) !== undefined ? fields.integer(ofExperts) : fields.integer(width);
}

function refuseVariants(file: GgufFile, { name: architecture }: Architecture): void {
  for (const [name, values] of NEUTRAL) {
    const key = `${architecture}.${name}`;
    const value = file.fields.get(key);
    if (value !== undefined && !values.includes(value))
      throw unsupportedGguf(
        file.name,
        `has ${JSON.stringify(String(value).slice(0, 40))} in ${key}`,
        "tritkit runs bitnet and llama models with plain attention.",
      );
  }
}

/** The published BitNet b1.58 2B-4T (its config.json). */
function isBitnet2b(config: ModelConfig): boolean {
  return config.dim === 2560 && config.nLayers === 30 && config.nKvHeads === 5 && config.hiddenDim === 6912;
}

function readActivation(file: GgufFile, architecture: Architecture, config: ModelConfig): "silu" | "relu2" {
  const said = file.fields.textIfThere(`${architecture.name}.hidden_activation`);
  if (said === null) {
    if (architecture.name === "bitnet") return isBitnet2b(config) ? "relu2" : "silu";
    return architecture.bitnet ? "relu2" : "silu";
  }
  if (["silu", "swish", "swiglu"].includes(said)) return "silu";
  if (["relu2", "relu_sqr", "relu_squared"].includes(said)) return "relu2";
  throw unsupportedGguf(
    file.name,
    `has the activation ${JSON.stringify(said.slice(0, 40))}`,
    "tritkit runs SiLU and the squared ReLU.",
  );
}

function readTheta(fields: GgufFields, key: string): number {
  const theta = fields.number(key, 10000);
  if (theta < 1) throw fields.bad(key, "a number from 1");
  return theta;
}

function readEps(fields: GgufFields, key: string): number {
  const eps = fields.number(key);
  if (eps !== 0 && !(eps > 1e-30 && eps < 1)) throw fields.bad(key, "a small positive number");
  return shortest(eps);
}

/** f32 metadata of 1e-5 is 9.99999974e-6: the decimal that was meant, as config.json has it. */
function shortest(value: number): number {
  return Number(value.toPrecision(7));
}
