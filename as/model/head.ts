/** The output head: rows of int8, int4 or trit planes times the normalised residual stream, then logits with 16 fraction bits. */
import { LOGIT_FRAC } from "../../spec/numerics.ts";
import { PACK_INT4, PACK_INT8, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { copro_logits } from "../copro/products.ts";
import { ENGINE_SIMD, is_copro } from "../kernels/engine.ts";
import { rows_int4 } from "../kernels/rows_int4.ts";
import { rows_int8 } from "../kernels/rows_int8.ts";
import { ternary_ref } from "../kernels/ternary_ref.ts";
import { PART_ACTIVATIONS, part, run } from "../memory/run_state.ts";
import { config } from "./config.ts";
import { build_tables, on_tables, table_rows, tile } from "./lut_engine.ts";
import { apply, Scale, scale_mul } from "./numeric.ts";
import { simd_head } from "./simd_engine.ts";
import { cols_of, packing_of, row_scales, Tensor } from "./weights.ts";

/**
 * Logits of rows from..to, of any or of all.
 * @param from a multiple of 8
 * @param to likewise, or the number of rows
 * @param sq scale of the activations in PART_ACTIVATIONS
 * @param logits i32[vocab_size rounded up to a multiple of 8], the others stay
 */
export function head_logits(t: Tensor, from: i32, to: i32, sq: Scale, logits: usize): void {
  const scales = row_scales(t) + ((<usize>from) << 2);
  logits += (<usize>from) << 2;
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      // Whatever it was, it is int8 now.
      const cols = cols_of(t);
      simd_head(t.data + <usize>from * <usize>cols, to - from, cols, sq, scales, logits);
      return;
    }
  }
  if (isDefined(ASC_COPRO)) {
    // Trit planes are what a coprocessor takes, too.
    const trits = packing_of(t) < PACK_INT8;
    if (trits && is_copro(run.engine) && copro_logits(t, from, to, config.head_act_max, sq, scales, logits)) return;
  }
  head_products(t, from, to - from, logits);
  scale_logits(logits, to - from, sq, scales);
}

/**
 * Products -> logits, in place.
 * @param logits i32[rows]
 * @param scales Scale[rows]
 */
export function scale_logits(logits: usize, rows: i32, sq: Scale, scales: usize): void {
  const end = (<usize>rows) << 2;
  for (let i: usize = 0; i < end; i += 4) {
    store<i32>(logits + i, apply(load<i32>(logits + i), scale_mul(sq, load<u32>(scales + i)), LOGIT_FRAC));
  }
}

function head_products(t: Tensor, from: i32, rows: i32, acc: usize): void {
  const x = part(PART_ACTIVATIONS);
  const cols = cols_of(t);
  const packing = packing_of(t);
  const w = t.data + rows_bytes(packing, from, cols);
  if (packing == PACK_INT8) rows_int8(w, rows, cols, x, acc);
  else if (packing == PACK_INT4) rows_int4(w, rows, cols, x, acc);
  else if (on_tables()) table_products(w, packing, rows, cols, acc);
  else ternary_ref(w, packing, rows, cols, x, acc);
}

/** Packed bytes of the first `rows` rows, a multiple of ROWS_PER_BLOCK (PACKING.md). */
export function rows_bytes(packing: i32, rows: i32, cols: i32): usize {
  if (packing == PACK_INT8) return <usize>rows * <usize>cols;
  if (packing == PACK_INT4) return <usize>rows * <usize>((cols + 1) >> 1);
  return <usize>rows * <usize>(packing * ((cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE));
}

function table_products(w: usize, trits: i32, rows: i32, cols: i32, acc: usize): void {
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  for (let from = 0; from < groups; from += run.lut_groups) {
    const tables = tile(from, groups);
    build_tables(part(PART_ACTIVATIONS), cols, from, tables);
    table_rows(w, trits, rows, groups, from, tables, acc, config.head_act_max);
  }
}
