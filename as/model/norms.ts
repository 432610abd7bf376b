/** RMSNorm in front of a BitLinear: what it takes from the arena and the image, around the arithmetic of quantise.ts. */
import { ACT_MAX } from "../../spec/numerics.ts";
import { PART_ACTIVATIONS, part } from "../memory/run_state.ts";
import { config } from "./config.ts";
import { Scale } from "./numeric.ts";
import { norm_quantise, quantise } from "./quantise.ts";
import { exponent_of, Tensor } from "./weights.ts";

/** RMSNorm with the gains of `t`, quantised into PART_ACTIVATIONS. */
export function normed(x: usize, n: i32, s: Scale, t: Tensor, qmax: i32): Scale {
  return norm_quantise(x, n, s, t.data, exponent_of(t), config.norm_eps, qmax, part(PART_ACTIVATIONS));
}

/** The same with a sub-norm, or, in models without sub-norms, only quantised. */
export function sub_normed(x: usize, n: i32, s: Scale, t: Tensor): Scale {
  if (config.sub_norm != 0) return normed(x, n, s, t, ACT_MAX);
  return quantise<i16>(x, n, s, ACT_MAX, part(PART_ACTIVATIONS));
}
