/**
 * Kernel B4: the ternary product with relaxed SIMD's i32x4.relaxed_dot_i8x16_i7x16_add_s, 16 multiply-adds into i32. Where the CPU has that as one
 * instruction (VPDPBUSD of AVX-VNNI, SDOT of Arm) it takes 9 operations for 64 weights instead of A3's 12; elsewhere V8 makes three of it, and A3 is
 * faster, so which one runs is measured at the start.
 *
 *     two rows, 64 columns    16 bytes of the first row, 16 of the second
 *     byte b                  bits 0-1 column b    2-3 column 16 + b    4-5 column 32 + b    6-7 column 48 + b    codes trit + 1
 *
 * The weights are the second operand, 0..2 or 0, 4, 8: always below 128, where the relaxed instruction is exact everywhere; its sums of two products are
 * at most 2 * 8 * 127, far from what an i16 in between can hold. The +1 of the codes is taken back by the sum of x. Columns are padded to 64.
 * i32: 8 * 127 a column, so 2^21 columns are safe.
 */

const STEP_COLS = 64;

@inline
function padded_64(cols: i32): i32 {
  return (cols + STEP_COLS - 1) & ~(STEP_COLS - 1);
}

/** Bytes of two rows. */
@inline
export function two_rows_bytes(cols: i32): usize {
  return <usize>padded_64(cols) >> 1;
}

/** Bytes of a prepared vector: i8 (cols padded to 64), then i32 sum. */
export function relaxed_prepared(cols: i32): i32 {
  return padded_64(cols) + 16;
}

/**
 * @param x i16[cols], |x| <= 127
 * @param p relaxed_prepared(cols) bytes, 16-byte aligned
 */
export function relaxed_prepare(x: usize, cols: i32, p: usize): void {
  const padded = padded_64(cols);
  let sum = 0;
  for (let col = 0; col < cols; col++) {
    const v = <i32>load<i16>(x + ((<usize>col) << 1));
    store<i8>(p + <usize>col, v);
    sum += v;
  }
  memory.fill(p + <usize>cols, 0, <usize>(padded - cols));
  store<i32>(p + <usize>padded, sum);
}

/**
 * Two rows of codes to the layout.
 * @param a,b u8 codes, readable and 1 up to a multiple of 64 columns
 * @param out two_rows_bytes(cols)
 */
export function pack_two_rows(a: usize, b: usize, cols: i32, out: usize): void {
  for (let col = 0; col < cols; col += STEP_COLS) {
    v128.store(out, four_fields(a));
    v128.store(out, four_fields(b), 16);
    a += STEP_COLS;
    b += STEP_COLS;
    out += 32;
  }
}

@inline
function four_fields(p: usize): v128 {
  const even = v128.or(v128.load(p), i16x8.shl(v128.load(p, 32), 4));
  const odd = v128.or(v128.load(p, 16), i16x8.shl(v128.load(p, 48), 4));
  return v128.or(even, i16x8.shl(odd, 2));
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param p made by relaxed_prepare
 * @param acc i32[rows], rows is even
 * @param scratch 32 bytes, 16-byte aligned
 */
export function ternary_relaxed(w: usize, rows: i32, cols: i32, p: usize, acc: usize, scratch: usize): void {
  v128.store(scratch, i8x16.splat(3));
  v128.store(scratch, i8x16.splat(12), 16);
  const low = v128.load(scratch);
  const high = v128.load(scratch, 16);
  const end = p + <usize>padded_64(cols);
  const sum = load<i32>(end);
  const acc_end = acc + ((<usize>rows) << 2);
  for (; acc < acc_end; acc += 8) {
    let a = i32x4.splat(0);
    let a4 = i32x4.splat(0);
    let b = i32x4.splat(0);
    let b4 = i32x4.splat(0);
    for (let x = p; x < end; x += STEP_COLS) {
      const x0 = v128.load(x);
      const x1 = v128.load(x, 16);
      const x2 = v128.load(x, 32);
      const x3 = v128.load(x, 48);
      const v = v128.load(w);
      const v_high = i16x8.shr_u(v, 4);
      a = i32x4.relaxed_dot_i8x16_i7x16_add_s(x0, v128.and(v, low), a);
      a4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(x1, v128.and(v, high), a4);
      a = i32x4.relaxed_dot_i8x16_i7x16_add_s(x2, v128.and(v_high, low), a);
      a4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(x3, v128.and(v_high, high), a4);
      const u = v128.load(w, 16);
      const u_high = i16x8.shr_u(u, 4);
      b = i32x4.relaxed_dot_i8x16_i7x16_add_s(x0, v128.and(u, low), b);
      b4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(x1, v128.and(u, high), b4);
      b = i32x4.relaxed_dot_i8x16_i7x16_add_s(x2, v128.and(u_high, low), b);
      b4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(x3, v128.and(u_high, high), b4);
      w += 32;
    }
    store<i32>(acc, total(a, a4) - sum);
    store<i32>(acc, total(b, b4) - sum, 4);
  }
}

/** Lanes of a4 hold four times their sum. */
@inline
function total(a: v128, a4: v128): i32 {
  const v = i32x4.add(a, i32x4.shr_s(a4, 2));
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}
