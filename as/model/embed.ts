/** A row of the embedding becomes the residual stream. */
import { PACK_INT4, PACK_INT8 } from "../../spec/packing.ts";
import { ENGINE_SIMD } from "../kernels/engine.ts";
import { int4_weight } from "../kernels/rows_int4.ts";
import { unpack_trits_row } from "../kernels/unpack.ts";
import { run } from "../memory/run_state.ts";
import { apply } from "./numeric.ts";
import { cols_of, packing_of, row_scales, Tensor } from "./weights.ts";

/** x i32[dim] = row `token` of t, with `frac` fraction bits. */
export function embed_token(t: Tensor, token: i32, frac: i32, x: usize): void {
  const dim = cols_of(t);
  let packing = packing_of(t);
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) packing = PACK_INT8; // whatever it was
  }
  const scale = load<u32>(row_scales(t) + ((<usize>token) << 2));
  // The integers stand in the last quarter of x until the words overwrite them, each after it was read.
  const w = x + <usize>dim * 3;
  if (packing == PACK_INT8) {
    memory.copy(w, t.data + <usize>token * <usize>dim, dim);
  } else if (packing == PACK_INT4) {
    const row = t.data + <usize>token * <usize>((dim + 1) >> 1);
    for (let i = 0; i < dim; i++) store<i8>(w + <usize>i, int4_weight(row, i));
  } else {
    unpack_trits_row(t.data, packing, dim, token, w);
  }
  for (let i = 0; i < dim; i++) store<i32>(x + ((<usize>i) << 2), apply(load<i8>(w + <usize>i), scale, frac));
}
