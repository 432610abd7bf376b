/** Ternary products by the seam that the engine uses: as/kernels/simd.ts. */
import type { EngineExports, Heap } from "./load_engine.ts";

/** as/kernels/simd.ts: what each bit of kernels() stands for. */
export const KERNEL_NAMES = ["A3", "B4", "BR"];
const PRODUCT_SCRATCH = 1 << 19;
/** What stands in acc before the product. */
export const UNTOUCHED = 0x5a5a5a5a;

/** The kernels of a build. */
export function kernelsOf(engine: EngineExports): number[] {
  return KERNEL_NAMES.map((_, kernel) => kernel).filter((kernel) => ((engine.kernels() >> kernel) & 1) === 1);
}

/**
 * W (rows, cols) @ x (n, cols) -> acc (n, stride), from canonical bytes, everything on the heap.
 * @param cuts multiples of the kernel's block below rows: the product is made in these ranges
 * @returns the address of acc, whose padding behind the rows of each vector may have been written up to a whole block
 */
export function simdProduct(
  engine: EngineExports,
  heap: Heap,
  kernel: number,
  w: number,
  rows: number,
  cols: number,
  x: number,
  xStride = cols,
  n = 1,
  cuts: readonly number[] = [],
  stride = rows + 8,
): number {
  const matrix = heap.room(engine.repacked_bytes(kernel, rows, cols));
  engine.repack_rows(kernel, w, rows, cols, matrix, heap.room(engine.repack_scratch(kernel, cols)));
  const prepared = heap.room(n * engine.prepared_bytes(kernel, cols));
  engine.prepare(kernel, x, xStride, cols, n, prepared);
  const acc = heap.room(4 * n * stride);
  new Int32Array(engine.memory.buffer, acc, n * stride).fill(UNTOUCHED);
  const block = engine.block_rows(kernel);
  const ends = [...cuts, Math.ceil(rows / block) * block];
  let from = 0;
  const scratch = heap.room(PRODUCT_SCRATCH);
  for (const to of ends) {
    engine.product_rows(kernel, matrix, cols, from, to, prepared, n, acc, stride, scratch);
    from = to;
  }
  return acc;
}
