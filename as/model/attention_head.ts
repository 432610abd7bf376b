/**
 * One attention head on an int8 KV cache with an integer softmax: a function of pointers. The letters are those of NUMERICS.md, "Attention".
 */
import { TAB_EXP2 } from "../../spec/image.ts";
import { columns_int8 } from "../kernels/columns_int8.ts";
import { columns_int8_simd } from "../kernels/columns_int8_simd.ts";
import { ENGINE_SIMD } from "../kernels/engine.ts";
import { rows_int8 } from "../kernels/rows_int8.ts";
import { rows_int8_simd } from "../kernels/rows_int8_simd.ts";
import { run } from "../memory/run_state.ts";
import { kv_exp, kv_mant } from "./kv.ts";
import { absmax, bitlen, bitlen64, exponent, mant, round_shift64, Scale, sat32, scale, scale_of } from "./numeric.ts";

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
  const largest = score(q, C, n, head_dim, keys, key_scales, scores);
  const P = soften(scores, n, largest, tables + TAB_EXP2);
  const ev = weigh(scores, n, value_scales);
  if (ev == i32.MIN_VALUE) {
    memory.fill(o, 0, (<usize>head_dim) << 2);
    return 0;
  }
  const sh = shorten_weights(scores, n);
  sum_values(scores, n, head_dim, values, sums);
  const so = scale_of((1 << 46) / P, ev + sh - 46);
  return scale(mant(so), exponent(so) + shorten_output(sums, head_dim, o));
}

/** z[j] = log2 of e^(q . k / sqrt(head_dim)) with 16 fraction bits; returns the largest. */
function score(q: usize, C: Scale, n: i32, head_dim: i32, keys: usize, key_scales: usize, scores: usize): i32 {
  products(q, n, head_dim, keys, scores);
  let largest = i32.MIN_VALUE;
  for (let j = 0; j < n; j++) {
    const word = load<u16>(key_scales + ((<usize>j) << 1));
    const at = scores + ((<usize>j) << 2);
    let z = 0;
    if (word != 0) {
      const product = <i64>load<i32>(at) * <i64>(kv_mant(word) * mant(C));
      z = sat32(round_shift64(product, -(exponent(C) + kv_exp(word) + 16)));
    }
    store<i32>(at, z);
    largest = max(largest, z);
  }
  return largest;
}

/** scores[j] = q . k[j]. */
function products(q: usize, n: i32, head_dim: i32, keys: usize, scores: usize): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      rows_int8_simd(keys, n, head_dim, q, scores);
      return;
    }
  }
  rows_int8(keys, n, head_dim, q, scores);
}

/** z -> p = 2^(z - largest) with 15 fraction bits; returns their sum. */
function soften(scores: usize, n: i32, largest: i32, exp2: usize): u64 {
  let P: u64 = 0;
  const end = scores + ((<usize>n) << 2);
  for (; scores < end; scores += 4) {
    const D = <u32>largest - <u32>load<i32>(scores);
    let p: u32 = 0;
    if (D < 1 << 31) {
      const d = (D + 128) >> 8;
      const i = d >> 8;
      if (i <= 15) p = <u32>load<u16>(exp2 + ((<usize>(d & 255)) << 1)) >> i;
    }
    store<u32>(scores, p);
    P += p;
  }
  return P;
}

/** p -> g = p times the value's scale, over 2^ev. Returns ev, the largest exponent that contributes; i32.MIN_VALUE when none does. */
function weigh(scores: usize, n: i32, value_scales: usize): i32 {
  let ev = i32.MIN_VALUE;
  for (let j = 0; j < n; j++) {
    const word = load<u16>(value_scales + ((<usize>j) << 1));
    if (word != 0 && load<u32>(scores + ((<usize>j) << 2)) != 0) ev = max(ev, kv_exp(word));
  }
  if (ev == i32.MIN_VALUE) return ev;
  for (let j = 0; j < n; j++) {
    const at = scores + ((<usize>j) << 2);
    const word = load<u16>(value_scales + ((<usize>j) << 1));
    const p = load<u32>(at);
    store<u32>(at, word != 0 && p != 0 ? (p * kv_mant(word)) >> min(31, ev - kv_exp(word)) : 0);
  }
  return ev;
}

/** g -> w of at most 15 bits; returns the shift. */
function shorten_weights(scores: usize, n: i32): i32 {
  const sh = max(0, bitlen(absmax(scores, n)) - 15);
  const end = scores + ((<usize>n) << 2);
  for (; scores < end; scores += 4) store<u32>(scores, load<u32>(scores) >> sh);
  return sh;
}

/** sums[i] = sum of w[j] * v[j][i]. */
function sum_values(w: usize, n: i32, head_dim: i32, values: usize, sums: usize): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      columns_int8_simd(values, n, head_dim, w, sums);
      return;
    }
  }
  columns_int8(values, n, head_dim, w, sums);
}

/** The sums with at most 24 bits; returns by how many they were shortened. */
function shorten_output(sums: usize, head_dim: i32, o: usize): i32 {
  let largest: u64 = 0;
  for (let i = 0; i < head_dim; i++) {
    const v = load<i64>(sums + ((<usize>i) << 3));
    largest = max<u64>(largest, v < 0 ? -v : v);
  }
  const d = max(0, bitlen64(largest) - OUTPUT_BITS);
  for (let i = 0; i < head_dim; i++) {
    store<i32>(o + ((<usize>i) << 2), <i32>round_shift64(load<i64>(sums + ((<usize>i) << 3)), d));
  }
  return d;
}
