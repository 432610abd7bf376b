/** The coprocessor in the place of the table kernel: the same matrices, activations and sums, or `false`, and the CPU computes them. */
import { ACT_MAX } from "../../spec/numerics.ts";
import { PACK_TRITS_1, ROWS_PER_BLOCK } from "../../spec/packing.ts";
import { COPRO_USED } from "../../spec/wire.ts";
import { activation_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, part } from "../memory/run_state.ts";
import { activations } from "../model/batch.ts";
import { rows_bytes, scale_logits } from "../model/head.ts";
import { Scale } from "../model/numeric.ts";
import { cols_of, packing_of, rows_of, Tensor } from "../model/weights.ts";
import { chain_add, chain_again, chain_begin, chain_run, chain_start, Y_STRIDE_MAX } from "./chain.ts";
import { copro_finish, copro_state, copro_vectors } from "./unit.ts";

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
  const held = copro_vectors(cols, false);
  const most = stride > Y_STRIDE_MAX ? min(held, 1) : held;
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

/** Rows of the head that are scaled while the next ones stream: an eighth of them, whole blocks. */
const SHARE_MIN = 64;
const SHARE_MAX = 1024;

/**
 * Rows from..to of trit planes @ the activations in PART_ACTIVATIONS -> logits: the head, share by share. The CPU scales one while the unit computes the next: for a
 * vocabulary of 32,000 both take about as long.
 * @param from,to as for head_logits()
 * @param act_max bounds the activations
 * @param scales Scale[to - from]
 * @param logits i32[to - from]
 */
export function copro_logits(
  t: Tensor,
  from: i32,
  to: i32,
  act_max: i32,
  sq: Scale,
  scales: usize,
  logits: usize,
): bool {
  const cols = cols_of(t);
  const rows = to - from;
  const wide = act_max > ACT_MAX;
  if (copro_vectors(cols, wide) == 0 || copro_state() != COPRO_USED) return false;
  const share = min(max(rows >> 3, SHARE_MIN), SHARE_MAX) & ~(ROWS_PER_BLOCK - 1);
  chain_begin(part(PART_ACTIVATIONS), cols, 0, 1, 0, wide);
  let scaled = 0;
  for (let done = 0; done < rows; ) {
    const count = min(share, rows - done);
    const w = t.data + rows_bytes(packing_of(t), from + done, cols);
    chain_add(w, packing_of(t), count, logits + ((<usize>done) << 2));
    chain_start();
    if (done > 0) scale_logits(logits + ((<usize>scaled) << 2), done - scaled, sq, scales + ((<usize>scaled) << 2));
    if (!copro_finish()) return false;
    scaled = done;
    done += count;
    chain_again();
  }
  scale_logits(logits + ((<usize>scaled) << 2), rows - scaled, sq, scales + ((<usize>scaled) << 2));
  return true;
}
