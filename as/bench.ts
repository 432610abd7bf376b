/**
 * Entry of the `bench` build: what benchmarks compare the engine's kernels with, and nothing that a model needs.
 *
 * The textbook ternary product in baseline SIMD: two bits a weight, unpacked to int8, multiplied into int16 by extmul, added pairwise into int32. One row
 * after the other, 64 columns a step.
 *
 *     byte b of 16    bits 0-1 column b    2-3 column 16 + b    4-5 column 32 + b    6-7 column 48 + b    codes trit + 1
 */

const STEP_COLS = 64;

/**
 * i8 trits (rows, cols) to the layout: rows * cols / 4 bytes.
 * @param cols a multiple of 64
 */
export function textbook_pack(trits: usize, rows: i32, cols: i32, out: usize): void {
  const end = trits + <usize>(rows * cols);
  for (; trits < end; trits += STEP_COLS) {
    for (let b: usize = 0; b < 16; b++) {
      let byte = 0;
      for (let field: usize = 0; field < 4; field++) {
        byte |= (<i32>load<i8>(trits + b + (field << 4)) + 1) << ((<i32>field) << 1);
      }
      store<u8>(out++, byte);
    }
  }
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param x i8[cols]
 * @param acc i32[rows]
 */
export function textbook_rows(w: usize, rows: i32, cols: i32, x: usize, acc: usize): void {
  const three = i8x16.splat(3);
  const one = i8x16.splat(1);
  for (let row = 0; row < rows; row++) {
    let sum = i32x4.splat(0);
    const end = x + <usize>cols;
    for (let p = x; p < end; p += STEP_COLS) {
      const v = v128.load(w);
      sum = add_products(sum, i8x16.sub(v128.and(v, three), one), v128.load(p));
      sum = add_products(sum, i8x16.sub(v128.and(i8x16.shr_u(v, 2), three), one), v128.load(p, 16));
      sum = add_products(sum, i8x16.sub(v128.and(i8x16.shr_u(v, 4), three), one), v128.load(p, 32));
      sum = add_products(sum, i8x16.sub(i8x16.shr_u(v, 6), one), v128.load(p, 48));
      w += 16;
    }
    const all = i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1);
    store<i32>(acc, all + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3));
    acc += 4;
  }
}

@inline
function add_products(sum: v128, trits: v128, x: v128): v128 {
  const low = i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_low_i8x16_s(trits, x));
  const high = i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_high_i8x16_s(trits, x));
  return i32x4.add(sum, i32x4.add(low, high));
}

/** Grows the memory by at least `bytes`; the address of the new part, or 0 when there is no more. */
export function reserve(bytes: u32): usize {
  const address = (<usize>memory.size()) << 16;
  return memory.grow(<i32>((bytes + 0xffff) >> 16)) < 0 ? 0 : address;
}
