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
import { cols_of, packing_of, row_scales, rows_of, Tensor } from "./weights.ts";

/**
 * @param sq scale of the activations in PART_ACTIVATIONS
 * @param logits i32[vocab_size rounded up to a multiple of 8]
 */
export function head_logits(t: Tensor, sq: Scale, logits: usize): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      simd_head(t.data, rows_of(t), cols_of(t), sq, row_scales(t), logits); // whatever it was, it is int8 now
      return;
    }
  }
  if (isDefined(ASC_COPRO)) {
    // Trit planes are what a coprocessor takes, too.
    const trits = packing_of(t) < PACK_INT8;
    if (trits && is_copro(run.engine) && copro_logits(t, config.head_act_max, sq, row_scales(t), logits)) return;
  }
  head_products(t, logits);
  scale_logits(logits, rows_of(t), sq, row_scales(t));
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

function head_products(t: Tensor, acc: usize): void {
  const x = part(PART_ACTIVATIONS);
  const rows = rows_of(t);
  const cols = cols_of(t);
  const packing = packing_of(t);
  if (packing == PACK_INT8) rows_int8(t.data, rows, cols, x, acc);
  else if (packing == PACK_INT4) rows_int4(t.data, rows, cols, x, acc);
  else if (on_tables()) table_products(t, packing, acc);
  else ternary_ref(t.data, packing, rows, cols, x, acc);
}

function table_products(t: Tensor, trits: i32, acc: usize): void {
  const cols = cols_of(t);
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  for (let from = 0; from < groups; from += run.lut_groups) {
    const tables = tile(from, groups);
    build_tables(part(PART_ACTIVATIONS), cols, from, tables);
    table_rows(t.data, trits, rows_of(t), groups, from, tables, acc, config.head_act_max);
  }
}
