/**
 * Canonical packings to those of the SIMD engine, once when a model is opened: ternary matrices to the 8 x 8 tiles that
 * ternary_simd.ts draws, trit planes and int4 rows to int8 rows.
 */
import { int4_weight } from "./rows_int4.ts";
import { unpack_trits_row } from "./unpack.ts";

/** Trit planes (rows, cols) to int8 rows: `out` i8[rows * cols]. */
export function repack_trits_int8(w: usize, trits: i32, rows: i32, cols: i32, out: usize): void {
  for (let row = 0; row < rows; row++) unpack_trits_row(w, trits, cols, row, out + <usize>row * <usize>cols);
}

/** int4 rows to int8 rows: `out` i8[rows * cols]. */
export function repack_int4_int8(w: usize, rows: i32, cols: i32, out: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) store<i8>(out++, int4_weight(w, col));
    w += <usize>(cols + 1) >> 1;
  }
}

/**
 * A ternary matrix (rows, cols) to tiles. Rows and columns that are missing in the last tiles are zero trits.
 * @param out simd_bytes(rows, cols), 16-byte aligned
 * @param scratch 8 * (cols + 7) bytes
 */
export function repack_simd(w: usize, rows: i32, cols: i32, out: usize, scratch: usize): void {
  const stride = <usize>((cols + 7) & ~7);
  for (let row = 0; row < rows; row += 8) {
    memory.fill(scratch, 0, stride * 8);
    for (let i = 0; i < min(8, rows - row); i++) unpack_trits_row(w, 1, cols, row + i, scratch + <usize>i * stride);
    for (let col: usize = 0; col < stride; col += 8) {
      pack_tile(scratch + col, stride, out);
      out += 16;
    }
  }
}

/** trits: 8 rows of 8 i8, `stride` bytes apart. */
function pack_tile(trits: usize, stride: usize, out: usize): void {
  for (let col: usize = 0; col < 8; col++) {
    const p = trits + col;
    const q = trits + ((col + 7) & 7); // bits 4-7 of a lane become bits 12-15 of the lane before it
    const r0 = <i32>load<i8>(p) + 1;
    const r2 = <i32>load<i8>(p + 2 * stride) + 1;
    const r1 = <i32>load<i8>(p + stride) + 1;
    const r3 = <i32>load<i8>(p + 3 * stride) & 3;
    const r4 = <i32>load<i8>(p + 4 * stride) + 1;
    const r6 = <i32>load<i8>(p + 6 * stride) + 1;
    const r5 = <i32>load<i8>(q + 5 * stride) + 1;
    const r7 = <i32>load<i8>(q + 7 * stride) & 3;
    store<u16>(
      out + (col << 1),
      r0 | (r2 << 2) | (r5 << 4) | (r7 << 6) | (r4 << 8) | (r6 << 10) | (r1 << 12) | (r3 << 14),
    );
  }
}
