/** int8 rows (PACK_INT8, keys of the cache) by multiply-add: the plain kernel that rows_int8_simd.ts is compared with. */

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w i8[rows * cols], row-major
 * @param x i16[cols]
 * @param acc i32[rows], exact as long as the sum of |w x| of a row stays below 2^31
 */
export function rows_int8(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const quads_end = x + ((<usize>(cols & ~3)) << 1);
  const x_end = x + ((<usize>cols) << 1);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += 4) {
    let sum = 0;
    let p = x;
    for (; p < quads_end; p += 8) {
      sum += <i32>load<i8>(w) * <i32>load<i16>(p);
      sum += <i32>load<i8>(w, 1) * <i32>load<i16>(p, 2);
      sum += <i32>load<i8>(w, 2) * <i32>load<i16>(p, 4);
      sum += <i32>load<i8>(w, 3) * <i32>load<i16>(p, 6);
      w += 4;
    }
    for (; p < x_end; p += 2) {
      sum += <i32>load<i8>(w) * <i32>load<i16>(p);
      w++;
    }
    store<i32>(acc, sum);
  }
}
