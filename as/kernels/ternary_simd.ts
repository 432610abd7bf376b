/**
 * The ternary product in WebAssembly SIMD: baseline instructions, any Node. Exact for |x| <= 127. Weights are repacked by repack.ts:
 *
 *     a tile is 16 bytes = 8 rows x 8 columns; lane c (16 bits) of
 *
 *         v                        bits 0-1 row 0    2-3 row 2    12-13 row 1    14-15 row 3    of column c
 *         u = v rotated one byte   bits 0-1 row 4    2-3 row 6    12-13 row 5    14-15 row 7    of column c
 *
 * A field holds trit + 1, the field at bit 14 the trit in two's complement. So `v & 0x3003` holds row 0 + 4096 * row 1, and one
 * i32x4.dot_i16x8_s makes 16 products: lane = A + 4096 * B, where A and B are the sums of two rows. It starts at -(sum of x) * 4097, which
 * takes the +1 of the trits back. After GROUP steps |A| <= 8 * 2 * 127 = 2032 < 2048: A is the sign-extended low 12 bits, and what is
 * left is 4096 * B. `v & 0xC00C` holds 4 * row 2 + 16384 * row 3 likewise, with 14 bits.
 *
 * Tiles of a row of tiles follow each other, so weights are read strictly forward. `tritkit bench` measures it beside the other kernels.
 */

/** Columns of a tile, and steps (tiles) after which the two sums of a lane are taken apart. */
const COLS = 8;
const GROUP = 8;
/** Groups after which T is emptied: 4096 columns keep 16384 * B below 2^31. */
const FLUSH = 64;

/** Bytes of a repacked matrix. */
export function simd_bytes(rows: i32, cols: i32): usize {
  return (<usize>((rows + 7) >> 3) * <usize>((cols + 7) >> 3)) << 4;
}

/** Bytes that simd_sums writes: one i32x4 per group of 64 columns. */
export function simd_sums_bytes(cols: i32): i32 {
  return ((cols + COLS * GROUP - 1) / (COLS * GROUP)) << 4;
}

/**
 * -(sum of x) of each group of 64 columns, lane by lane: what the products of all matrices with this x begin with.
 * @param x i16[cols rounded up to a multiple of 8]; the padding is set to zero
 */
export function simd_sums(x: usize, cols: i32, sums: usize): void {
  const steps = (cols + COLS - 1) / COLS;
  for (let col = cols; col < steps * COLS; col++) store<i16>(x + ((<usize>col) << 1), 0);
  const minus_one = i16x8.splat(-1);
  for (let step = 0; step < steps; step += GROUP) {
    const end = x + ((<usize>min(GROUP, steps - step)) << 4);
    let sum = i32x4.splat(0);
    for (; x < end; x += 16) sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(x), minus_one));
    v128.store(sums, sum);
    sums += 16;
  }
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w repacked weights
 * @param x i16[cols rounded up to a multiple of 8], |x| <= 127, padded by simd_sums
 * @param sums made by simd_sums
 * @param acc i32[rows rounded up to a multiple of 8]
 * @param scratch 160 bytes, 16-byte aligned
 */
export function ternary_simd(w: usize, rows: i32, cols: i32, x: usize, sums: usize, acc: usize, scratch: usize): void {
  const steps = (cols + COLS - 1) / COLS;
  const x_end = x + ((<usize>steps) << 4);
  // From memory: V8 builds constants anew in each iteration (29 against 45 Gweights/s).
  v128.store(scratch, i16x8.splat(0x3003));
  v128.store(scratch, i16x8.splat(<i16>0xc00c), 16);
  const low = v128.load(scratch);
  const high = v128.load(scratch, 16);
  const totals = scratch + 32;
  for (let row = 0; row < rows; row += 8) {
    clear(totals);
    let s0 = i32x4.splat(0);
    let s2 = i32x4.splat(0);
    let s4 = i32x4.splat(0);
    let s6 = i32x4.splat(0);
    let t0 = i32x4.splat(0);
    let t2 = i32x4.splat(0);
    let t4 = i32x4.splat(0);
    let t6 = i32x4.splat(0);
    let group = 0;
    let y = x;
    while (y < x_end) {
      const start = v128.load(sums + ((<usize>group) << 4));
      let a0 = i32x4.add(start, i32x4.shl(start, 12));
      let a2 = i32x4.shl(start, 2);
      let a4 = a0;
      let a6 = a2;
      const end = min(y + (GROUP << 4), x_end);
      for (; y < end; y += 16) {
        const v = v128.load(w);
        const u = i8x16.shuffle(v, v, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0);
        const z = v128.load(y);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.and(v, low), z));
        a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.and(v, high), z));
        a4 = i32x4.add(a4, i32x4.dot_i16x8_s(v128.and(u, low), z));
        a6 = i32x4.add(a6, i32x4.dot_i16x8_s(v128.and(u, high), z));
        w += 16;
      }
      t0 = i32x4.add(t0, a0);
      t2 = i32x4.add(t2, a2);
      t4 = i32x4.add(t4, a4);
      t6 = i32x4.add(t6, a6);
      s0 = i32x4.add(s0, i32x4.shr_s(i32x4.shl(a0, 20), 20));
      s2 = i32x4.add(s2, i32x4.shr_s(i32x4.shl(a2, 18), 18));
      s4 = i32x4.add(s4, i32x4.shr_s(i32x4.shl(a4, 20), 20));
      s6 = i32x4.add(s6, i32x4.shr_s(i32x4.shl(a6, 18), 18));
      group++;
      if (group % FLUSH == 0 || y >= x_end) {
        add_to(totals, s0);
        add_to(totals + 16, i32x4.shr_s(i32x4.sub(t0, s0), 12));
        add_to(totals + 32, i32x4.shr_s(s2, 2));
        add_to(totals + 48, i32x4.shr_s(i32x4.sub(t2, s2), 14));
        add_to(totals + 64, s4);
        add_to(totals + 80, i32x4.shr_s(i32x4.sub(t4, s4), 12));
        add_to(totals + 96, i32x4.shr_s(s6, 2));
        add_to(totals + 112, i32x4.shr_s(i32x4.sub(t6, s6), 14));
        s0 = s2 = s4 = s6 = i32x4.splat(0);
        t0 = t2 = t4 = t6 = i32x4.splat(0);
      }
    }
    v128.store(acc, sums_of_four(totals));
    v128.store(acc, sums_of_four(totals + 64), 16);
    acc += 32;
  }
}

function clear(totals: usize): void {
  for (let i: usize = 0; i < 128; i += 16) v128.store(totals + i, i32x4.splat(0));
}

@inline
function add_to(p: usize, v: v128): void {
  v128.store(p, i32x4.add(v128.load(p), v));
}

/** The horizontal sums of four vectors, as one vector: a 4x4 transposition and three additions. */
function sums_of_four(p: usize): v128 {
  const a = v128.load(p);
  const b = v128.load(p, 16);
  const c = v128.load(p, 32);
  const d = v128.load(p, 48);
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}
