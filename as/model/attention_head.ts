/**
 * Attention heads on an int8 KV cache with an integer softmax: functions of pointers. The letters are those of NUMERICS.md, "Attention".
 *
 * Scores of one head stand in i32 `stride` bytes apart: 4, or 8 where two heads that share keys and values are computed together.
 */
import { TAB_EXP2 } from "../../spec/image.ts";
import { KV_EXP_MIN, KV_SCALE_MANT_BITS } from "../../spec/numerics.ts";
import { columns_int8 } from "../kernels/columns_int8.ts";
import { columns_int8_simd } from "../kernels/columns_int8_simd.ts";
import { ENGINE_SIMD } from "../kernels/engine.ts";
import { rows_int8 } from "../kernels/rows_int8.ts";
import { rows_int8_simd } from "../kernels/rows_int8_simd.ts";
import { run } from "../memory/run_state.ts";
import { own_memory } from "../memory/thread.ts";
import { kv_exp, kv_mant } from "./kv.ts";
import { pair_scores, pair_values } from "./lut_engine.ts";
import {
  bitlen,
  bitlen64,
  exponent,
  mant,
  mul_round_shift,
  round_shift64,
  Scale,
  sat32,
  scale,
  scale_of,
} from "./numeric.ts";

/** Bits of a head's output. */
const OUTPUT_BITS = 24;

/**
 * One head over n positions.
 * @param q i16[head_dim], |q| <= 2047
 * @param C scale of q * log2(e) / sqrt(head_dim)
 * @param keys,values i8 (n, head_dim)
 * @param key_scales,value_scales u16[n]
 * @param scores i32[n], scratch
 * @param sums i64[head_dim], scratch
 * @param o i32[head_dim], at most 24 bits
 * @returns the scale of o
 */
export function attend_head(
  q: usize,
  C: Scale,
  n: i32,
  head_dim: i32,
  keys: usize,
  key_scales: usize,
  values: usize,
  value_scales: usize,
  tables: usize,
  scores: usize,
  sums: usize,
  o: usize,
): Scale {
  products(q, n, head_dim, keys, scores);
  const so = weights_of(scores, 4, n, C, key_scales, value_scales, tables);
  sum_values(scores, n, head_dim, values, sums);
  return output(so, sums, head_dim, o);
}

/**
 * Two heads with the same keys and values, as attend_head.
 * @param q i16 (2, head_dim)
 * @param Ca,Cb their scales; Cb is not read when there is no second head
 * @param scores i32[2 * n], sums i64[2 * head_dim], 8-byte aligned: scratch
 * @param o i32 (2, head_dim), or (1, head_dim)
 * @param notes the scale of each o, 8 bytes apart
 */
export function attend_pair(
  q: usize,
  Ca: Scale,
  Cb: Scale,
  two: bool,
  n: i32,
  head_dim: i32,
  keys: usize,
  key_scales: usize,
  values: usize,
  value_scales: usize,
  tables: usize,
  scores: usize,
  sums: usize,
  o: usize,
  notes: usize,
): void {
  const second = (<usize>head_dim) << 1;
  if (!two) memory.fill(q + second, 0, second);
  pair_scores(keys, n, head_dim, q, q + second, scores);
  const a = weights_of(scores, 8, n, Ca, key_scales, value_scales, tables);
  let b: Scale = 0;
  if (two) b = weights_of(scores + 4, 8, n, Cb, key_scales, value_scales, tables);
  pair_values(values, n, head_dim, scores, sums);
  store<u32>(notes, output(a, sums, head_dim, o));
  if (two) {
    store<u32>(notes, output(b, sums + ((<usize>head_dim) << 3), head_dim, o + ((<usize>head_dim) << 2)), 8);
  }
}

/**
 * Scores -> w, the softmax times the values' scales.
 * @returns the scale of the weighted sum; 0, and all w = 0, when no position contributes
 */
function weights_of(
  scores: usize,
  stride: usize,
  n: i32,
  C: Scale,
  key_scales: usize,
  value_scales: usize,
  tables: usize,
): Scale {
  const largest = scale_scores(scores, stride, n, C, key_scales);
  const ev = soften(scores, stride, n, largest, value_scales, tables + TAB_EXP2);
  if (ev == i32.MIN_VALUE) {
    const end = scores + <usize>n * stride;
    for (; scores < end; scores += stride) store<u32>(scores, 0);
    return 0;
  }
  const sh = weigh(scores, stride, n, value_scales, ev);
  return scale_of((1 << 46) / load<u64>(soft_sum()), ev + sh - 46);
}

/** u64: P of the softmax that this thread computed last. */
@inline
function soft_sum(): usize {
  return ASC_FEATURE_THREADS ? own_memory() : SOFT_SUM;
}

