/**
 * Several positions in one forward pass. The pass is written once, with `do { ... } while (more(++i, n))` around what it does to each vector: where
 * there is no SIMD engine the loop and the places of vectors fold away, and what is left is the pass of one position.
 */
import { BATCH_MAX } from "../kernels/simd.ts";
import { Scale } from "./numeric.ts";

/** u32[BATCH_MAX]: a scale of each vector. */
@lazy const scales: usize = memory.data(BATCH_MAX * 4, 4);

/** Is there a vector i of n? */
@inline
export function more(i: i32, n: i32): bool {
  return ASC_FEATURE_SIMD ? i < n : false;
}

/** Address of vector i in a part that holds one for each position, `stride` bytes apart. */
@inline
export function vector(first: usize, i: i32, stride: usize): usize {
  return ASC_FEATURE_SIMD ? first + <usize>i * stride : first;
}

/** Keeps the scale of vector i for the next loop. */
@inline
export function keep(i: i32, s: Scale): void {
  if (ASC_FEATURE_SIMD) store<u32>(scales + ((<usize>i) << 2), s);
}

/** The scale of vector i; `s` is that of the vector before the loop. */
@inline
export function kept(i: i32, s: Scale): Scale {
  return ASC_FEATURE_SIMD ? load<u32>(scales + ((<usize>i) << 2)) : s;
}
