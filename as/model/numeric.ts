/**
 * Fixed point with explicit scales: the notation of NUMERICS.md as code. Everything is an integer; where a 32-bit route gives the same
 * result it is taken, because Cortex-M0+ multiplies 32 bits in one cycle and 64 bits in a function.
 */
import { SCALE_ONE } from "../../spec/numerics.ts";
import { magnitudes_simd } from "./elementwise_simd.ts";

/**
 * m * 2^e in one word, as the image stores it: zero is the word 0.
 *
 *     | e, 16 bits, signed | m, 16 bits: 0 or 32768..65535 |
 */
export type Scale = u32;

@inline
export function scale(m: u32, e: i32): Scale {
  return (m & 0xffff) | ((<u32>e) << 16);
}

@inline
export function mant(s: Scale): u32 {
  return s & 0xffff;
}

@inline
export function exponent(s: Scale): i32 {
  return <i32>s >> 16;
}

@inline
export function bitlen(v: u32): i32 {
  return 32 - <i32>clz(v);
}

@inline
export function bitlen64(v: u64): i32 {
  return 64 - <i32>clz(v);
}

/** |v| as u32, right for -2^31 too. */
@inline
export function magnitude(v: i32): u32 {
  return v < 0 ? 0 - <u32>v : <u32>v;
}

/** round_shift for results that fit 32 bits. Floor twice in place of adding a half, which could overflow; left shifts by at most 31. */
@inline
export function round_shift(v: i32, s: i32): i32 {
  if (s <= 0) return v << -s;
  return s > 32 ? 0 : ((v >> (s - 1)) + 1) >> 1;
}

/** round_shift of any shift; a left shift saturates at +-2^62. */
export function round_shift64(v: i64, s: i32): i64 {
  if (s > 62) return 0;
  if (s > 0) return ((v >> (s - 1)) + 1) >> 1;
  if (v == 0) return 0;
  const length = bitlen64(v < 0 ? 0 - <u64>v : <u64>v);
  if (length - s > 62) return v < 0 ? -(1 << 62) : 1 << 62;
  return v << -s;
}

@inline
export function sat32(v: i64): i32 {
  return <i32>max<i64>(i32.MIN_VALUE, min<i64>(i32.MAX_VALUE, v));
}

/** The scale nearest to v * 2^e, v < 2^63. */
export function scale_of(v: u64, e: i32): Scale {
  if (v == 0) return 0;
  let n = bitlen64(v) - 16;
  let m = <u32>round_shift64(v, n);
  if (m == SCALE_ONE << 1) {
    m = SCALE_ONE;
    n++;
  }
  return scale(m, e + n);
}

@inline
export function scale_mul(a: Scale, b: Scale): Scale {
  const v = mant(a) * mant(b); // 0, or 2^30 .. 2^32 - 2^17: room for the half
  if (v == 0) return 0;
  let n = (v >> 31) + 15;
  let m = (v + (1 << (n - 1))) >> n;
  if (m == SCALE_ONE << 1) {
    m = SCALE_ONE;
    n++;
  }
  return scale(m, exponent(a) + exponent(b) + <i32>n);
}

/**
 * round_shift(v * m, s), saturated to 32 bits. The product has 48 bits; two halves of it are enough for nearly everything, and
 * Cortex-M0+ has no longer multiplication.
 *
 *     v * m = high * 2^16 + (lower mod 2^16)
 */
@inline
export function mul_round_shift(v: i32, m: u32, s: i32): i32 {
  if (s > 0 && s <= 46 && <u32>v + 0x40000000 < <u32>0x80000000) {
    const lower = (<u32>v & 0xffff) * m;
    const high = (v >> 16) * <i32>m + <i32>(lower >> 16);
    // Bits 0-15 of the product cannot change a result that begins at bit 17.
    if (s >= 17) return ((high >> (s - 17)) + 1) >> 1;
    // Otherwise they belong to it, if it fits 30 bits.
    const bound: u32 = 1 << (13 + s);
    if (<u32>high + bound < bound + bound) return (((high << (17 - s)) | ((lower & 0xffff) >> (s - 1))) + 1) >> 1;
  }
  return mul_round_shift64(v, m, s);
}

function mul_round_shift64(v: i32, m: u32, s: i32): i32 {
  return sat32(round_shift64(<i64>v * <i64>m, s));
}

/** a + b, saturated to 32 bits. */
@inline
export function add_sat(a: i32, b: i32): i32 {
  const sum = a + b;
  if (((a ^ sum) & (b ^ sum)) < 0) return a < 0 ? i32.MIN_VALUE : i32.MAX_VALUE;
  return sum;
}

/** v * s as fixed point with `frac` fraction bits. */
@inline
export function apply(v: i32, s: Scale, frac: i32): i32 {
  return mul_round_shift(v, mant(s), -(exponent(s) + frac));
}

/** floor of the square root. */
export function isqrt(v: u64): u32 {
  let root: u64 = 0;
  let bit: u64 = 1 << 62;
  while (bit > v) bit >>= 2;
  while (bit != 0) {
    const trial = root + bit;
    root >>= 1;
    if (v >= trial) {
      v -= trial;
      root += bit;
    }
    bit >>= 2;
  }
  return <u32>root;
}

/** A number as long as max |x[i]|: all magnitudes in one word. For whoever only asks for its bit length, or for 0. */
export function magnitudes(x: usize, n: i32): u32 {
  let all: u32 = 0;
  const end = x + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    all = magnitudes_simd(x, n);
    x += (<usize>(n & ~3)) << 2;
  }
  for (; x < end; x += 4) all |= magnitude(load<i32>(x));
  return all;
}

/** max |x[i]| of x i32[n]. */
export function absmax(x: usize, n: i32): u32 {
  let largest: u32 = 0;
  const end = x + ((<usize>n) << 2);
  for (; x < end; x += 4) largest = max(largest, magnitude(load<i32>(x)));
  return largest;
}
