/** Weighted sums of int8 rows (values of the cache): the transposed product, two columns at a time in registers. */

/** Weights of 15 bits times values of 7 bits: sums of this many rows fit 32 bits. */
const CHUNK = 512;

/**
 * y (rows,) @ W (rows, cols) -> sums (cols,)
 * @param w i8[rows * cols], row-major; cols is even
 * @param y i32[rows], 0 <= y < 2^15
 * @param sums i64[cols]
 */
export function columns_int8(w: usize, rows: i32, cols: i32, y: usize, sums: usize): void {
  memory.fill(sums, 0, (<usize>cols) << 3);
  for (let start = 0; start < rows; start += CHUNK) {
    const end = y + ((<usize>min(CHUNK, rows - start)) << 2);
    for (let col = 0; col < cols; col += 2) {
      let a = 0;
      let b = 0;
      let v = w + <usize>col;
      for (let p = y; p < end; p += 4) {
        const weight = load<i32>(p);
        if (weight != 0) {
          a += weight * <i32>load<i8>(v);
          b += weight * <i32>load<i8>(v, 1);
        }
        v += <usize>cols;
      }
      const at = sums + ((<usize>col) << 3);
      store<i64>(at, load<i64>(at) + <i64>a);
      store<i64>(at, load<i64>(at, 8) + <i64>b, 8);
    }
    y = end;
    w += <usize>(CHUNK * cols);
  }
}
