/** The coprocessor in the place of the table kernel: the same matrices, activations and sums, or `false`, and the CPU computes them. */
import { ACT_MAX } from "../../spec/numerics.ts";
import { PACK_TRITS_1 } from "../../spec/packing.ts";
import { COPRO_USED } from "../../spec/wire.ts";
import { activation_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, part } from "../memory/run_state.ts";
import { activations } from "../model/batch.ts";
import { cols_of, rows_of, Tensor } from "../model/weights.ts";
import { chain_add, chain_begin, chain_run } from "./chain.ts";
import { copro_state, copro_vectors } from "./unit.ts";

/** As products() of model/bitlinear.ts. Of more vectors than the unit's buffer holds each share takes its own pass over the weights. */
export function copro_products(
  t: Tensor,
  acc_t: usize,
  u: Tensor | null,
  acc_u: usize,
  v: Tensor | null,
  acc_v: usize,
  n: i32,
  stride: i32,
): bool {
  const cols = cols_of(t);
  const most = copro_vectors(cols, false);
  if (most == 0 || copro_state() != COPRO_USED) return false;
  for (let i = 0; i < n; i += most) {
    const at = (<usize>i * <usize>stride) << 2;
    chain_begin(activations(i), cols, activation_stride(), min(most, n - i), stride, false);
    chain_add(t.data, PACK_TRITS_1, rows_of(t), acc_t + at);
    if (u) chain_add(u.data, PACK_TRITS_1, rows_of(u), acc_u + at);
    if (v) chain_add(v.data, PACK_TRITS_1, rows_of(v), acc_v + at);
    if (!chain_run()) return false;
  }
  return true;
}

/**
 * Trit planes @ the activations in PART_ACTIVATIONS -> acc: the head.
 * @param act_max bounds them
 */
export function copro_planes(w: usize, trits: i32, rows: i32, cols: i32, act_max: i32, acc: usize): bool {
  const wide = act_max > ACT_MAX;
  if (copro_vectors(cols, wide) == 0 || copro_state() != COPRO_USED) return false;
  chain_begin(part(PART_ACTIVATIONS), cols, 0, 1, 0, wide);
  chain_add(w, trits, rows, acc);
  return chain_run();
}
