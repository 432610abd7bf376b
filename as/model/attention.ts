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
import { ENGINE_SIMD } from "../kernels/engine.ts";
import { qkv_stride } from "../memory/layout.ts";
import { attend_head, attend_pair } from "./attention_head.ts";
import { keep, kept, more, of_qkv, rotation, vector } from "./batch.ts";
import { config } from "./config.ts";
import { Job } from "./jobs.ts";
import { kv_row, kv_scale } from "./kv.ts";
import { on_tables } from "./lut_engine.ts";
import { bitlen, exponent, magnitudes, mant, mul_round_shift, Scale, scale, scale_mul } from "./numeric.ts";
import { normalise, quantise } from "./quantise.ts";
import { rope_rotate } from "./rope.ts";
import { simd_attend } from "./simd_engine.ts";
import { weights } from "./weights.ts";

/** The scale of a head vector: normalised, rotated, ready for quantise(). */
function rotate(y: usize, s: Scale, rotation: usize): Scale {
  const d = normalise(y, config.head_dim, 15);
  rope_rotate(y, config.head_dim, rotation);
  return mant(s) == 0 ? 0 : scale(mant(s), exponent(s) + d - 15);
}

/**
 * Puts the keys and values of a position into the cache.
 * @param k,v i32 (n_kv_heads, head_dim) with scales sk, sv; k is rotated in place
 * @param rotation of this position, made by rope_angles
 */
export function remember(layer: i32, pos: i32, k: usize, sk: Scale, v: usize, sv: Scale, rotation: usize): void {
  const head_dim = config.head_dim;
  for (let kv_head = 0; kv_head < config.n_kv_heads; kv_head++) {
    const at = kv_row(layer, kv_head) + <usize>pos;
    const rotated = rotate(k, sk, rotation);
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
 * @param n positions: where there can be more than one, their scales are where keep() put them, and those of X are kept there
 * @returns the scale of X
 */
export function attend(layer: i32, pos: i32, n: i32, sq: Scale): Scale {
  const head_dim = config.head_dim;
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      simd_attend(layer, pos, n);
      const heads = <usize>config.n_heads * 8;
      for (let i = 0; i < n; i++) {
        const X = vector(part(PART_QKV), i, (<usize>qkv_stride()) << 2);
        keep(i, join_heads(X, config.n_heads, head_dim, part(PART_HEADS) + <usize>i * heads));
      }
      return 0;
    }
  }
  const shared = config.n_heads / config.n_kv_heads;
  const bytes = (<usize>head_dim) << 2;
  // Where every head has keys of its own, a pair would be one head and zeros.
  const pairs = isDefined(ASC_COPRO) ? on_tables() && shared > 1 : on_tables();
  let sX: Scale = 0;
  let i = 0;
  do {
    let y = of_qkv(part(PART_QKV), i);
    for (let h = 0; h < config.n_heads; ) {
      const row = kv_row(layer, h / shared);
      const two = pairs && h % shared != shared - 1;
      const Ca = ready_query(y, kept(i, sq), rotation(i), part(PART_QUERY));
      const Cb = two ? ready_query(y + bytes, kept(i, sq), rotation(i), part(PART_QUERY) + <usize>(2 * head_dim)) : 0;
      const keys = part(PART_KEYS) + row * <usize>head_dim;
      const key_scales = part(PART_KEY_SCALES) + (row << 1);
      const values = part(PART_VALUES) + row * <usize>head_dim;
      const value_scales = part(PART_VALUE_SCALES) + (row << 1);
      const scores = part(PART_SCORES);
      const sums = part(PART_OUTPUT);
      const query = part(PART_QUERY);
      const note = part(PART_HEADS) + ((<usize>h) << 3);
      const positions = pos + i + 1;
      const t = weights.tables;
      if (pairs) {
        attend_pair(
          query,
          Ca,
          Cb,
          two,
          positions,
          head_dim,
          keys,
          key_scales,
          values,
          value_scales,
          t,
          scores,
          sums,
          y,
          note,
        );
      } else {
        store<u32>(
          note,
          attend_head(query, Ca, positions, head_dim, keys, key_scales, values, value_scales, t, scores, sums, y),
        );
      }
      store<i32>(note, bitlen(magnitudes(y, head_dim)), 4);
      if (two) store<i32>(note, bitlen(magnitudes(y + bytes, head_dim)), 12);
      const heads = two ? 2 : 1;
      h += heads;
      y += <usize>heads * bytes;
    }
    sX = join_heads(of_qkv(part(PART_QKV), i), config.n_heads, head_dim, part(PART_HEADS));
    keep(i, sX);
  } while (more(++i, n));
  return sX;
}

