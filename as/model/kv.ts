/**
 * The KV cache: int8 keys and values (n_layers, n_kv_heads, context, head_dim), and a scale for each head and position in one word:
 *
 *     | E, 6 bits | low 10 bits of the mantissa |     (1024 + low) * 2^(E + KV_EXP_MIN); the word 0 is zero
 */
import { KV_EXP_MIN, KV_SCALE_MANT_BITS } from "../../spec/numerics.ts";
import { run } from "../memory/run_state.ts";
import { config } from "./config.ts";
import { exponent, mant, Scale } from "./numeric.ts";

const MANT_ONE = 1 << KV_SCALE_MANT_BITS;
const EXP_MAX = 63;

export function kv_scale(s: Scale): u32 {
  if (mant(s) == 0) return 0;
  let m11 = (mant(s) + 16) >> 5;
  let e = exponent(s) + 5;
  if (m11 == MANT_ONE << 1) {
    m11 = MANT_ONE;
    e++;
  }
  e -= KV_EXP_MIN;
  if (e < 0) return 0;
  if (e > EXP_MAX) return 0xffff;
  return ((<u32>e) << KV_SCALE_MANT_BITS) | (m11 & (MANT_ONE - 1));
}

/** Mantissa of a word that is not 0. */
@inline
export function kv_mant(word: u32): u32 {
  return MANT_ONE | (word & (MANT_ONE - 1));
}

@inline
export function kv_exp(word: u32): i32 {
  return <i32>(word >> KV_SCALE_MANT_BITS) + KV_EXP_MIN;
}

/** Number of the first position of a head's row of the cache: times head_dim it is a byte offset of keys, times 2 of their scales. */
@inline
export function kv_row(layer: i32, kv_head: i32): usize {
  return <usize>((layer * config.n_kv_heads + kv_head) * run.context);
}
