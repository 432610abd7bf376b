/** Attention of a layer: keys and values into the cache, all heads on it, their outputs on one scale (NUMERICS.md, "Attention"). */
import { KV_MAX, LOG2E_EXP, LOG2E_MANT, Q_MAX, SCALE_ONE } from "../../spec/numerics.ts";
import {
  PART_HEADS,
  PART_KEY_SCALES,
  PART_KEYS,
  PART_OUTPUT,
  PART_QKV,
  PART_QUERY,
  PART_ROPE,
  PART_SCORES,
  PART_VALUE_SCALES,
  PART_VALUES,
  part,
  run,
} from "../memory/run_state.ts";
import { attend_head } from "./attention_head.ts";
import { config } from "./config.ts";
import { kv_row, kv_scale } from "./kv.ts";
import { absmax, bitlen, exponent, mant, mul_round_shift, Scale, scale, scale_mul } from "./numeric.ts";
import { normalise, quantise } from "./quantise.ts";
import { rope_rotate } from "./rope.ts";
import { weights } from "./weights.ts";

/** The scale of a head vector: normalised, rotated, ready for quantise(). */
function rotate(y: usize, s: Scale): Scale {
  const d = normalise(y, config.head_dim, 15);
  rope_rotate(y, config.head_dim, part(PART_ROPE));
  return mant(s) == 0 ? 0 : scale(mant(s), exponent(s) + d - 15);
}

/**
 * Puts the keys and values of a position into the cache.
 * @param k,v i32 (n_kv_heads, head_dim) with scales sk, sv; k is rotated in place
 */
export function remember(layer: i32, pos: i32, k: usize, sk: Scale, v: usize, sv: Scale): void {
  const head_dim = config.head_dim;
  for (let kv_head = 0; kv_head < config.n_kv_heads; kv_head++) {
    const at = kv_row(layer, kv_head) + <usize>pos;
    const rotated = rotate(k, sk);
    const key_scale = quantise<i8>(k, head_dim, rotated, KV_MAX, part(PART_KEYS) + at * <usize>head_dim);
    store<u16>(part(PART_KEY_SCALES) + (at << 1), kv_scale(key_scale));
    const value_scale = quantise<i8>(v, head_dim, sv, KV_MAX, part(PART_VALUES) + at * <usize>head_dim);
    store<u16>(part(PART_VALUE_SCALES) + (at << 1), kv_scale(value_scale));
    k += (<usize>head_dim) << 2;
    v += (<usize>head_dim) << 2;
  }
}

/**
 * All heads of a layer at position `pos`, whose keys and values are in the cache already.
 * In PART_QKV i32 (n_heads, head_dim): queries with scale sq, replaced by the output X.
 * @returns the scale of X
 */
export function attend(layer: i32, pos: i32, sq: Scale): Scale {
  const head_dim = config.head_dim;
  const shared = config.n_heads / config.n_kv_heads;
  const x = part(PART_QKV);
  const query = part(PART_QUERY);
  for (let h = 0; h < config.n_heads; h++) {
    const y = x + ((<usize>(h * head_dim)) << 2);
    const s = quantise<i16>(y, head_dim, rotate(y, sq), Q_MAX, query);
    const row = kv_row(layer, h / shared);
    const so = attend_head(
      query,
      scale_mul(scale_mul(s, scale(LOG2E_MANT, LOG2E_EXP)), config.attn_scale),
      pos + 1,
      head_dim,
      part(PART_KEYS) + row * <usize>head_dim,
      part(PART_KEY_SCALES) + (row << 1),
      part(PART_VALUES) + row * <usize>head_dim,
      part(PART_VALUE_SCALES) + (row << 1),
      weights.tables,
      part(PART_SCORES),
      part(PART_OUTPUT),
      y,
    );
    const note = part(PART_HEADS) + ((<usize>h) << 3);
    store<u32>(note, so);
    store<i32>(note, bitlen(absmax(y, head_dim)), 4);
  }
  return join_heads(x, config.n_heads, head_dim, part(PART_HEADS));
}

/**
 * All heads on one scale.
 * @param x i32 (n_heads, head_dim): o, replaced by X, |X| <= 2^30
 * @param notes {scale of o, bit length of its largest} of each head
 */
export function join_heads(x: usize, n_heads: i32, head_dim: i32, notes: usize): Scale {
  let B = i32.MIN_VALUE;
  for (let h = 0; h < n_heads; h++) {
    const note = notes + ((<usize>h) << 3);
    const length = load<i32>(note, 4);
    if (length > 0) B = max(B, length + exponent(load<u32>(note)) + 16);
  }
  if (B == i32.MIN_VALUE) return scale(SCALE_ONE, 0); // x is zero already
  const e = B - 30;
  for (let h = 0; h < n_heads; h++) {
    const so = load<u32>(notes + ((<usize>h) << 3));
    const end = x + ((<usize>head_dim) << 2);
    for (; x < end; x += 4) store<i32>(x, mul_round_shift(load<i32>(x), mant(so), e - exponent(so)));
  }
  return scale(SCALE_ONE, e - 15);
}
