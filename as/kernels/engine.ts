/**
 * Engines: one signature each, the same integers from all. SIMD exists only where the build enables it (Node's engine, never a device), NATIVE and COPRO
 * only on a device: the board's own kernels behind the HAL, and its ternary coprocessor. Both read what LUT reads, and LUT can take over at any time.
 *
 *     | positions, COPRO only | kind |      an engine is a word: how many positions it computes side by side stands above its kind
 *       8 and up                7..0
 */
import { BATCH_MAX } from "./simd.ts";

export const ENGINE_REF = 0;
export const ENGINE_LUT = 1;
export const ENGINE_SIMD = 2;
export const ENGINE_NATIVE = 3;
export const ENGINE_COPRO = 5;
const KIND_BITS = 8;

/** A build whose forward pass can take several positions: Node's, and that of boards with a coprocessor. Elsewhere the loops over them fold away. */
export const BATCHED: bool = ASC_FEATURE_SIMD || isDefined(ASC_COPRO);

/** Positions that one forward pass computes side by side, at most BATCH_MAX: weights are unpacked, or streamed, once for all of them. */
@inline
export function batch_of(engine: i32): i32 {
  if (ASC_FEATURE_SIMD) {
    if (engine == ENGINE_SIMD) return BATCH_MAX;
  }
  return BATCHED ? max(1, engine >> KIND_BITS) : 1;
}

/** The engine of the coprocessor, for `positions` side by side. */
@inline
export function copro_engine(positions: i32): i32 {
  return ENGINE_COPRO | (positions << KIND_BITS);
}

@inline
export function is_copro(engine: i32): bool {
  return (engine & ((1 << KIND_BITS) - 1)) == ENGINE_COPRO;
}

/** Room for the accumulators of `rows` rows: kernels write whole blocks of them, 8 rows, or up to 64 in SIMD. */
@inline
export function padded_rows(rows: i32, engine: i32): i32 {
  return ASC_FEATURE_SIMD && engine == ENGINE_SIMD ? (rows + 63) & ~63 : (rows + 7) & ~7;
}
