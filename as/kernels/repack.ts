/**
 * Canonical packings to those of the SIMD engine, once when a model is opened: ternary matrices to codes of one byte a trit, which the kernels' own
 * packers take (ternary_tiles.ts), trit planes and int4 rows to int8 rows.
 */
import { PACK_STRIDE, ROWS_PER_BLOCK, TRITS_PER_BYTE } from "../../spec/packing.ts";
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

/** Bytes of the table that make_codes fills: 8 for each packed byte, of which five are used. */
export const CODES_BYTES = 2048;
/** What a missing trit is: zero. */
const CODE_ZERO = 0x0101010101010101;

/** Codes (trit + 1) of each packed byte, lowest column first. Illegal bytes decode to legal codes. */
export function make_codes(table: usize): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    const hi = min<u32>(byte / PACK_STRIDE, 8);
    const lo = min<u32>(byte % PACK_STRIDE, 26);
    const codes = (hi / 3) | ((hi % 3) << 8) | ((lo / 9) << 16) | (((lo / 3) % 3) << 24);
    store<u64>(table + ((<usize>byte) << 3), <u64>codes | ((<u64>(lo % 3)) << 32));
  }
}

/**
 * Codes of a row of canonical trits.
 * @param w the matrix's first byte
 * @param out u8[cols], and room for 8 more; what lies behind the row becomes code 1, zero
 * @param end of the room, a multiple of 8 bytes from out
 */
export function codes_row(w: usize, cols: i32, row: i32, table: usize, out: usize, end: usize): void {
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  const last = out + <usize>cols;
  w += <usize>(row / ROWS_PER_BLOCK) * <usize>groups * ROWS_PER_BLOCK + <usize>(row % ROWS_PER_BLOCK);
  let p = out;
  for (; p < last; p += TRITS_PER_BYTE) {
    store<u64>(p, load<u64>(table + ((<usize>load<u8>(w)) << 3)));
    w += ROWS_PER_BLOCK;
  }
  codes_zero(last, end);
}

export function codes_zero(p: usize, end: usize): void {
  for (; p + 8 <= end; p += 8) store<u64>(p, CODE_ZERO);
  for (; p < end; p++) store<u8>(p, 1);
}
