/**
 * Block vectors to small integers: absmax quantisation (BitNet b1.58: 127 / absmax for each token), RMSNorm in front of it, and block
 * normalisation. The letters are those of NUMERICS.md.
 */
import { HEAD_ACT_MAX_WIDE, Q_MAX, QUANT_SHIFT_127, QUANT_SHIFT_2047, QUANT_SHIFT_4095 } from "../../spec/numerics.ts";
import { max_product_simd, norm_simd, shift_simd, sum_of_squares_simd } from "./elementwise_simd.ts";
import {
  absmax,
  bitlen,
  bitlen64,
  exponent,
  isqrt,
  magnitude,
  magnitudes,
  mant,
  round_shift,
  round_shift64,
  Scale,
  scale_of,
} from "./numeric.ts";

@inline
function quant_shift(qmax: i32): i32 {
  if (qmax == HEAD_ACT_MAX_WIDE) return QUANT_SHIFT_4095;
  return qmax == Q_MAX ? QUANT_SHIFT_2047 : QUANT_SHIFT_127;
}

/**
 * absmax quantisation of x i32[n] with scale s.
 * @typeParam T i8 or i16, the type of q
 * @param q T[n], |q| <= qmax (127, 2047 or 4095)
 * @returns the scale of q
 */
export function quantise<T>(x: usize, n: i32, s: Scale, qmax: i32, q: usize): Scale {
  const largest = absmax(x, n);
  if (largest == 0 || mant(s) == 0) {
    zero<T>(q, n);
    return 0;
  }
  const sh = bitlen(largest) - 16;
  const M = shift_u32(largest, sh);
  const z = quant_shift(qmax);
  const r = <i32>(((<u32>qmax) << z) / M);
  const half = 1 << (z - 1);
  const end = x + ((<usize>n) << 2);
  if (sh > 0) {
    for (; x < end; x += 4) {
      const T_i = ((load<i32>(x) >> (sh - 1)) + 1) >> 1;
      store<T>(q, <T>((T_i * r + half) >> z));
      q += sizeof<T>();
    }
  } else {
    for (; x < end; x += 4) {
      store<T>(q, <T>(((load<i32>(x) << -sh) * r + half) >> z));
      q += sizeof<T>();
    }
  }
  return scale_of(((<u64>M * <u64>mant(s)) << 16) / <u64>qmax, exponent(s) + sh - 16);
}

/**
 * RMSNorm with gains, then absmax quantisation. The root cancels in q and remains in the scale.
 * @param x i32[n] with scale s, n <= 32768
 * @param gain i16[n], value gain * 2^gain_exp
 * @param q i16[n]
 * @returns the scale of q
 */
export function norm_quantise(
  x: usize,
  n: i32,
  s: Scale,
  gain: usize,
  gain_exp: i32,
  eps: Scale,
  qmax: i32,
  q: usize,
): Scale {
  const largest = max_product(x, gain, n);
  if (largest == 0 || mant(s) == 0) {
    zero<i16>(q, n);
    return 0;
  }
  const sh = bitlen64(largest) - 16;
  const M = <u32>round_shift64(largest, sh);
  const z = quant_shift(qmax);
  const r = <i32>(((<u32>qmax) << z) / M);
  const half = 1 << (z - 1);
  const k = max(0, bitlen(load<u32>(x_magnitudes)) - 15);
  const v = sum_of_squares(x, n, k) + eps_in_units(eps, n, s, k);
  const end = x + ((<usize>n) << 2);
  if (sh >= 17) {
    // round_shift(x * g, sh) from floor(x * g / 2^16): no product of 64 bits.
    const rest = sh - 17;
    if (ASC_FEATURE_SIMD) {
      const done = <usize>norm_simd(x, gain, n, rest, r, half, z, q);
      x += done << 2;
      gain += done << 1;
      q += done << 1;
    }
    for (; x < end; x += 4) {
      const word = load<i32>(x);
      const g = <i32>load<i16>(gain);
      const t = ((((word >> 16) * g + (((word & 0xffff) * g) >> 16)) >> rest) + 1) >> 1;
      store<i16>(q, (t * r + half) >> z);
      gain += 2;
      q += 2;
    }
  } else {
    for (; x < end; x += 4) {
      const t = <i32>round_shift64(<i64>load<i32>(x) * <i64>load<i16>(gain), sh);
      store<i16>(q, (t * r + half) >> z);
      gain += 2;
      q += 2;
    }
  }

  // The root mean square of x is root * 2^(k - (z1 + z2) / 2), in units of s.
  const z1 = (62 - bitlen64(v)) & ~1;
  const u = (v << z1) / <u64>n;
  const z2 = (62 - bitlen64(u)) & ~1;
  const root = isqrt(u << z2);
  return scale_of(((<u64>M) << 46) / (<u64>root * <u64>qmax), sh + gain_exp - 46 + ((z1 + z2) >> 1) - k);
}

