/** What families of Hugging Face checkpoints differ in: names of tensors, fields of config.json, and what float weights and scales mean. */
import { TritkitError } from "../../errors.ts";
import type { JsonFields } from "../json.ts";
import type { ModelConfig } from "../model.ts";

/** multiply: weight = trit * weight_scale (absmean). divide: weight = trit / weight_scale (1 / absmean). */
export type ScaleMeaning = "multiply" | "divide";

export interface WeightRule {
  readonly scale: ScaleMeaning;
  /** Float weights of linear layers are latent: the published code rounds them by absmean whenever it runs. false: they are the weights. */
  readonly latent: boolean;
  /**
   * It does so with weights that are {0, +-s} already too, whose scale becomes s times the share of non-zeros. false: these are what an offline quantiser left, and keep s.
   */
  readonly online: boolean;
}

/** Where a tensor lies. */
export interface TensorPlace {
  /** Published spellings of one tensor, in turn. */
  readonly names: readonly string[];
  /** Rows of it, where several are fused into one. */
  readonly rows?: { readonly start: number; readonly count: number };
}

/** What the tensors tell and config.json may not. */
export interface Found {
  has(name: string): boolean;
}

export interface Specials {
  readonly bos: number;
  readonly eos: number;
  readonly stop: readonly number[];
}

/** ModelConfig without what the tokenizer's files say. */
export type FamilyConfig = Omit<ModelConfig, "bos" | "eos" | "stop" | "addBos">;

export interface HfFamily {
  /** For people: "BitNet b1.58 2B-4T". */
  readonly name: string;
  matches(config: JsonFields): boolean;
  /** @throws TritkitError E_SOURCE_FORMAT for a missing or senseless field, E_UNSUPPORTED for what changes the architecture */
  config(config: JsonFields, found: Found): FamilyConfig;
  weights(config: JsonFields): WeightRule;
  /** As published, linear layers round their input to int8. */
  readonly fakeQuant: boolean;
  /** null: the family has no such tensor, its norm has no gain and counts as ones. */
  place(kind: number, layer: number, shape: FamilyConfig, expert?: number): TensorPlace | null;
}

export function unsupported(config: JsonFields, what: string): TritkitError {
  return new TritkitError(
    "E_UNSUPPORTED",
    `${config.where} has ${what}.`,
    "tritkit runs BitNet and Llama models with RoPE and without biases.",
  );
}

/** @returns whether `architectures` names it */
export function hasArchitecture(config: JsonFields, name: string): boolean {
  return config.list("architectures").includes(name);
}
