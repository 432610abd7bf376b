/**
 * Kernel BR: A3 (ternary_simd.ts) on two loads at once, written so that V8's revectoriser (--experimental-wasm-revectorize, Node 24) makes one 256-bit
 * instruction of each pair of 128-bit ones. That needs pairs of the same operation all the way: from two loads 16 bytes apart, weights, activations and
 * what groups begin with, over masks and zeros that stand twice in memory, to accumulators that are stored 16 bytes apart, and no other store within the
 * loops that lead there. The even 8 columns of a step are summed in the first of a pair, the odd 8 in the second: 8 lanes, in which a group ends when the
 * sum of |x| of one of them exceeds LANE_MAX (8 steps always fit).
 *
 * Measured on Zen 4, Node 24: 1.8 times A3 with the flag, 0.7 times without; A3 itself gains 1.3 with it.
 */
import { add_rows, copy_padded, first_high, first_low } from "./ternary_simd.ts";
import { padded_cols, TILE_ROWS } from "./ternary_tiles.ts";

const LANE_MAX = 2047;
/** A prepared group: what A + 4096 B and 4 A + 16384 B begin with, two i32x4 each, and where it ends. */
const GROUP_BYTES = 96;
const GROUP_HIGH = 32;
const GROUP_END = 64;
/** Groups between two flushes, where the two lanes of a pair become one: 2 * 32 * 2047 * 16388 < 2^31. */
const FLUSH = 32;
/** Columns of the shortest group. */
const GROUP_COLS = 128;
/** The scratch: masks and a zero, twice each, then the sums. */
const SUMS = 96;
/** Bytes of a row pair's sums: s twice, t twice. */
const PAIR = 64;

/** Bytes of a prepared vector: i16 (cols padded to 16), then the groups. */
export function wide_prepared(cols: i32): i32 {
  const padded = padded_cols(cols);
  return (padded << 1) + ((padded + GROUP_COLS - 1) / GROUP_COLS) * GROUP_BYTES;
}

/** As simd_prepare. */
export function wide_prepare(x: usize, cols: i32, p: usize): void {
  const end = copy_padded(x, cols, p);
  const ones = i16x8.splat(1);
  const most = i32x4.splat(LANE_MAX);
  let group = end;
  let y = p;
  while (y < end) {
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    let even_all = i32x4.splat(0);
    let odd_all = i32x4.splat(0);
    do {
      const z0 = v128.load(y);
      const z1 = v128.load(y, 16);
      even_all = i32x4.add(even_all, i32x4.dot_i16x8_s(i16x8.abs(z0), ones));
      odd_all = i32x4.add(odd_all, i32x4.dot_i16x8_s(i16x8.abs(z1), ones));
      if (v128.any_true(i32x4.gt_s(i32x4.max_s(even_all, odd_all), most))) break;
      even = i32x4.sub(even, i32x4.dot_i16x8_s(z0, ones));
      odd = i32x4.sub(odd, i32x4.dot_i16x8_s(z1, ones));
      y += 32;
    } while (y < end);
    v128.store(group, first_low(even));
    v128.store(group, first_low(odd), 16);
    v128.store(group, first_high(even), GROUP_HIGH);
    v128.store(group, first_high(odd), GROUP_HIGH + 16);
    store<u32>(group, <u32>(y - p), GROUP_END);
    group += GROUP_BYTES;
  }
}

/**
 * As ternary_simd, for vectors of wide_prepare.
 * @param scratch 352 bytes, 16-byte aligned
 */
