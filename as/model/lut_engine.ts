/**
 * The table kernel and attention's products for two heads: by the module's own kernels, or by the board's (HAL.md, "Kernels"), which take the
 * same pointers and give the same integers. as/app/native.ts has compared them before ENGINE_NATIVE is ever set.
 */
import { TRITS_PER_BYTE } from "../../spec/packing.ts";
import { attend_keys, attend_values, gemv_rows, gemv_tables } from "../hal.ts";
import { ENGINE_LUT, ENGINE_NATIVE } from "../kernels/engine.ts";
import { columns_int8_pair, rows_int8_pair } from "../kernels/pair_int8.ts";
import { lut_build, lut_rows } from "../kernels/ternary_lut.ts";
import { PART_LUT, part, run } from "../memory/run_state.ts";

/** Does the model run on tables? */
@inline
export function on_tables(): bool {
  return (run.engine & ENGINE_LUT) != 0; // ENGINE_NATIVE has this bit too
}

/** Groups of columns whose tables are held at a time, from group `from` on. */
@inline
export function tile(from: i32, groups: i32): i32 {
  return min(run.lut_groups, groups - from);
}

/**
 * Tables of x (cols,) for `tables` groups from group `from`, into PART_LUT.
 * @param x i16[cols]
 */
export function build_tables(x: usize, cols: i32, from: i32, tables: i32): void {
  const first = from * TRITS_PER_BYTE;
  const count = min(tables * TRITS_PER_BYTE, cols - first);
  x += (<usize>first) << 1;
  if (isDefined(ASC_NATIVE)) {
    if (run.engine == ENGINE_NATIVE) {
      gemv_tables(x, count, part(PART_LUT));
      return;
    }
  }
  lut_build(x, count, part(PART_LUT));
}

/** What these tables contribute to W (rows, cols) @ x -> acc; as lut_rows. `act_max` bounds |x|. */
@inline
export function table_rows(
  w: usize,
  trits: i32,
  rows: i32,
  groups: i32,
  from: i32,
  tables: i32,
  acc: usize,
  act_max: i32,
): void {
  if (isDefined(ASC_NATIVE)) {
    if (run.engine == ENGINE_NATIVE) {
      gemv_rows(w, trits, rows, groups, from, tables, part(PART_LUT), acc, act_max);
      return;
    }
  }
  lut_rows(w, trits, rows, groups, from, tables, part(PART_LUT), acc);
}

/** Scores of two queries on the same keys; as rows_int8_pair. */
export function pair_scores(w: usize, rows: i32, cols: i32, x0: usize, x1: usize, acc: usize): void {
  if (isDefined(ASC_NATIVE)) {
    if (run.engine == ENGINE_NATIVE) {
      attend_keys(w, rows, cols, x0, x1, acc);
      return;
    }
  }
  rows_int8_pair(w, rows, cols, x0, x1, acc);
}

/** The values of two heads, weighted; as columns_int8_pair. */
export function pair_values(w: usize, rows: i32, cols: i32, y: usize, sums: usize): void {
  if (isDefined(ASC_NATIVE)) {
    if (run.engine == ENGINE_NATIVE) {
      attend_values(w, rows, cols, y, sums);
      return;
    }
  }
  columns_int8_pair(w, rows, cols, y, sums);
}