/**
 * Block normalisation of x i32[n] to `bits` bits, in place: |x| <= 2^bits afterwards.
 * @returns d: the scale's exponent grows by it
 */
export function normalise(x: usize, n: i32, bits: i32): i32 {
  const largest = magnitudes(x, n);
  if (largest == 0) return 0;
  const d = bitlen(largest) - bits;
  const end = x + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) x += (<usize>shift_simd(x, n, d)) << 2;
  if (d > 0) for (; x < end; x += 4) store<i32>(x, ((load<i32>(x) >> (d - 1)) + 1) >> 1);
  else if (d < 0) for (; x < end; x += 4) store<i32>(x, load<i32>(x) << -d);
  return d;
}

function zero<T>(q: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<T>(q + <usize>i * sizeof<T>(), 0);
}

@inline
function shift_u32(v: u32, s: i32): u32 {
  return s <= 0 ? v << -s : ((v >> (s - 1)) + 1) >> 1;
}

/** u32: a number as long as max |x[i]|, of the vector that max_product saw last. */
const x_magnitudes: usize = memory.data(4, 4);

/**
 * max |x[i] * gain[i]|, below 2^46: as a pair of words, 16 bits below and 30 above, so that no 64-bit product is needed. Most entries are told
 * to be smaller by the upper halves alone.
 */
function max_product(x: usize, gain: usize, n: i32): u64 {
  let high: u32 = 0;
  let low: u32 = 0;
  let all: u32 = 0;
  const end = x + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    const largest = max_product_simd(x, gain, n, x_magnitudes);
    high = <u32>(largest >> 16);
    low = <u32>largest & 0xffff;
    all = load<u32>(x_magnitudes);
    x += (<usize>(n & ~3)) << 2;
    gain += (<usize>(n & ~3)) << 1;
  }
  for (; x < end; x += 4) {
    const a = magnitude(load<i32>(x));
    all |= a;
    const b = magnitude(load<i16>(gain));
    gain += 2;
    const upper = (a >> 16) * b;
    if (upper + b < high) continue; // the lower half adds less than b
    const lower = (a & 0xffff) * b;
    const h = upper + (lower >> 16);
    const l = lower & 0xffff;
    if (h > high || (h == high && l > low)) {
      high = h;
      low = l;
    }
  }
  store<u32>(x_magnitudes, all);
  return ((<u64>high) << 16) | low;
}

/** Sum of round_shift(x[i], k)^2, below 2^46. */
function sum_of_squares(x: usize, n: i32, k: i32): u64 {
  const one = min(k, 1);
  const before = k - one;
  let sum: u64 = 0;
  const end = x + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    sum = sum_of_squares_simd(x, n, k);
    x += (<usize>(n & ~3)) << 2;
  }
  for (; x < end; x += 4) {
    const y = ((load<i32>(x) >> before) + one) >> one;
    sum += <u64>(<u32>(y * y));
  }
  return sum;
}

/** eps * n / (s * 2^k)^2, at most 2^60. */
function eps_in_units(eps: Scale, n: i32, s: Scale, k: i32): u64 {
  const a = ((<u64>(mant(eps) * <u32>n)) << 31) / <u64>(mant(s) * mant(s));
  const e = round_shift64(a, -(exponent(eps) - 2 * exponent(s) - 2 * k - 31));
  return <u64>min<i64>(e, 1 << 60);
}
