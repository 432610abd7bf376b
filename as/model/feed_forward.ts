/** A gated feed-forward: the layer's own, or one of its experts (NUMERICS.md, "Feed-forward"). The letters behind arrows are shapes. */
import { KIND_FFN_DOWN, KIND_FFN_GATE, KIND_FFN_SUB_NORM, KIND_FFN_UP } from "../../spec/image.ts";
import { gate_stride } from "../memory/layout.ts";
import { PART_GATE, PART_UP, part } from "../memory/run_state.ts";
import { activations, gate_of, keep, kept, more, up_of } from "./batch.ts";
import { products, rescale } from "./bitlinear.ts";
import { config } from "./config.ts";
import { gated } from "./ffn.ts";
import { sub_normed } from "./norms.ts";
import { Scale } from "./numeric.ts";
import { expert_tensor, weights } from "./weights.ts";

/**
 * @param expert 0 for the layer's own
 * @param n vectors, one but for the SIMD engine (batch.ts)
 * @param s scale of the normed activations in PART_ACTIVATIONS, which are overwritten
 * @returns the scale of the output, which stands in PART_GATE: i32 (n, dim)
 */
export function feed_forward(layer: i32, expert: i32, n: i32, s: Scale): Scale {
  const gate = part(PART_GATE); // (n, hidden_dim)
  const up = part(PART_UP); // (n, hidden_dim)

  // Wgate, Wup (hidden_dim, dim) @ x -> gate, up -> h in the place of gate
  const wg = expert_tensor(layer, KIND_FFN_GATE, expert);
  const wu = expert_tensor(layer, KIND_FFN_UP, expert);
  products(wg, gate, wu, up, null, 0, n, gate_stride());
  const sub_norm = expert_tensor(layer, KIND_FFN_SUB_NORM, expert);
  let i = 0;
  do {
    s = kept(i, s);
    const su = rescale(wu, up_of(i), s);
    const sg = rescale(wg, gate_of(i), s);
    s = gated(gate_of(i), sg, up_of(i), su, config.hidden_dim, config.activation, weights.tables);
    s = sub_normed(gate_of(i), config.hidden_dim, s, sub_norm, activations(i));
    keep(i, s);
  } while (more(++i, n));

  // Wdown (dim, hidden_dim) @ h -> its accumulators take the place of h
  const wd = expert_tensor(layer, KIND_FFN_DOWN, expert);
  products(wd, gate, null, 0, null, 0, n, gate_stride());
  i = 0;
  do {
    s = rescale(wd, gate_of(i), kept(i, s));
    keep(i, s);
  } while (more(++i, n));
  return s;
}
