/**
 * Engines: one signature each, the same integers from all. SIMD exists only where the build enables it (Node's engine, never a device), NATIVE
 * only on a device: the board's own kernels behind the HAL, which read what LUT reads.
 */
import { BATCH_MAX } from "./simd.ts";

export const ENGINE_REF = 0;
export const ENGINE_LUT = 1;
export const ENGINE_SIMD = 2;
export const ENGINE_NATIVE = 3;

/** Positions that one forward pass computes side by side: SIMD reads prompts in batches, so that weights are unpacked once for all of them. */
@inline
export function batch_of(engine: i32): i32 {
  return ASC_FEATURE_SIMD && engine == ENGINE_SIMD ? BATCH_MAX : 1;
}

/** Room for the accumulators of `rows` rows: kernels write whole blocks of them, 8 rows, or up to 64 in SIMD. */
@inline
export function padded_rows(rows: i32, engine: i32): i32 {
  return ASC_FEATURE_SIMD && engine == ENGINE_SIMD ? (rows + 63) & ~63 : (rows + 7) & ~7;
}