@lazy
const SOFT_SUM: usize = memory.data(8, 8);

/** q . k[j] -> z[j], log2 of e^(q . k / sqrt(head_dim)) with 16 fraction bits; returns the largest. */
function scale_scores(scores: usize, stride: usize, n: i32, C: Scale, key_scales: usize): i32 {
  let largest = i32.MIN_VALUE;
  const c = mant(C);
  const shift = -(exponent(C) + 16 + KV_EXP_MIN);
  const end = key_scales + ((<usize>n) << 1);
  for (; key_scales < end; key_scales += 2) {
    const word = <u32>load<u16>(key_scales);
    let z = 0;
    if (word != 0) {
      const s = shift - <i32>(word >> KV_SCALE_MANT_BITS);
      const dot = load<i32>(scores);
      if (<u32>dot + (1 << 19) < 1 << 20) z = mul_round_shift(dot * <i32>kv_mant(word), c, s);
      else z = sat32(round_shift64(<i64>dot * <i64>(kv_mant(word) * c), s));
    }
    store<i32>(scores, z);
    scores += stride;
    largest = max(largest, z);
  }
  return largest;
}

/** q . k[j] for one head. */
function products(q: usize, n: i32, head_dim: i32, keys: usize, scores: usize): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      rows_int8_simd(keys, n, head_dim, q, scores);
      return;
    }
  }
  rows_int8(keys, n, head_dim, q, scores);
}

/**
 * z -> p = 2^(z - largest) with 15 fraction bits; their sum is at soft_sum().
 * @returns ev, the largest exponent of a value that contributes; i32.MIN_VALUE when none does
 */
function soften(scores: usize, stride: usize, n: i32, largest: i32, value_scales: usize, exp2: usize): i32 {
  let P: u64 = 0;
  let ev = i32.MIN_VALUE;
  const end = value_scales + ((<usize>n) << 1);
  for (; value_scales < end; value_scales += 2) {
    const D = <u32>largest - <u32>load<i32>(scores);
    let p: u32 = 0;
    if (D < 16 << 16) {
      const d = (D + 128) >> 8;
      // i = 16 only where D rounds up to it: EXP2[0] >> 16 is 0 as well.
      p = <u32>load<u16>(exp2 + ((<usize>(d & 255)) << 1)) >> (d >> 8);
      const word = <u32>load<u16>(value_scales);
      if (word != 0 && p != 0) ev = max(ev, kv_exp(word));
      P += p;
    }
    store<u32>(scores, p);
    scores += stride;
  }
  store<u64>(soft_sum(), P);
  return ev;
}

/** p -> w = p times the value's scale, over 2^ev, with at most 15 bits; returns by how many bits it was shortened for that. */
function weigh(scores: usize, stride: usize, n: i32, value_scales: usize, ev: i32): i32 {
  const first = scores;
  const end = scores + <usize>n * stride;
  let all: u32 = 0;
  for (; scores < end; scores += stride) {
    const p = load<u32>(scores);
    if (p != 0) {
      const word = <u32>load<u16>(value_scales);
      const g = word != 0 ? (p * kv_mant(word)) >> min(31, ev - kv_exp(word)) : 0;
      store<u32>(scores, g);
      all |= g; // as long as the largest
    }
    value_scales += 2;
  }
  const sh = max(0, bitlen(all) - 15);
  if (sh > 0) for (scores = first; scores < end; scores += stride) store<u32>(scores, load<u32>(scores) >> sh);
  return sh;
}

/** sums[i] = sum of w[j] * v[j][i] of one head. */
function sum_values(w: usize, n: i32, head_dim: i32, values: usize, sums: usize): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      columns_int8_simd(values, n, head_dim, w, sums);
      return;
    }
  }
  columns_int8(values, n, head_dim, w, sums);
}

/**
 * The sums with at most 24 bits.
 * @returns the scale of o
 */
function output(so: Scale, sums: usize, head_dim: i32, o: usize): Scale {
  let all: u64 = 0; // as long as the largest
  const end = sums + ((<usize>head_dim) << 3);
  for (let s = sums; s < end; s += 8) {
    const v = load<i64>(s);
    all |= v < 0 ? -v : v;
  }
  const d = max(0, bitlen64(all) - OUTPUT_BITS);
  for (let s = sums; s < end; s += 8) {
    const v = load<i64>(s);
    store<i32>(o, d == 0 ? <i32>v : <i32>(((v >> (d - 1)) + 1) >> 1));
    o += 4;
  }
  return so == 0 ? 0 : scale(mant(so), exponent(so) + d);
}