export function ternary_wide(w: usize, rows: i32, cols: i32, p: usize, acc: usize, scratch: usize): void {
  v128.store(scratch, i16x8.splat(0x3003));
  v128.store(scratch, i16x8.splat(0x3003), 16);
  v128.store(scratch, i16x8.splat(<i16>0xc00c), 32);
  v128.store(scratch, i16x8.splat(<i16>0xc00c), 48);
  v128.store(scratch, i32x4.splat(0), 64);
  v128.store(scratch, i32x4.splat(0), 80);
  const low = v128.load(scratch);
  const low_o = v128.load(scratch, 16);
  const high = v128.load(scratch, 32);
  const high_o = v128.load(scratch, 48);
  const zero = v128.load(scratch, 64);
  const zero_o = v128.load(scratch, 80);
  const end = p + ((<usize>padded_cols(cols)) << 1);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += TILE_ROWS << 2) {
    v128.store(acc, i32x4.splat(0));
    v128.store(acc, i32x4.splat(0), 16);
    let y = p;
    let group = end;
    while (y < end) {
      // Names with _o are the second of a pair.
      let s0 = zero;
      let s0_o = zero_o;
      let s2 = zero;
      let s2_o = zero_o;
      let s4 = zero;
      let s4_o = zero_o;
      let s6 = zero;
      let s6_o = zero_o;
      let t0 = zero;
      let t0_o = zero_o;
      let t2 = zero;
      let t2_o = zero_o;
      let t4 = zero;
      let t4_o = zero_o;
      let t6 = zero;
      let t6_o = zero_o;
      const flush = group + FLUSH * GROUP_BYTES;
      do {
        let a0 = v128.load(group);
        let a0_o = v128.load(group, 16);
        let a2 = v128.load(group, GROUP_HIGH);
        let a2_o = v128.load(group, GROUP_HIGH + 16);
        let a4 = a0;
        let a4_o = a0_o;
        let a6 = a2;
        let a6_o = a2_o;
        const group_end = min(end, p + <usize>load<u32>(group, GROUP_END)); // see product_rows in simd.ts
        group += GROUP_BYTES;
        do {
          const v = v128.load(w);
          const v_o = v128.load(w, 16);
          const u = v128.load(w, 1);
          const u_o = v128.load(w, 17);
          const z = v128.load(y);
          const z_o = v128.load(y, 16);
          a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.and(v, low), z));
          a0_o = i32x4.add(a0_o, i32x4.dot_i16x8_s(v128.and(v_o, low_o), z_o));
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.and(v, high), z));
          a2_o = i32x4.add(a2_o, i32x4.dot_i16x8_s(v128.and(v_o, high_o), z_o));
          a4 = i32x4.add(a4, i32x4.dot_i16x8_s(v128.and(u, low), z));
          a4_o = i32x4.add(a4_o, i32x4.dot_i16x8_s(v128.and(u_o, low_o), z_o));
          a6 = i32x4.add(a6, i32x4.dot_i16x8_s(v128.and(u, high), z));
          a6_o = i32x4.add(a6_o, i32x4.dot_i16x8_s(v128.and(u_o, high_o), z_o));
          w += 32;
          y += 32;
        } while (y < group_end);
        t0 = i32x4.add(t0, a0);
        t0_o = i32x4.add(t0_o, a0_o);
        t2 = i32x4.add(t2, a2);
        t2_o = i32x4.add(t2_o, a2_o);
        t4 = i32x4.add(t4, a4);
        t4_o = i32x4.add(t4_o, a4_o);
        t6 = i32x4.add(t6, a6);
        t6_o = i32x4.add(t6_o, a6_o);
        s0 = i32x4.add(s0, i32x4.shr_s(i32x4.shl(a0, 20), 20));
        s0_o = i32x4.add(s0_o, i32x4.shr_s(i32x4.shl(a0_o, 20), 20));
        s2 = i32x4.add(s2, i32x4.shr_s(i32x4.shl(a2, 18), 18));
        s2_o = i32x4.add(s2_o, i32x4.shr_s(i32x4.shl(a2_o, 18), 18));
        s4 = i32x4.add(s4, i32x4.shr_s(i32x4.shl(a4, 20), 20));
        s4_o = i32x4.add(s4_o, i32x4.shr_s(i32x4.shl(a4_o, 20), 20));
        s6 = i32x4.add(s6, i32x4.shr_s(i32x4.shl(a6, 18), 18));
        s6_o = i32x4.add(s6_o, i32x4.shr_s(i32x4.shl(a6_o, 18), 18));
      } while (y < end && group < flush);
      const sums = scratch + SUMS;
      v128.store(sums, s0);
      v128.store(sums, s0_o, 16);
      v128.store(sums, t0, 32);
      v128.store(sums, t0_o, 48);
      v128.store(sums, s2, PAIR);
      v128.store(sums, s2_o, PAIR + 16);
      v128.store(sums, t2, PAIR + 32);
      v128.store(sums, t2_o, PAIR + 48);
      v128.store(sums, s4, 2 * PAIR);
      v128.store(sums, s4_o, 2 * PAIR + 16);
      v128.store(sums, t4, 2 * PAIR + 32);
      v128.store(sums, t4_o, 2 * PAIR + 48);
      v128.store(sums, s6, 3 * PAIR);
      v128.store(sums, s6_o, 3 * PAIR + 16);
      v128.store(sums, t6, 3 * PAIR + 32);
      v128.store(sums, t6_o, 3 * PAIR + 48);
      add_four(acc, sums);
      add_four(acc + 16, sums + 2 * PAIR);
    }
    w += 16;
  }
}

/** Four rows: both halves of their sums to one, then as in A3. Not inlined: it is no part of the pairs. */
function add_four(acc: usize, sums: usize): void {
  add_rows(acc, both(sums), both(sums + 32), both(sums + PAIR), both(sums + PAIR + 32));
}

@inline
function both(p: usize): v128 {
  return i32x4.add(v128.load(p), v128.load(p, 16));
}
