/**
 * int4 rows (PACK_INT4) by multiply-add. The SIMD engine has no kernel for them: it repacks them as int8 (repack.ts).
 *
 *     byte: | odd column, 4 bits | even column, 4 bits |    two's complement, each row starts on a byte
 */

/** Weight `col` of a row of int4 weights. */
export function int4_weight(row: usize, col: i32): i32 {
  const byte = <i32>load<i8>(row + (<usize>col >> 1));
  return (col & 1) != 0 ? byte >> 4 : (byte << 28) >> 28;
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w rows of ceil(cols / 2) bytes
 * @param x i16[cols]
 * @param acc i32[rows]
 */
export function rows_int4(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const pairs_end = x + ((<usize>cols >> 1) << 2);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += 4) {
    let sum = 0;
    let p = x;
    for (; p < pairs_end; p += 4) {
      const byte = <i32>load<i8>(w);
      sum += ((byte << 28) >> 28) * <i32>load<i16>(p) + (byte >> 4) * <i32>load<i16>(p, 2);
      w++;
    }
    if ((cols & 1) != 0) {
      sum += int4_weight(w, 0) * <i32>load<i16>(p);
      w++;
    }
    store<i32>(acc, sum);
  }
}
