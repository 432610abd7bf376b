/** The TABLES section of spec/IMAGE.md: exp, sigmoid, sine and RoPE in fixed point, from the formulas of spec/NUMERICS.md. */
import { TAB_EXP2, TAB_ROPE_INC, TAB_SIGMOID, TAB_SINE } from "../../spec/image.ts";
import { EXP2_ENTRIES, SIGMOID_ENTRIES, SINE_ENTRIES } from "../../spec/numerics.ts";

const U32 = 2 ** 32;

/** Radians per position of each pair, (head_dim / 2). */
export function ropeFrequencies(theta: number, headDim: number): Float64Array {
  return Float64Array.from({ length: headDim / 2 }, (_, j) => theta ** ((-2 * j) / headDim));
}

/** u32[head_dim / 2]: turns per position times 2^32. */
export function ropeIncrements(frequencies: Float64Array): Uint32Array {
  return Uint32Array.from(frequencies, (radians) => Math.round((radians / (2 * Math.PI)) * U32));
}

/**
 * @param frequencies radians per position of each pair, (head_dim / 2)
 * @returns the bytes of the section
 */
export function tablesSection(frequencies: Float64Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(TAB_ROPE_INC + frequencies.length * 4));
  for (let f = 0; f < EXP2_ENTRIES; f++)
    out.setUint16(TAB_EXP2 + 2 * f, Math.round(2 ** 15 * 2 ** (-f / EXP2_ENTRIES)), true);
  for (let i = 0; i < SIGMOID_ENTRIES; i++)
    out.setUint16(TAB_SIGMOID + 2 * i, Math.round(32768 / (1 + Math.exp(-i / 16))), true);
  for (let k = 0; k < SINE_ENTRIES; k++)
    out.setInt16(TAB_SINE + 2 * k, Math.round(32767 * Math.sin((Math.PI * k) / 2048)), true);
  for (const [j, inc] of ropeIncrements(frequencies).entries()) out.setUint32(TAB_ROPE_INC + 4 * j, inc, true);
  return new Uint8Array(out.buffer);
}
