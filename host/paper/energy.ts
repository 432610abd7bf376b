/**
 * Figure 3: arithmetic energy of 512 tokens at 7 nm, as the paper counts it, and what it leaves out.
 *
 *     LLaMA    every weight of the linear layers: a float16 multiplication and addition
 *     b1.58    an int8 addition; each output and each input of a product once a float16 multiplication (its scales)
 *     both     attention: L * L * dim products for scores and as many for values, float16
 *     not counted: embedding, head, norms, softmax, memory
 */
import type { EnergyProfile } from "../transports/sim.ts";
import { BYTES } from "./memory.ts";
import type { Side } from "./published.ts";
import { cacheNumbers, linearWeights, matrices, type Shape, VOCAB } from "./shapes.ts";

export const TOKENS = 512;
/** Bytes a weight in the canonical packing of tritkit: 5 trits. */
export const BASE_3_BYTES = 0.2;

export interface Constants {
  readonly int8Add: number;
  readonly fp16Mac: number;
  readonly fp16Mul: number;
  /** A trit times an activation, with decoder, tree and accumulator. */
  readonly ternaryLane: number;
  /** A byte of HBM2. */
  readonly memoryByte: number;
}

/** Picojoules of the 7 nm profile. */
export function constantsOf({ constants }: EnergyProfile): Constants {
  const pj = (event: keyof typeof constants): number => constants[event]?.value ?? Number.NaN;
  return {
    int8Add: pj("int8_add"),
    fp16Mac: pj("fp16_add") + pj("fp16_mul"),
    fp16Mul: pj("fp16_mul"),
    ternaryLane: pj("ternary_lane"),
    memoryByte: pj("hbm64") / 8,
  };
}

/** What one count includes. */
export interface Convention {
  /** The output head, float16 on both sides. */
  readonly head?: boolean;
  /** A trit costs a lane of a ternary unit instead of an addition. */
  readonly lane?: boolean;
  /** Weights are read from memory: once for all tokens, or for every token, and then the cache, too. */
  readonly traffic?: "once" | "every token";
}

/** Picojoules of 512 tokens. */
export function energyOf512(side: Side, shape: Shape, c: Constants, convention: Convention = {}): number {
  const { dim, layers } = shape;
  const products = TOKENS * linearWeights(shape);
  const attention = layers * 2 * TOKENS * TOKENS * dim * c.fp16Mac;
  const trit = convention.lane === true ? c.ternaryLane : c.int8Add;
  const scales = layers * matrices(shape).reduce((sum, [m, n]) => sum + TOKENS * (m + n), 0) * c.fp16Mul;
  const arithmetic = side === "llama" ? products * c.fp16Mac : products * trit + scales;
  const head = convention.head === true ? TOKENS * VOCAB * dim * c.fp16Mac : 0;
  return arithmetic + attention + head + traffic(side, shape, convention) * c.memoryByte;
}

/** Bytes. */
function traffic(side: Side, shape: Shape, convention: Convention): number {
  if (convention.traffic === undefined) return 0;
  const linear = side === "llama" ? BYTES.llama.linear : BASE_3_BYTES;
  const head = convention.head === true ? 2 * VOCAB * shape.dim : 0;
  const weights = linear * linearWeights(shape) + head;
  if (convention.traffic === "once") return weights;
  const cache = (TOKENS / 2) * BYTES[side].cache * cacheNumbers(shape);
  return TOKENS * (weights + cache);
}

export function energyRatio(shape: Shape, c: Constants, convention: Convention = {}): number {
  return energyOf512("llama", shape, c, convention) / energyOf512("b158", shape, c, convention);
}
