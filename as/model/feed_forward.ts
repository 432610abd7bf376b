/** A gated feed-forward: the layer's own, or one of its experts (NUMERICS.md, "Feed-forward"). The letters behind arrows are shapes. */
import { KIND_FFN_DOWN, KIND_FFN_GATE, KIND_FFN_SUB_NORM, KIND_FFN_UP } from "../../spec/image.ts";
import { PART_GATE, PART_UP, part } from "../memory/run_state.ts";
import { products, rescale } from "./bitlinear.ts";
import { config } from "./config.ts";
import { gated } from "./ffn.ts";
import { sub_normed } from "./norms.ts";
import { Scale } from "./numeric.ts";
import { expert_tensor, weights } from "./weights.ts";

/**
 * @param expert 0 for the layer's own
 * @param s scale of the normed activations in PART_ACTIVATIONS, which are overwritten
 * @returns the scale of the output, which stands in PART_GATE: i32 (dim)
 */
export function feed_forward(layer: i32, expert: i32, s: Scale): Scale {
  const gate = part(PART_GATE); // (hidden_dim,)
  const up = part(PART_UP); // (hidden_dim,)

  // Wgate, Wup (hidden_dim, dim) @ x -> gate, up -> h in the place of gate
  const wg = expert_tensor(layer, KIND_FFN_GATE, expert);
  const wu = expert_tensor(layer, KIND_FFN_UP, expert);
  products(wg, gate, wu, up, null, 0);
  const su = rescale(wu, up, s);
  s = gated(gate, rescale(wg, gate, s), up, su, config.hidden_dim, config.activation, weights.tables);

  // Wdown (dim, hidden_dim) @ h -> its accumulators take the place of h
  s = sub_normed(gate, config.hidden_dim, s, expert_tensor(layer, KIND_FFN_SUB_NORM, expert));
  const wd = expert_tensor(layer, KIND_FFN_DOWN, expert);
  products(wd, gate, null, 0, null, 0);
  return rescale(wd, gate, s);
}
