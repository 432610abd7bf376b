/**
 * Kernel A3: the ternary product in WebAssembly SIMD, baseline instructions, any Node. ternary_tiles.ts draws the layout. Exact for |x| <= 127.
 *
 * `v & 0x3003` holds row 0 + 4096 * row 1 of a column in each lane, and one i32x4.dot_i16x8_s multiplies and adds 16 trits: lane = A + 4096 * B, where A
 * and B are sums of two rows. The +1 of the codes is taken back beforehand, by -(sum of x) * 4097. As long as |A| <= 2047, A is the sign-extended low 12
 * bits, and what is left is 4096 * B. `v & 0xC00C` holds 4 * row 2 + 16384 * row 3 likewise, with 14 bits, u rows 4 to 7. Columns are therefore taken in
 * groups, after which the two sums of a lane are taken apart; how long a group may be depends on the activations: |A| is at most the sum of |x| that fell
 * into the lane, and `prepare_simd` ends a group before one exceeds 2047. Four steps always fit (4 * 4 * 127 = 2032), normal activations allow nearly 20.
 * After FLUSH groups all sums are brought home: 64 * 2047 * 16388 < 2^31.
 *
 * Measured on Zen 4, Node 20: 12 vector operations for 64 weights instead of 13 with a rotation in place of the second load (+6 %), long groups instead of
 * groups of 64 columns (+18 %), masks from memory, because V8 builds constants anew in each iteration (29 against 45 Gweights/s), two loads of each kind
 * an iteration, because V8 11 hoists more and spills (64 against 52). Two row tiles at a time spill there too.
 */
import { padded_cols, tile_bytes, TILE_ROWS } from "./ternary_tiles.ts";

/** Largest sum of |x| in a lane of a group. */
const LANE_MAX = 2047;
/** Groups between two flushes. */
export const FLUSH = 64;
/** A prepared group: what A + 4096 B and 4 A + 16384 B begin with, i32x4 each, and where it ends, bytes from the first activation. */
export const GROUP_BYTES = 48;
export const GROUP_HIGH = 16;
export const GROUP_END = 32;
/** Columns of the shortest group. */
const GROUP_COLS = 64;

/** Bytes of a prepared vector: i16 (cols padded to 16), then the groups. */
export function simd_prepared(cols: i32): i32 {
  const padded = padded_cols(cols);
  return (padded << 1) + ((padded + GROUP_COLS - 1) / GROUP_COLS) * GROUP_BYTES;
}

/**
 * Prepares n vectors whose groups end at the same columns, which ternary_pair wants.
 * @param x i16 (n, x_bytes apart), |x| <= 127
 * @param p simd_prepared(cols) bytes each, `p_bytes` apart, 16-byte aligned
 */
export function simd_prepare(x: usize, x_bytes: usize, cols: i32, n: i32, p: usize, p_bytes: usize): void {
  for (let i = 0; i < n; i++) copy_padded(x + <usize>i * x_bytes, cols, p + <usize>i * p_bytes);
  const end = p + ((<usize>padded_cols(cols)) << 1);
  let group = end;
  let from = p;
  while (from < end) {
    let to = end;
    for (let i = 0; i < n; i++) to = group_end(from, to, <usize>i * p_bytes);
    for (let i = 0; i < n; i++) {
      const at = group + <usize>i * p_bytes;
      const sum = minus_sum(from, to, <usize>i * p_bytes);
      v128.store(at, first_low(sum));
      v128.store(at, first_high(sum), GROUP_HIGH);
      store<u32>(at, <u32>(to - p), GROUP_END);
    }
    group += GROUP_BYTES;
    from = to;
  }
}

/** Where a group that begins at `y` must end, `end` at the latest, for the vector that lies `offset` further. */
function group_end(y: usize, end: usize, offset: usize): usize {
  const ones = i16x8.splat(1);
  const most = i32x4.splat(LANE_MAX);
  let all = i32x4.splat(0);
  for (; y < end; y += 32) {
    const z = i16x8.add(i16x8.abs(v128.load(y + offset)), i16x8.abs(v128.load(y + offset, 16)));
    all = i32x4.add(all, i32x4.dot_i16x8_s(z, ones));
    if (v128.any_true(i32x4.gt_s(all, most))) break;
  }
  return y;
}

function minus_sum(y: usize, end: usize, offset: usize): v128 {
  const ones = i16x8.splat(1);
  let sum = i32x4.splat(0);
  for (; y < end; y += 32) {
    const z = i16x8.add(v128.load(y + offset), v128.load(y + offset, 16));
    sum = i32x4.sub(sum, i32x4.dot_i16x8_s(z, ones));
  }
  return sum;
}

