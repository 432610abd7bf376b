/** columns_int8 in WebAssembly SIMD: 8 columns at a time, one position a step. */
import { columns_int8 } from "./columns_int8.ts";

const CHUNK = 512;

/** As columns_int8; a number of columns that is no multiple of 8 takes the plain way. */
export function columns_int8_simd(w: usize, rows: i32, cols: i32, y: usize, sums: usize): void {
  if ((cols & 7) != 0) {
    columns_int8(w, rows, cols, y, sums);
    return;
  }
  memory.fill(sums, 0, (<usize>cols) << 3);
  for (let start = 0; start < rows; start += CHUNK) {
    const end = y + ((<usize>min(CHUNK, rows - start)) << 2);
    for (let col = 0; col < cols; col += 8) {
      let a = i32x4.splat(0);
      let b = i32x4.splat(0);
      let v = w + <usize>col;
      for (let p = y; p < end; p += 4) {
        const weight = v128.load_splat<i16>(p); // the low half of a word below 2^15
        const values = v128.load_ext<i8>(v);
        a = i32x4.add(a, i32x4.extmul_low_i16x8_s(values, weight));
        b = i32x4.add(b, i32x4.extmul_high_i16x8_s(values, weight));
        v += <usize>cols;
      }
      const at = sums + ((<usize>col) << 3);
      add_wide(at, a);
      add_wide(at + 32, b);
    }
    y = end;
    w += <usize>(CHUNK * cols);
  }
}

/** Adds i32x4 to i64[4]. */
@inline
function add_wide(at: usize, v: v128): void {
  v128.store(at, i64x2.add(v128.load(at), i64x2.extend_low_i32x4_s(v)));
  v128.store(at, i64x2.add(v128.load(at, 16), i64x2.extend_high_i32x4_s(v)), 16);
}
