/** Repacks the open model for the SIMD engine: ternary matrices to tiles, trit planes and int4 rows of the head to int8. Node only. */
import { PACK_INT4, PACK_INT8, PACK_TRITS_1 } from "../../spec/packing.ts";
import { repack_int4_int8, repack_simd, repack_trits_int8 } from "../kernels/repack.ts";
import { simd_bytes } from "../kernels/ternary_simd.ts";
import { config } from "./config.ts";
import { cols_of, head, layer_tensors, packing_of, rows_of, Tensor, tensor_at } from "./weights.ts";

/** Bytes of scratch for any matrix of the model, then of all repacked weights: below 2^63, whatever the image claims. */
export function repack_bytes(): u64 {
  let bytes = scratch_bytes();
  for (let layer = 0; layer < config.n_layers; layer++) {
    for (let i = 0; i < layer_tensors(); i++) {
      const t = tensor_at(layer, i);
      if (is_ternary(t)) bytes += simd_bytes(rows_of(t), cols_of(t));
    }
  }
  return packing_of(head) == PACK_INT8 ? bytes : bytes + <u64>rows_of(head) * <u64>cols_of(head);
}

/** @param at 16-byte aligned, repack_bytes() bytes; the weights stay there */
export function repack_model(at: usize): void {
  const scratch = at;
  at += <usize>scratch_bytes();
  for (let layer = 0; layer < config.n_layers; layer++) {
    for (let i = 0; i < layer_tensors(); i++) {
      const t = tensor_at(layer, i);
      if (!is_ternary(t)) continue;
      const rows = rows_of(t);
      const cols = cols_of(t);
      repack_simd(t.data, rows, cols, at, scratch);
      t.data = at;
      at += simd_bytes(rows, cols);
    }
  }
  const packing = packing_of(head);
  if (packing == PACK_INT8) return;
  if (packing == PACK_INT4) repack_int4_int8(head.data, rows_of(head), cols_of(head), at);
  else repack_trits_int8(head.data, packing, rows_of(head), cols_of(head), at);
  head.data = at;
}

/** Gains and routers stay as they are. */
function is_ternary(t: Tensor): bool {
  return t.entry != 0 && packing_of(t) == PACK_TRITS_1;
}

/** Eight rows of i8 of the widest matrix. */
function scratch_bytes(): u64 {
  let cols = config.dim;
  cols = max(cols, max(config.hidden_dim, config.n_heads * config.head_dim));
  return <u64>((cols + 15) & ~15) * 8;
}