/** Copies x and puts zeros behind it, up to a whole step; returns where they end. */
export function copy_padded(x: usize, cols: i32, p: usize): usize {
  const bytes = (<usize>cols) << 1;
  const padded = (<usize>padded_cols(cols)) << 1;
  memory.copy(p, x, bytes);
  memory.fill(p + bytes, 0, padded - bytes);
  return p + padded;
}

/** From -(sum of x): what A + 4096 B begins with. Both fields hold trit + 1. */
@inline
export function first_low(sum: v128): v128 {
  return i32x4.add(sum, i32x4.shl(sum, 12));
}

/** What 4 A + 16384 B begins with. The higher field holds trit - 1. */
@inline
export function first_high(sum: v128): v128 {
  return i32x4.sub(i32x4.shl(sum, 2), i32x4.shl(sum, 14));
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w row tiles
 * @param p made by simd_prepare
 * @param acc i32[rows], rows is a multiple of 8
 * @param scratch 32 bytes, 16-byte aligned
 */
export function ternary_simd(w: usize, rows: i32, cols: i32, p: usize, acc: usize, scratch: usize): void {
  v128.store(scratch, i16x8.splat(0x3003));
  v128.store(scratch, i16x8.splat(<i16>0xc00c), 16);
  const low = v128.load(scratch);
  const high = v128.load(scratch, 16);
  const end = p + ((<usize>padded_cols(cols)) << 1);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += TILE_ROWS << 2) {
    v128.store(acc, i32x4.splat(0));
    v128.store(acc, i32x4.splat(0), 16);
    let y = p;
    let group = end;
    while (y < end) {
      let s0 = i32x4.splat(0);
      let s2 = i32x4.splat(0);
      let s4 = i32x4.splat(0);
      let s6 = i32x4.splat(0);
      let t0 = i32x4.splat(0);
      let t2 = i32x4.splat(0);
      let t4 = i32x4.splat(0);
      let t6 = i32x4.splat(0);
      const flush = group + FLUSH * GROUP_BYTES;
      do {
        let a0 = v128.load(group);
        let a2 = v128.load(group, GROUP_HIGH);
        let a4 = a0;
        let a6 = a2;
        const group_end = min(end, p + <usize>load<u32>(group, GROUP_END)); // see product_rows in simd.ts
        group += GROUP_BYTES;
        do {
          const v = v128.load(w);
          const u = v128.load(w, 1);
          const z = v128.load(y);
          a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.and(v, low), z));
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.and(v, high), z));
          a4 = i32x4.add(a4, i32x4.dot_i16x8_s(v128.and(u, low), z));
          a6 = i32x4.add(a6, i32x4.dot_i16x8_s(v128.and(u, high), z));
          const v1 = v128.load(w, 16);
          const u1 = v128.load(w, 17);
          const z1 = v128.load(y, 16);
          a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.and(v1, low), z1));
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.and(v1, high), z1));
          a4 = i32x4.add(a4, i32x4.dot_i16x8_s(v128.and(u1, low), z1));
          a6 = i32x4.add(a6, i32x4.dot_i16x8_s(v128.and(u1, high), z1));
          w += 32;
          y += 32;
        } while (y < group_end);
        t0 = i32x4.add(t0, a0);
        t2 = i32x4.add(t2, a2);
        t4 = i32x4.add(t4, a4);
        t6 = i32x4.add(t6, a6);
        s0 = i32x4.add(s0, i32x4.shr_s(i32x4.shl(a0, 20), 20));
        s2 = i32x4.add(s2, i32x4.shr_s(i32x4.shl(a2, 18), 18));
        s4 = i32x4.add(s4, i32x4.shr_s(i32x4.shl(a4, 20), 20));
        s6 = i32x4.add(s6, i32x4.shr_s(i32x4.shl(a6, 18), 18));
      } while (y < end && group < flush);
      add_rows(acc, s0, t0, s2, t2);
      add_rows(acc + 16, s4, t4, s6, t6);
    }
    w += 16;
  }
}

/** Four rows from the sums of their lanes: s0 of A, t0 of A + 4096 B, s2 of 4 A', t2 of 4 A' + 16384 B'. */
@inline
export function add_rows(acc: usize, s0: v128, t0: v128, s2: v128, t2: v128): void {
  const b = i32x4.shr_s(i32x4.sub(t0, s0), 12);
  const c = i32x4.shr_s(s2, 2);
  const d = i32x4.shr_s(i32x4.sub(t2, s2), 14);
  v128.store(acc, i32x4.add(v128.load(acc), sums_of_four(s0, b, c, d)));
}

/** The horizontal sums of four vectors, as one vector: a 4x4 transposition and three additions. */
@inline
function sums_of_four(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}
