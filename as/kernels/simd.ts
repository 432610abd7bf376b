/**
 * The ternary product of the SIMD engine, whichever kernel computes it: A3 (ternary_simd.ts) is baseline SIMD and runs everywhere. All give the
 * integers of ternary_ref. Weights are repacked once, activations are prepared once for all matrices that share them, rows are computed in ranges
 * so that threads can share a matrix.
 */
import { repack_simd } from "./repack.ts";
import { simd_bytes, simd_sums, simd_sums_bytes, ternary_simd } from "./ternary_simd.ts";

export const KERNEL_A3 = 0;
/** Bit k: this build has kernel k. */
export const KERNELS = 1 << KERNEL_A3;

/** Rows of a block: repacking and products start and end on a multiple. */
export function block_rows(kernel: i32): i32 {
  return 8;
}

/** Bytes of a repacked matrix; those of its first `rows` rows when `rows` is a multiple of block_rows. */
export function repacked_bytes(kernel: i32, rows: i32, cols: i32): usize {
  return simd_bytes(rows, cols);
}

/**
 * Canonical trits (PACKING.md) of whole blocks of rows to the kernel's layout.
 * @param w the first of these rows, `rows` of them
 * @param out repacked_bytes(kernel, rows, cols), 64-byte aligned
 * @param scratch repack_scratch(kernel, cols) bytes
 */
export function repack_rows(kernel: i32, w: usize, rows: i32, cols: i32, out: usize, scratch: usize): void {
  repack_simd(w, rows, cols, out, scratch);
}

export function repack_scratch(kernel: i32, cols: i32): i32 {
  return 8 * (cols + 7);
}

/** Bytes of one prepared vector, a multiple of 64. */
export function prepared_bytes(kernel: i32, cols: i32): i32 {
  return (((cols + 7) & ~7) * 2 + simd_sums_bytes(cols) + 63) & ~63;
}

/**
 * Activations as the kernel wants them.
 * @param x i16 (n, x_stride), |x| <= 127
 * @param prepared n * prepared_bytes(kernel, cols), 64-byte aligned
 */
export function prepare(kernel: i32, x: usize, x_stride: i32, cols: i32, n: i32, prepared: usize): void {
  const padded = (<usize>((cols + 7) & ~7)) << 1;
  for (let i = 0; i < n; i++) {
    memory.copy(prepared, x, (<usize>cols) << 1);
    simd_sums(prepared, cols, prepared + padded);
    prepared += <usize>prepared_bytes(kernel, cols);
    x += (<usize>x_stride) << 1;
  }
}

/**
 * Rows [from, to) of W (rows, cols) @ x (n, cols) -> acc (n, acc_stride), the entries `from`..`to` of each vector.
 * @param w the repacked matrix (its first row)
 * @param from,to multiples of block_rows; `to` may lie beyond the last row, in its block
 * @param prepared made by `prepare` for the same kernel, cols and n
 * @param acc i32 (n, acc_stride)
 * @param scratch PRODUCT_SCRATCH bytes, 64-byte aligned, one for each thread
 */
export function product_rows(
  kernel: i32,
  w: usize,
  cols: i32,
  from: i32,
  to: i32,
  prepared: usize,
  n: i32,
  acc: usize,
  acc_stride: i32,
  scratch: usize,
): void {
  const padded = (<usize>((cols + 7) & ~7)) << 1;
  w += simd_bytes(from, cols);
  acc += (<usize>from) << 2;
  for (let i = 0; i < n; i++) {
    ternary_simd(w, to - from, cols, prepared, prepared + padded, acc, scratch);
    prepared += <usize>prepared_bytes(kernel, cols);
    acc += (<usize>acc_stride) << 2;
  }
}

/** Bytes of scratch for product_rows, for any kernel and n <= BATCH_MAX. */
export const PRODUCT_SCRATCH = 4096;
/** Vectors of a product: prompts are read this many positions at a time. */
export const BATCH_MAX = 16;
