/** The gated feed-forward's middle: h = act(gate) * up, with SiLU or squared ReLU (NUMERICS.md, "Feed-forward"). */
import { ACTIVATION_RELU2, TAB_SIGMOID } from "../../spec/image.ts";
import { relu2_simd } from "./elementwise_simd.ts";
import {
  apply,
  bitlen,
  exponent,
  magnitude,
  magnitudes,
  mant,
  round_shift,
  Scale,
  scale,
  scale_mul,
} from "./numeric.ts";
import { normalise } from "./quantise.ts";

/** sigmoid saturates here: 16 with 10 fraction bits. */
const SIGMOID_END: u32 = 16384;

/** s * 2^d; zero stays zero. */
@inline
function shifted(s: Scale, d: i32): Scale {
  return mant(s) == 0 ? 0 : scale(mant(s), exponent(s) + d);
}

/** sigmoid(t / 2^10) with 15 fraction bits. */
export function sigmoid15(table: usize, t: i32): i32 {
  const n = magnitude(t);
  let S = 32768;
  if (n < SIGMOID_END) {
    const entry = table + ((<usize>(n >> 6)) << 1);
    const low = <i32>load<u16>(entry);
    S = low + (((<i32>load<u16>(entry, 2) - low) * <i32>(n & 63) + 32) >> 6);
  }
  return t < 0 ? 32768 - S : S;
}

/**
 * @param g,u i32[n]: gate (scale sg), replaced by h, and up (scale su), changed
 * @returns the scale of h
 */
export function gated(g: usize, sg: Scale, u: usize, su: Scale, n: i32, activation: i32, tables: usize): Scale {
  const largest = magnitudes(g, n);
  const d_g = largest == 0 ? 0 : bitlen(largest) - 15;
  const d_u = normalise(u, n, 15);
  const relu2 = activation == ACTIVATION_RELU2;
  const end = g + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    if (relu2) {
      const done = (<usize>relu2_simd(g, u, n, d_g)) << 2;
      g += done;
      u += done;
    }
  }
  for (; g < end; g += 4) {
    const x = load<i32>(g);
    let h = 0;
    if (!relu2) {
      h = product15(round_shift(x, d_g) * sigmoid15(tables + TAB_SIGMOID, apply(x, sg, 10)), load<i32>(u));
    } else if (x > 0) {
      const G = round_shift(x, d_g);
      h = product15(G * G, load<i32>(u));
    }
    store<i32>(g, h);
    u += 4;
  }
  const gate = shifted(sg, d_g);
  return scale_mul(relu2 ? scale_mul(gate, gate) : shifted(gate, -15), shifted(su, d_u + 15));
}

/** round_shift(a * b, 15) for |a| <= 2^30, |b| <= 2^15, in 32 bits. */
@inline
function product15(a: i32, b: i32): i32 {
  return (a >> 15) * b + (((a & 0x7fff) * b + 16384) >> 15);
}
