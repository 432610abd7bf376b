/**
 * RoPE of a GGUF file: theta, and what changes its frequencies (llama.cpp, ggml_rope_ext): rope.scaling of type linear divides them all by one factor, rope_freqs.weight, which
 * the converters write for Llama 3.1 and later, each by its own. An image keeps one increment for each pair of a head, so that these are held exactly.
 *
 * NOT IMPLEMENTED, refused by name: yarn and longrope, which also change with the length of the text or scale attention.
 */
import type { ModelConfig } from "../model.ts";
import { ropeFrequencies } from "../tables.ts";
import type { Architecture } from "./config.ts";
import { badGguf, unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { ROPE_FREQS_NAME } from "./names.ts";
import { readVector } from "./tensor_rows.ts";

/** @returns radians per position of each pair, (head_dim / 2); null when they are those of theta */
export async function readFrequencies(
  file: GgufFile,
  { name }: Architecture,
  { ropeTheta, headDim }: Pick<ModelConfig, "ropeTheta" | "headDim">,
): Promise<Float64Array | null> {
  const factors = new Float64Array(headDim / 2).fill(readLinear(file, name));
  if (file.has(ROPE_FREQS_NAME)) {
    const own = file.get(ROPE_FREQS_NAME).count === factors.length ? await readVector(file, ROPE_FREQS_NAME) : [];
    if (own.length !== factors.length || !own.every((factor) => factor > 0 && factor < Infinity))
      throw badGguf(file.name, `has ${ROPE_FREQS_NAME} without a factor for each pair of a head`);
    for (const [j, factor] of own.entries()) factors[j] *= factor;
  }
  if (factors.every((factor) => factor === 1)) return null;
  return ropeFrequencies(ropeTheta, headDim).map((frequency, j) => frequency / factors[j]);
}

/** The converters write "linear" by a factor of 1 for plain RoPE; without a type llama.cpp takes it for linear, and a factor of 0 for none. */
function readLinear({ fields, name: file }: GgufFile, architecture: string): number {
  const key = (name: string) => `${architecture}.rope.${name}`;
  const type = fields.text(key("scaling.type"), "linear");
  if (type === "none") return 1;
  if (type !== "linear")
    throw unsupportedGguf(
      file,
      `has RoPE scaled by ${JSON.stringify(type.slice(0, 40))}`,
      "tritkit knows linear scaling and the factors of Llama 3.",
    );
  const factor = fields.number(key("scaling.factor"), fields.number(key("scale_linear"), 1));
  if (!(factor >= 0)) throw fields.bad(key("scaling.factor"), "a positive number");
  return factor === 0 ? 1 : factor;
}
