/**
 * RoPE of config.json: theta, and scalings that change only the frequencies (transformers, modeling_rope_utils.py). An image keeps one increment for each pair of a head, so
 * those are held exactly. Others also change with the length of the text or scale attention: yarn, dynamic, longrope are refused by name.
 */
import { TritkitError } from "../../errors.ts";
import type { JsonFields } from "../json.ts";
import { ropeFrequencies } from "../tables.ts";

export interface Rope {
  readonly theta: number;
  /** Radians per position of each pair, where they are not those of theta. */
  readonly frequencies?: Float64Array;
}

const THETA = 10000;

/** @throws TritkitError E_UNSUPPORTED, E_SOURCE_FORMAT */
export function readRope(config: JsonFields, headDim: number): Rope {
  // transformers 5 moved theta and scaling into rope_parameters.
  const parameters = config.fields("rope_parameters");
  const holder = parameters?.get("rope_theta") === undefined ? config : parameters;
  const theta = holder.number("rope_theta", THETA);
  if (theta < 1) throw config.bad("rope_theta", "a number from 1");
  const scaling = parameters ?? config.fields("rope_scaling");
  const type = scaling?.text("rope_type", scaling.text("type", "default")) ?? "default";
  if (!scaling || type === "default") return { theta };
  const change = SCALINGS.get(type);
  if (!change)
    throw new TritkitError(
      "E_UNSUPPORTED",
      `${config.where} has RoPE scaled by ${type}.`,
      `tritkit knows ${[...SCALINGS.keys()].join(" and ")}.`,
    );
  return { theta, frequencies: change(scaling, ropeFrequencies(theta, headDim)) };
}

const SCALINGS: ReadonlyMap<string, (scaling: JsonFields, frequencies: Float64Array) => Float64Array> = new Map([
  ["linear", linear],
  ["llama3", llama3],
]);

function linear(scaling: JsonFields, frequencies: Float64Array): Float64Array {
  const factor = positive(scaling, "factor");
  return frequencies.map((frequency) => frequency / factor);
}

/** Long waves are divided by the factor, short ones stay, those between are blended (Llama 3.1). */
function llama3(scaling: JsonFields, frequencies: Float64Array): Float64Array {
  const factor = positive(scaling, "factor");
  const low = positive(scaling, "low_freq_factor");
  const high = positive(scaling, "high_freq_factor");
  const context = positive(scaling, "original_max_position_embeddings");
  if (high <= low) throw scaling.bad("high_freq_factor", `a number above low_freq_factor (${low})`);
  return frequencies.map((frequency) => {
    const waves = (context * frequency) / (2 * Math.PI);
    if (waves > high) return frequency;
    if (waves < low) return frequency / factor;
    const smooth = (waves - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

function positive(scaling: JsonFields, name: string): number {
  const value = scaling.number(name);
  if (!(value > 0)) throw scaling.bad(name, "a positive number");
  return value;
}
