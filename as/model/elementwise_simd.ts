/**
 * What is done to each entry of a vector, four at a time: the engine's own, bit for bit what the loops do that call it and finish the rest. Between the
 * products of a large model these loops were a tenth of a token, and half of what a second thread could not share.
 *
 * Each function takes the first entries, a multiple of 4 or 8, and says how many.
 */

/** round_shift(v, s) of numeric.ts, |s| < 32. */
@inline
function shifted(v: v128, s: i32): v128 {
  if (s <= 0) return i32x4.shl(v, -s);
  return i32x4.shr_s(i32x4.add(i32x4.shr_s(v, s - 1), i32x4.splat(1)), 1);
}

@inline
function or_of_lanes(v: v128): u32 {
  return i32x4.extract_lane(v, 0) | i32x4.extract_lane(v, 1) | i32x4.extract_lane(v, 2) | i32x4.extract_lane(v, 3);
}

/** All magnitudes of x i32[n & ~3] in one word. */
export function magnitudes_simd(x: usize, n: i32): u32 {
  let all = i32x4.splat(0);
  for (const end = x + ((<usize>(n & ~3)) << 2); x < end; x += 16) all = v128.or(all, i32x4.abs(v128.load(x)));
  return or_of_lanes(all);
}

/** x[i] = round_shift(x[i], d), |d| < 32. */
export function shift_simd(x: usize, n: i32, d: i32): i32 {
  const done = n & ~3;
  for (const end = x + ((<usize>done) << 2); x < end; x += 16) v128.store(x, shifted(v128.load(x), d));
  return done;
}

/** Largest |x[i] * gain[i]| of the first n & ~3. @param all receives u32, their |x| in one word */
export function max_product_simd(x: usize, gain: usize, n: i32, all: usize): u64 {
  let a = i32x4.splat(0);
  let best = i64x2.splat(0);
  for (const end = x + ((<usize>(n & ~3)) << 2); x < end; x += 16) {
    const m = i32x4.abs(v128.load(x));
    const g = i32x4.abs(v128.load_ext<i16>(gain));
    a = v128.or(a, m);
    const low = i64x2.extmul_low_i32x4_u(m, g);
    const high = i64x2.extmul_high_i32x4_u(m, g);
    best = v128.bitselect(low, best, i64x2.gt_s(low, best));
    best = v128.bitselect(high, best, i64x2.gt_s(high, best));
    gain += 8;
  }
  store<u32>(all, or_of_lanes(a));
  return <u64>max<i64>(i64x2.extract_lane(best, 0), i64x2.extract_lane(best, 1));
}

/** Sum of round_shift(x[i], k)^2 of the first n & ~3, which have 16 bits. */
export function sum_of_squares_simd(x: usize, n: i32, k: i32): u64 {
  let sum = i64x2.splat(0);
  for (const end = x + ((<usize>(n & ~3)) << 2); x < end; x += 16) {
    const y = shifted(v128.load(x), k);
    sum = i64x2.add(sum, i64x2.add(i64x2.extmul_low_i32x4_s(y, y), i64x2.extmul_high_i32x4_s(y, y)));
  }
  return <u64>(i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1));
}

/** q[i] = (round_shift(x[i] * gain[i], rest + 17) * r + half) >> z, i16. */
export function norm_simd(x: usize, gain: usize, n: i32, rest: i32, r: i32, half: i32, z: i32, q: usize): i32 {
  const done = n & ~7;
  for (const end = q + ((<usize>done) << 1); q < end; q += 16) {
    const a = normed_four(v128.load(x), v128.load_ext<i16>(gain), rest, r, half, z);
    const b = normed_four(v128.load(x, 16), v128.load_ext<i16>(gain, 8), rest, r, half, z);
    v128.store(q, i16x8.narrow_i32x4_s(a, b));
    x += 32;
    gain += 16;
  }
  return done;
}

@inline
function normed_four(word: v128, g: v128, rest: i32, r: i32, half: i32, z: i32): v128 {
  const upper = i32x4.mul(i32x4.shr_s(word, 16), g);
  const lower = i32x4.shr_s(i32x4.mul(v128.and(word, i32x4.splat(0xffff)), g), 16);
  const t = i32x4.shr_s(i32x4.add(i32x4.shr_s(i32x4.add(upper, lower), rest), i32x4.splat(1)), 1);
  return i32x4.shr_s(i32x4.add(i32x4.mul(t, i32x4.splat(r)), i32x4.splat(half)), z);
}

/** g[i] = round_shift(round_shift(max(g[i], 0), d)^2 * u[i], 15): squared ReLU. */
export function relu2_simd(g: usize, u: usize, n: i32, d: i32): i32 {
  const done = n & ~3;
  for (const end = g + ((<usize>done) << 2); g < end; g += 16) {
    const G = shifted(i32x4.max_s(v128.load(g), i32x4.splat(0)), d);
    const a = i32x4.mul(G, G);
    const b = v128.load(u);
    const upper = i32x4.mul(i32x4.shr_s(a, 15), b);
    const lower = i32x4.mul(v128.and(a, i32x4.splat(0x7fff)), b);
    v128.store(g, i32x4.add(upper, i32x4.shr_s(i32x4.add(lower, i32x4.splat(16384)), 15)));
    u += 16;
  }
  return done;
}

/** x[i] += round_shift(y[i] * m, shift), 0 < shift < 32, as far as all four y have 16 bits and no sum leaves 32. */
export function add_simd(x: usize, y: usize, n: i32, m: i32, shift: i32): i32 {
  const from = x;
  for (const end = x + ((<usize>(n & ~3)) << 2); x < end; x += 16) {
    const v = v128.load(y);
    const is_small = i32x4.lt_u(i32x4.add(v, i32x4.splat(0x8000)), i32x4.splat(0x10000));
    if (!i32x4.all_true(is_small)) break;
    const before = v128.load(x);
    const add = shifted(i32x4.mul(v, i32x4.splat(m)), shift);
    const sum = i32x4.add(before, add);
    const overflow = v128.and(v128.xor(before, sum), v128.xor(add, sum));
    if (i32x4.bitmask(overflow) != 0) break;
    v128.store(x, sum);
    y += 16;
  }
  return <i32>((x - from) >> 2);
}
