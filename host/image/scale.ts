/**
 * Scales of spec/NUMERICS.md: a positive real as m * 2^e with a 16-bit mantissa, or zero.
 *
 *     m in [32768, 65536)   e = floor(log2 value) - 15   relative error at most 2^-16
 */
import { SCALE_BITS, SCALE_ONE } from "../../spec/numerics.ts";

export interface Scale {
  /** u16 in [2^15, 2^16), or 0 for the zero scale. */
  readonly m: number;
  /** i16; 0 for the zero scale. */
  readonly e: number;
}

export const ZERO_SCALE: Scale = { m: 0, e: 0 };
export const ONE_SCALE: Scale = { m: SCALE_ONE, e: 1 - SCALE_BITS };

/** floor(log2 value) of a positive finite number, exact also where Math.log2 rounds up. */
export function exponentOf(value: number): number {
  let exponent = Math.floor(Math.log2(value));
  if (2 ** exponent > value) exponent--;
  else if (2 ** (exponent + 1) <= value) exponent++;
  return exponent;
}

/**
 * The nearest scale, half upwards.
 * @throws RangeError for a value that is negative, not finite, or outside 2^-1000 .. 2^1000
 */
export function scaleOf(value: number): Scale {
  if (value === 0) return ZERO_SCALE;
  if (!(value >= 2 ** -1000 && value <= 2 ** 1000)) throw new RangeError(`${value} is no scale`);
  let e = exponentOf(value) - (SCALE_BITS - 1);
  let m = Math.round(value * 2 ** -e);
  if (m === 2 * SCALE_ONE) {
    m = SCALE_ONE;
    e++;
  }
  return { m, e };
}

export function scaleValue(scale: Scale): number {
  return scale.m * 2 ** scale.e;
}

/** A scale in one u32 of CONFIG: m | (e & 0xFFFF) << 16. */
export function packScale(scale: Scale): number {
  return (scale.m | ((scale.e & 0xffff) << 16)) >>> 0;
}

export function unpackScale(word: number): Scale {
  return { m: word & 0xffff, e: word >> 16 };
}
