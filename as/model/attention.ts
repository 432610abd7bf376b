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
} from "../memory/run_state.ts";
import { attend_head, attend_pair } from "./attention_head.ts";
import { config } from "./config.ts";
import { kv_row, kv_scale } from "./kv.ts";
import { on_tables } from "./lut_engine.ts";
import { bitlen, exponent, magnitudes, mant, mul_round_shift, Scale, scale, scale_mul } from "./numeric.ts";
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
  const bytes = (<usize>head_dim) << 2;
  const pairs = on_tables();
  let y = part(PART_QKV);
  for (let h = 0; h < config.n_heads; ) {
    const row = kv_row(layer, h / shared);
    const two = pairs && h % shared != shared - 1;
    const Ca = ready_query(y, sq, 0);
    const Cb = two ? ready_query(y + bytes, sq, 1) : 0;
    const keys = part(PART_KEYS) + row * <usize>head_dim;
    const key_scales = part(PART_KEY_SCALES) + (row << 1);
    const values = part(PART_VALUES) + row * <usize>head_dim;
    const value_scales = part(PART_VALUE_SCALES) + (row << 1);
    const scores = part(PART_SCORES);
    const sums = part(PART_OUTPUT);
    const query = part(PART_QUERY);
    const note = part(PART_HEADS) + ((<usize>h) << 3);
    const n = pos + 1;
    const t = weights.tables;
    if (pairs) {
      attend_pair(query, Ca, Cb, two, n, head_dim, keys, key_scales, values, value_scales, t, scores, sums, y, note);
    } else {
      store<u32>(note, attend_head(query, Ca, n, head_dim, keys, key_scales, values, value_scales, t, scores, sums, y));
    }
    store<i32>(note, bitlen(magnitudes(y, head_dim)), 4);
    if (two) store<i32>(note, bitlen(magnitudes(y + bytes, head_dim)), 12);
    const heads = two ? 2 : 1;
    h += heads;
    y += <usize>heads * bytes;
  }
  return join_heads(part(PART_QKV), config.n_heads, head_dim, part(PART_HEADS));
}

/** Query head y rotated and quantised into place i of PART_QUERY; returns C. */
function ready_query(y: usize, sq: Scale, i: i32): Scale {
  const head_dim = config.head_dim;
  const query = part(PART_QUERY) + <usize>(2 * i * head_dim);
  const s = quantise<i16>(y, head_dim, rotate(y, sq), Q_MAX, query);
  return scale_mul(scale_mul(s, scale(LOG2E_MANT, LOG2E_EXP)), config.attn_scale);
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
