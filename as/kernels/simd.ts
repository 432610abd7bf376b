/**
 * The ternary product of the SIMD engine, whichever kernel computes it. All give the integers of ternary_ref. Weights are repacked once, activations are
 * prepared once for all matrices that share them, rows are computed in ranges so that threads can share a matrix.
 *
 *     A3   ternary_simd.ts       baseline SIMD, runs everywhere; two vectors at a time by ternary_pair.ts, many by ternary_batch.ts
 *     B4   ternary_relaxed.ts    relaxed SIMD: only in the build that has it
 *     BR   ternary_wide.ts       baseline SIMD, for V8's revectoriser; the same weights as A3
 */
import { CODES_BYTES, codes_row, codes_zero, make_codes } from "./repack.ts";
import { BATCH_MIN, BATCH_ROWS, BATCH_SCRATCH, ternary_batch } from "./ternary_batch.ts";
import { ternary_pair } from "./ternary_pair.ts";
import {
  pack_two_rows,
  relaxed_prepare,
  relaxed_prepared,
  ternary_relaxed,
  two_rows_bytes,
} from "./ternary_relaxed.ts";
import { simd_prepare, simd_prepared, ternary_simd } from "./ternary_simd.ts";
import { code_row, code_stride, pack_scratch, pack_tile, TILE_ROWS, tile_bytes } from "./ternary_tiles.ts";
import { ternary_wide, wide_prepare, wide_prepared } from "./ternary_wide.ts";

export const KERNEL_A3 = 0;
export const KERNEL_B4 = 1;
export const KERNEL_BR = 2;
/** Bit k: this build has kernel k. */
export const KERNELS = (1 << KERNEL_A3) | (1 << KERNEL_BR) | (ASC_FEATURE_RELAXED_SIMD ? 1 << KERNEL_B4 : 0);

/** Rows of a block: repacking and products start and end on a multiple. */
export function block_rows(kernel: i32): i32 {
  return TILE_ROWS;
}

/** Rows that a range of n vectors should have at least: the tables of a batch are made anew for each. */
export function rows_worthwhile(kernel: i32, n: i32): i32 {
  return kernel == KERNEL_A3 && n >= BATCH_MIN ? BATCH_ROWS : TILE_ROWS;
}

/** Bytes of a block. */
@inline
function block_bytes(kernel: i32, cols: i32): usize {
  return kernel == KERNEL_B4 ? two_rows_bytes(cols) * (TILE_ROWS / 2) : tile_bytes(cols);
}

/** Bytes of a repacked matrix; those of its first `rows` rows when `rows` is a multiple of block_rows. */
export function repacked_bytes(kernel: i32, rows: i32, cols: i32): usize {
  return <usize>((rows + TILE_ROWS - 1) / TILE_ROWS) * block_bytes(kernel, cols);
}

/**
 * Canonical trits (PACKING.md) of whole blocks of rows to the kernel's layout.
 * @param w the first of these rows, `rows` of them
 * @param out repacked_bytes(kernel, rows, cols), 64-byte aligned
 * @param scratch repack_scratch(kernel, cols) bytes, 16-byte aligned
 */
export function repack_rows(kernel: i32, w: usize, rows: i32, cols: i32, out: usize, scratch: usize): void {
  const table = scratch;
  const codes = scratch + CODES_BYTES;
  make_codes(table);
  // Column -1 too: zero trits.
  codes_zero(codes, codes + <usize>pack_scratch(cols));
  for (let row = 0; row < rows; row += TILE_ROWS) {
    for (let i = 0; i < TILE_ROWS; i++) {
      const at = code_row(codes, i, cols);
      const end = at + <usize>code_stride(cols) - 16;
      if (row + i < rows) codes_row(w, cols, row + i, table, at, end);
      else codes_zero(at, end);
    }
    if (kernel == KERNEL_B4) {
      for (let i = 0; i < TILE_ROWS; i += 2) {
        const to = out + <usize>(i >> 1) * two_rows_bytes(cols);
        pack_two_rows(code_row(codes, i, cols), code_row(codes, i + 1, cols), cols, to);
      }
    } else {
      pack_tile(codes, cols, out);
    }
    out += block_bytes(kernel, cols);
  }
}

export function repack_scratch(kernel: i32, cols: i32): i32 {
  return CODES_BYTES + pack_scratch(cols);
}

/** Bytes of one prepared vector, a multiple of 64. */
export function prepared_bytes(kernel: i32, cols: i32): i32 {
  let bytes = kernel == KERNEL_BR ? wide_prepared(cols) : simd_prepared(cols);
  if (kernel == KERNEL_B4) bytes = relaxed_prepared(cols);
  return (bytes + 63) & ~63;
}

/**
 * Activations as the kernel wants them.
 * @param x i16 (n, x_stride), |x| <= 127
 * @param prepared n * prepared_bytes(kernel, cols), 64-byte aligned
 */
export function prepare(kernel: i32, x: usize, x_stride: i32, cols: i32, n: i32, prepared: usize): void {
  const bytes = <usize>prepared_bytes(kernel, cols);
  const x_bytes = (<usize>x_stride) << 1;
  // A3 takes two vectors together.
  const step = kernel == KERNEL_A3 ? 2 : 1;
  for (let i = 0; i < n; i += step) {
    if (kernel == KERNEL_A3) simd_prepare(x, x_bytes, cols, min(step, n - i), prepared, bytes);
    else if (kernel == KERNEL_BR) wide_prepare(x, cols, prepared);
    else relaxed_prepare(x, cols, prepared);
    prepared += <usize>step * bytes;
    x += <usize>step * x_bytes;
  }
}

/**
 * Rows [from, to) of W (rows, cols) @ x (n, cols) -> acc (n, acc_stride), the entries `from`..`to` of each vector.
 * A thread that lost its core may come back when `prepared` belongs to the next product (model/team.ts): its result is thrown away, so it may be wrong, but
 * the kernel has to end, and to read nothing outside the module's memory, whatever stands in `prepared`.
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
  const rows = to - from;
  const bytes = <usize>prepared_bytes(kernel, cols);
  const stride = (<usize>acc_stride) << 2;
  w += repacked_bytes(kernel, from, cols);
  acc += (<usize>from) << 2;
  if (kernel == KERNEL_A3) {
    if (n >= BATCH_MIN && rows >= BATCH_ROWS) {
      ternary_batch(w, rows, cols, prepared, bytes, n, acc, acc_stride, scratch);
      return;
    }
    for (; n > 1; n -= 2) {
      ternary_pair(w, rows, cols, prepared, prepared + bytes, acc, acc + stride, scratch);
      prepared += 2 * bytes;
      acc += 2 * stride;
    }
  }
  for (; n > 0; n--) {
    if (kernel == KERNEL_A3) ternary_simd(w, rows, cols, prepared, acc, scratch);
    else if (kernel == KERNEL_BR) ternary_wide(w, rows, cols, prepared, acc, scratch);
    else if (ASC_FEATURE_RELAXED_SIMD) ternary_relaxed(w, rows, cols, prepared, acc, scratch);
    prepared += bytes;
    acc += stride;
  }
}

/** Bytes of scratch for product_rows, for any kernel and n <= BATCH_MAX. */
export const PRODUCT_SCRATCH = BATCH_SCRATCH;
/** Vectors of a product: prompts are read this many positions at a time. */
export const BATCH_MAX = 16;
