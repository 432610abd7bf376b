/**
 * The layout of ternary weights that ternary_simd.ts, ternary_wide.ts and ternary_batch.ts read: rows in groups of 8 (a row tile), each a stream of two
 * bytes a column, column after column, in which a field of two bits is a trit:
 *
 *     byte 2c        bits 0-1 row 0 of column c    2-3 row 2 of c    4-5 row 5 of column c-1    6-7 row 7 of c-1
 *     byte 2c + 1    bits 0-1 row 4 of column c    2-3 row 6 of c    4-5 row 1 of column c      6-7 row 3 of c
 *
 * so that a 16-byte load at byte 16 t holds 8 columns in 8 lanes of 16 bits, and the load one byte further on the other four rows of the same columns:
 *
 *     lane of v, at 16 t        bits 0-1 row 0    2-3 row 2    12-13 row 1    14-15 row 3
 *     lane of u, at 16 t + 1    bits 0-1 row 4    2-3 row 6    12-13 row 5    14-15 row 7
 *
 * A field holds trit + 1; at bit 14, where the lane's sign is, trit - 1 in two's complement (the same bits with the upper one inverted).
 * The columns are padded to a multiple of 16 with zero trits, and a row tile ends with 16 bytes more, because of column c-1 and of the load at 16 t + 1.
 */

/** Rows of a row tile. */
export const TILE_ROWS = 8;
/** Columns of a step: two loads of 8. */
export const STEP_COLS = 16;

@inline
export function padded_cols(cols: i32): i32 {
  return (cols + STEP_COLS - 1) & ~(STEP_COLS - 1);
}

/** Bytes of a row tile. */
@inline
export function tile_bytes(cols: i32): usize {
  return ((<usize>padded_cols(cols)) << 1) + 16;
}

/** Bytes of a matrix. */
export function tiles_bytes(rows: i32, cols: i32): usize {
  return <usize>((rows + TILE_ROWS - 1) / TILE_ROWS) * tile_bytes(cols);
}

/** Bytes of scratch for pack_tile: eight rows of codes, each behind one byte of column -1. */
export function pack_scratch(cols: i32): i32 {
  return TILE_ROWS * code_stride(cols);
}

/** Distance of two rows of codes: whole steps of any kernel (ternary_relaxed.ts takes 64 columns). */
@inline
export function code_stride(cols: i32): i32 {
  return ((cols + 63) & ~63) + 32;
}

/** Where row i's codes begin: 16 bytes for what lies before column 0, of which one is read. */
@inline
export function code_row(scratch: usize, i: i32, cols: i32): usize {
  return scratch + <usize>(i * code_stride(cols)) + 16;
}

/**
 * Eight rows of codes to a row tile.
 * @param codes made with code_row: u8 trit + 1, those of column -1 and of the padding 1
 * @param out tile_bytes(cols)
 */
export function pack_tile(codes: usize, cols: i32, out: usize): void {
  const stride = <usize>code_stride(cols);
  const end = padded_cols(cols);
  const top = i8x16.splat(<i8>0x80);
  let p = code_row(codes, 0, cols);
  // One step more than there are columns: rows 5 and 7 of the last one.
  for (let col = 0; col <= end; col += 16) {
    const r5 = v128.load(p + 5 * stride - 1);
    const r7 = v128.load(p + 7 * stride - 1);
    let even = v128.or(v128.load(p), i16x8.shl(v128.load(p + 2 * stride), 2));
    even = v128.or(even, v128.or(i16x8.shl(r5, 4), v128.xor(i16x8.shl(r7, 6), top)));
    let odd = v128.or(v128.load(p + 4 * stride), i16x8.shl(v128.load(p + 6 * stride), 2));
    odd = v128.or(
      odd,
      v128.or(i16x8.shl(v128.load(p + stride), 4), v128.xor(i16x8.shl(v128.load(p + 3 * stride), 6), top)),
    );
    v128.store(out, i8x16.shuffle(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    if (col < end) {
      v128.store(out, i8x16.shuffle(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
    }
    p += 16;
    out += 32;
  }
}
