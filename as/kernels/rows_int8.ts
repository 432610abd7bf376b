/** int8 rows (PACK_INT8) by multiply-add: the plain kernel that rows_int8_simd.ts is compared with. */

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w i8[rows * cols], row-major
 * @param x i16[cols]
 * @param acc i32[rows], exact as long as the sum of |w x| of a row stays below 2^31
 */
export function rows_int8(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const x_end = x + ((<usize>cols) << 1);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += 4) {
    let sum = 0;
    for (let p = x; p < x_end; p += 2) {
      sum += <i32>load<i8>(w) * <i32>load<i16>(p);
      w++;
    }
    store<i32>(acc, sum);
  }
}