/**
 * Query head y i32[head_dim] with scale sq, rotated in place and quantised.
 * @param query i16[head_dim]
 * @returns C
 */
function ready_query(y: usize, sq: Scale, rotation: usize, query: usize): Scale {
  const head_dim = config.head_dim;
  const s = quantise<i16>(y, head_dim, rotate(y, sq, rotation), Q_MAX, query);
  return scale_mul(scale_mul(s, scale(LOG2E_MANT, LOG2E_EXP)), config.attn_scale);
}

/**
 * One head of one position, as a chunk of the SIMD engine's JOB_ATTEND: the query is read from PART_QKV, and its place is where the output belongs.
 *
 *     scratch   note {scale, bit length} | query i16 | y, then the output i32 | sums i64 (head_dim, padded to 8 each) | scores i32 (positions)
 *
 * @param c position * n_heads + head
 * @param direct the output and its note to their places, else they stay in the scratch until attend_chunk_done
 */
export function attend_chunk(job: Job, c: i32, scratch: usize, direct: bool): void {
  const head_dim = config.head_dim;
  const i = c / config.n_heads;
  const h = c % config.n_heads;
  const width = <usize>((head_dim + 7) & ~7);
  const query = scratch + 64;
  const y = query + (width << 1);
  const sums = y + (width << 2);
  const scores = sums + (width << 3);
  const place = attention_place(job, i, h);
  const row = kv_row(job.layer, h / (config.n_heads / config.n_kv_heads));
  memory.copy(y, place, (<usize>head_dim) << 2);
  const C = ready_query(y, kept(i, 0), vector(part(PART_ROPE), i, (<usize>head_dim) << 1), query);
  const o = direct ? place : y;
  const note = direct ? attention_note(i, h) : scratch;
  const keys = part(PART_KEYS) + row * <usize>head_dim;
  const key_scales = part(PART_KEY_SCALES) + (row << 1);
  const values = part(PART_VALUES) + row * <usize>head_dim;
  const value_scales = part(PART_VALUE_SCALES) + (row << 1);
  const n = job.pos + i + 1;
  const t = weights.tables;
  store<u32>(note, attend_head(query, C, n, head_dim, keys, key_scales, values, value_scales, t, scores, sums, o));
  store<i32>(note, bitlen(magnitudes(o, head_dim)), 4);
}

export function attend_chunk_done(job: Job, c: i32, scratch: usize): void {
  const head_dim = config.head_dim;
  const i = c / config.n_heads;
  const h = c % config.n_heads;
  const y = scratch + 64 + <usize>(((head_dim + 7) & ~7) << 1);
  memory.copy(attention_place(job, i, h), y, (<usize>head_dim) << 2);
  memory.copy(attention_note(i, h), scratch, 8);
}

@inline
function attention_place(job: Job, i: i32, h: i32): usize {
  return part(PART_QKV) + ((<usize>(i * job.acc_stride + h * config.head_dim)) << 2);
}

@inline
function attention_note(i: i32, h: i32): usize {
  return part(PART_HEADS) + ((<usize>(i * config.n_heads + h)) << 3);
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
