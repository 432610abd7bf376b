/**
 * Attention's products for two query heads at once: heads that share keys and values (grouped-query attention) share their loads too. Four columns
 * of both heads stay in registers while the rows pass by. Measured through wasm2c on Cortex-M3, instructions a multiply-add: 2.2, against 4.6 of
 * rows_int8 for each head alone.
 */

/** Sums of this many rows of 15-bit weights times 7-bit values fit 32 bits. */
const CHUNK = 512;

/**
 * W (rows, cols) @ x (cols, 2) -> acc (rows, 2): scores of two queries on the same keys.
 * @param w i8[rows * cols], row-major
 * @param x0,x1 i16[cols]
 * @param acc i32[2 * rows], 8-byte aligned; exact as long as the sum of |w x| of a row stays below 2^31
 */
export function rows_int8_pair(w: usize, rows: i32, cols: i32, x0: usize, x1: usize, acc: usize): void {
  const end = acc + ((<usize>rows) << 3);
  for (let a = acc; a < end; a += 8) store<u64>(a, 0);
  let col = 0;
  for (; col <= cols - 4; col += 4) {
    const a0 = <i32>load<i16>(x0);
    const a1 = <i32>load<i16>(x0, 2);
    const a2 = <i32>load<i16>(x0, 4);
    const a3 = <i32>load<i16>(x0, 6);
    const b0 = <i32>load<i16>(x1);
    const b1 = <i32>load<i16>(x1, 2);
    const b2 = <i32>load<i16>(x1, 4);
    const b3 = <i32>load<i16>(x1, 6);
    let k = w;
    for (let a = acc; a < end; a += 8) {
      const both = load<u64>(a);
      let s = <i32>both;
      let t = <i32>(both >> 32);
      let v = <i32>load<i8>(k);
      s += v * a0;
      t += v * b0;
      v = <i32>load<i8>(k, 1);
      s += v * a1;
      t += v * b1;
      v = <i32>load<i8>(k, 2);
      s += v * a2;
      t += v * b2;
      v = <i32>load<i8>(k, 3);
      s += v * a3;
      t += v * b3;
      store<u64>(a, ((<u64>(<u32>t)) << 32) | <u64>(<u32>s));
      k += <usize>cols;
    }
    x0 += 8;
    x1 += 8;
    w += 4;
  }
  for (; col < cols; col++) {
    const a0 = <i32>load<i16>(x0);
    const b0 = <i32>load<i16>(x1);
    let k = w;
    for (let a = acc; a < end; a += 8) {
      const v = <i32>load<i8>(k);
      store<i32>(a, load<i32>(a) + v * a0);
      store<i32>(a, load<i32>(a, 4) + v * b0, 4);
      k += <usize>cols;
    }
    x0 += 2;
    x1 += 2;
    w += 1;
  }
}

/**
 * y (2, rows) @ W (rows, cols) -> sums (2, cols): the values of two heads, weighted.
 * @param w i8[rows * cols], row-major; cols is even
 * @param y i32[2 * rows], a pair for each row, 0 <= y < 2^15, 8-byte aligned
 * @param sums i64[2 * cols], the first head's before the second's
 */
export function columns_int8_pair(w: usize, rows: i32, cols: i32, y: usize, sums: usize): void {
  memory.fill(sums, 0, (<usize>cols) << 4);
  const other = (<usize>cols) << 3;
  for (let start = 0; start < rows; start += CHUNK) {
    const end = y + ((<usize>min(CHUNK, rows - start)) << 3);
    let s = sums;
    let col = 0;
    for (; col <= cols - 4; col += 4) {
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      let v = w + <usize>col;
      for (let p = y; p < end; p += 8) {
        const both = load<u64>(p);
        if (both != 0) {
          const a = <i32>both;
          const b = <i32>(both >> 32);
          let value = <i32>load<i8>(v);
          a0 += a * value;
          b0 += b * value;
          value = <i32>load<i8>(v, 1);
          a1 += a * value;
          b1 += b * value;
          value = <i32>load<i8>(v, 2);
          a2 += a * value;
          b2 += b * value;
          value = <i32>load<i8>(v, 3);
          a3 += a * value;
          b3 += b * value;
        }
        v += <usize>cols;
      }
      add(s, a0);
      add(s + 8, a1);
      add(s + 16, a2);
      add(s + 24, a3);
      add(s + other, b0);
      add(s + other + 8, b1);
      add(s + other + 16, b2);
      add(s + other + 24, b3);
      s += 32;
    }
    for (; col < cols; col++) {
      let a0 = 0;
      let b0 = 0;
      let v = w + <usize>col;
      for (let p = y; p < end; p += 8) {
        const value = <i32>load<i8>(v);
        a0 += load<i32>(p) * value;
        b0 += load<i32>(p, 4) * value;
        v += <usize>cols;
      }
      add(s, a0);
      add(s + other, b0);
      s += 8;
    }
    y = end;
    w += <usize>(CHUNK * cols);
  }
}

@inline
function add(at: usize, v: i32): void {
  store<i64>(at, load<i64>(at) + <i64>v);
}
