/** RMSNorm in front of a BitLinear: what it takes from the image, around the arithmetic of quantise.ts. */
import { ACT_MAX } from "../../spec/numerics.ts";
import { config } from "./config.ts";
import { Scale } from "./numeric.ts";
import { norm_quantise, quantise } from "./quantise.ts";
import { exponent_of, Tensor } from "./weights.ts";

/** RMSNorm with the gains of `t`, quantised into q i16[n]. */
export function normed(x: usize, n: i32, s: Scale, t: Tensor, qmax: i32, q: usize): Scale {
  return norm_quantise(x, n, s, t.data, exponent_of(t), config.norm_eps, qmax, q);
}

/** The same with a sub-norm, or, in models without sub-norms, only quantised. */
export function sub_normed(x: usize, n: i32, s: Scale, t: Tensor, q: usize): Scale {
  if (config.sub_norm != 0) return normed(x, n, s, t, ACT_MAX, q);
  return quantise<i16>(x, n, s, ACT_MAX, q);
}
