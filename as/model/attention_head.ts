/**
 * One attention head on an int8 KV cache with an integer softmax: a function of pointers. The letters are those of NUMERICS.md, "Attention".
 */
import { TAB_EXP2 } from "../../spec/image.ts";
import { kv_exp, kv_mant } from "./kv.ts";
import { absmax, bitlen, bitlen64, exponent, mant, round_shift64, Scale, sat32, scale, scale_of } from "./numeric.ts";

/** Weights of 15 bits times values of 7 bits: sums of this many positions fit 32 bits. */
const CHUNK = 512;
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
  let largest = i32.MIN_VALUE;
  for (let j = 0; j < n; j++) {
    const word = load<u16>(key_scales + ((<usize>j) << 1));
    let z = 0;
    if (word != 0) {
      const product = <i64>dot(q, keys, head_dim) * <i64>(kv_mant(word) * mant(C));
      z = sat32(round_shift64(product, -(exponent(C) + kv_exp(word) + 16)));
    }
    store<i32>(scores + ((<usize>j) << 2), z);
    largest = max(largest, z);
    keys += <usize>head_dim;
  }
  return largest;
}

/** q i16[n] . k i8[n]; n is even. */
@inline
function dot(q: usize, k: usize, n: i32): i32 {
  let sum = 0;
  const end = k + <usize>n;
  while (k < end) {
    sum += <i32>load<i16>(q) * <i32>load<i8>(k) + <i32>load<i16>(q, 2) * <i32>load<i8>(k, 1);
    q += 4;
    k += 2;
  }
  return sum;
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

/** sums[i] = sum of w[j] * v[j][i]: two columns at a time in registers, in chunks that fit 32 bits. head_dim is even. */
function sum_values(w: usize, n: i32, head_dim: i32, values: usize, sums: usize): void {
  memory.fill(sums, 0, (<usize>head_dim) << 3);
  for (let start = 0; start < n; start += CHUNK) {
    const end = w + ((<usize>min(CHUNK, n - start)) << 2);
    for (let i = 0; i < head_dim; i += 2) {
      let a = 0;
      let b = 0;
      let v = values + <usize>i;
      for (let p = w; p < end; p += 4) {
        const weight = load<i32>(p);
        if (weight != 0) {
          a += weight * <i32>load<i8>(v);
          b += weight * <i32>load<i8>(v, 1);
        }
        v += <usize>head_dim;
      }
      const at = sums + ((<usize>i) << 3);
      store<i64>(at, load<i64>(at) + <i64>a);
      store<i64>(at, load<i64>(at, 8) + <i64>b, 8);
    }
    w = end;
    values += <usize>(CHUNK * head_dim);
  }
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
