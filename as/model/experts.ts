/**
 * Mixture of experts (NUMERICS.md, "Experts"): the router chooses a few feed-forwards of the layer, and their outputs join the residual stream
 * weighted by the softmax over the chosen. The letters are those of the page.
 */
import { TAB_EXP2 } from "../../spec/image.ts";
import { LOG2E_MANT } from "../../spec/numerics.ts";
import { BATCHED } from "../kernels/engine.ts";
import { PART_ACTIVATIONS, PART_EXPERTS, PART_GATE, part } from "../memory/run_state.ts";
import { activations, keep, residual } from "./batch.ts";
import { add_residual } from "./bitlinear.ts";
import { config } from "./config.ts";
import { feed_forward } from "./feed_forward.ts";
import { head_logits } from "./head.ts";
import { mul_round_shift, Scale, scale_mul, scale_of } from "./numeric.ts";
import { router, weights } from "./weights.ts";

/** Bytes of a choice: i32 expert, scale of its weight. */
const CHOICE_BYTES = 8;
/** D from which on p is 0: 22 with 16 fraction bits, where d has passed 31 * 256. */
const FAR: u32 = 22 << 16;

/**
 * All of a layer's experts that a token takes, added to its residual stream.
 * @param i the token's vector in the batch (batch.ts); those before it are done, their activations are overwritten
 * @param sq scale of the normed activations
 */
export function experts(layer: i32, i: i32, sq: Scale): void {
  const x = part(PART_ACTIVATIONS);
  const bytes = (<usize>config.dim) << 1;
  const logits = part(PART_EXPERTS);
  const chosen = logits + ((<usize>((config.n_experts + 7) & ~7)) << 2);
  const end = chosen + <usize>config.n_experts_used * CHOICE_BYTES;
  memory.copy(end, activations(i), bytes); // q: every expert reads it, and each overwrites PART_ACTIVATIONS
  if (BATCHED) memory.copy(x, end, bytes);
  head_logits(router(layer), 0, config.n_experts, sq, logits);
  choose_experts(logits, config.n_experts, config.n_experts_used, weights.tables + TAB_EXP2, chosen);
  for (let choice = chosen; choice < end; choice += CHOICE_BYTES) {
    memory.copy(x, end, bytes);
    keep(0, sq);
    const s = feed_forward(layer, load<i32>(choice), 1, sq);
    add_residual(residual(i), part(PART_GATE), scale_mul(s, load<u32>(choice, 4)));
  }
}

/**
 * The `used` largest of n logits, the lower number first among equals, with their weights.
 * @param logits i32[n] with 16 fraction bits
 * @param chosen {i32 expert, Scale weight}[used], 8-byte aligned
 */
export function choose_experts(logits: usize, n: i32, used: i32, exp2: usize, chosen: usize): void {
  const end = chosen + <usize>used * CHOICE_BYTES;
  let P: u64 = 0;
  let e = -1;
  let l = i32.MAX_VALUE;
  let largest = 0;
  for (let choice = chosen; choice < end; choice += CHOICE_BYTES) {
    e = expert_after(logits, n, e, l);
    l = load<i32>(logits + ((<usize>e) << 2));
    if (choice == chosen) largest = l;
    const D = <u32>largest - <u32>l;
    let p: u32 = 0;
    if (D < FAR) {
      const d = <u32>mul_round_shift(<i32>D, LOG2E_MANT, 23);
      // i = 31 only where D rounds up to it: EXP2[0] << 15 >> 31 is 0 as well.
      p = ((<u32>load<u16>(exp2 + ((<usize>(d & 255)) << 1))) << 15) >> (d >> 8);
    }
    store<i32>(choice, e);
    store<u32>(choice, p, 4);
    P += p;
  }
  for (let choice = chosen; choice < end; choice += CHOICE_BYTES) {
    store<u32>(choice, scale_of(((<u64>load<u32>(choice, 4)) << 32) / P, -32), 4);
  }
}

/** The first expert after `last`, whose logit is l, in the order of the rule. */
function expert_after(logits: usize, n: i32, last: i32, l: i32): i32 {
  let best = -1;
  let most = 0;
  for (let e = 0; e < n; e++) {
    const logit = load<i32>(logits + ((<usize>e) << 2));
    if (logit > l || (logit == l && e <= last)) continue;
    if (best < 0 || logit > most) {
      best = e;
      most = logit;
    }
  }
  return best;
}
