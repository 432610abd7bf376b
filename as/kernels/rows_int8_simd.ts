/**
 * int8 rows in WebAssembly SIMD: baseline instructions, any Node. Exact wherever rows_int8 is; x may hold any i16 (a lane adds two products of at most
 * 127 * 32767).
 *
 * Strictly one row after the other: weights that come from memory are then one forward stream, which the hardware fetches ahead. Measured on Zen 4 with a
 * head of 100 MB: 20 GB/s, as ggml's native Q8_0, where two rows at a time, which share the loads of x, had 6.5; in the cache both 27. Rows of 128 (keys): 18 and 23.
 */

/** As rows_int8. */
export function rows_int8_simd(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const wide = <usize>(cols & ~31);
  const narrow = <usize>(cols & ~7);
  const end = acc + ((<usize>rows) << 2);
  for (; acc < end; acc += 4) {
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    let y = x;
    const row = w;
    for (const wide_end = row + wide; w < wide_end; w += 32) {
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(w), v128.load(y)));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 8), v128.load(y, 16)));
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 16), v128.load(y, 32)));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 24), v128.load(y, 48)));
      y += 64;
    }
    for (const narrow_end = row + narrow; w < narrow_end; w += 8) {
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(w), v128.load(y)));
      y += 16;
    }
    let sum = sum4(i32x4.add(a, b));
    for (const row_end = row + <usize>cols; w < row_end; w++) {
      sum += <i32>load<i8>(w) * <i32>load<i16>(y);
      y += 2;
    }
    store<i32>(acc, sum);
  }
}

@inline
function sum4(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}
