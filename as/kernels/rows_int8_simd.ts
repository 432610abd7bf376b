/** int8 rows in WebAssembly SIMD: baseline instructions, any Node. Exact wherever rows_int8 is. Two rows share the loads of x. */
import { rows_int8 } from "./rows_int8.ts";

/** As rows_int8; x may hold any i16 (a lane adds two products of at most 127 * 32767). */
export function rows_int8_simd(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const wide = cols & ~15;
  const pairs = rows & ~1;
  for (let row = 0; row < pairs; row += 2) {
    let p = w;
    let q = w + <usize>cols;
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    const end = p + <usize>wide;
    let y = x;
    for (; p < end; p += 16) {
      const x0 = v128.load(y);
      const x1 = v128.load(y, 16);
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(p), x0));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(q), x0));
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(p, 8), x1));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(q, 8), x1));
      q += 16;
      y += 32;
    }
    let sum_a = sum4(a);
    let sum_b = sum4(b);
    for (let col = wide; col < cols; col++) {
      const value = <i32>load<i16>(y);
      sum_a += <i32>load<i8>(p++) * value;
      sum_b += <i32>load<i8>(q++) * value;
      y += 2;
    }
    store<i32>(acc, sum_a);
    store<i32>(acc, sum_b, 4);
    acc += 8;
    w += (<usize>cols) << 1;
  }
  rows_int8(w, rows - pairs, cols, x, acc);
}

@inline
function sum4(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}
