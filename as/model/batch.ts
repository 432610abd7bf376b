/**
 * Several positions in one forward pass. The pass is written once, with `do { ... } while (more(++i, n))` around what it does to each vector: where
 * neither SIMD nor a coprocessor is built in the loop and the places of vectors fold away, and what is left is the pass of one position.
 */
import { BATCHED } from "../kernels/engine.ts";
import { BATCH_MAX } from "../kernels/simd.ts";
import { activation_stride, gate_stride, qkv_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, PART_GATE, PART_RESIDUAL, PART_ROPE, PART_UP, part } from "../memory/run_state.ts";
import { config } from "./config.ts";
import { Scale } from "./numeric.ts";

/** u32[BATCH_MAX]: a scale of each vector. */
@lazy
const scales: usize = memory.data(BATCH_MAX * 4, 4);

/** Is there a vector i of n? */
@inline
export function more(i: i32, n: i32): bool {
  return BATCHED ? i < n : false;
}

/** Address of vector i in a part that holds one for each position, `stride` bytes apart. */
@inline
export function vector(first: usize, i: i32, stride: usize): usize {
  return BATCHED ? first + <usize>i * stride : first;
}

/** Keeps the scale of vector i for the next loop. */
@inline
export function keep(i: i32, s: Scale): void {
  if (BATCHED) store<u32>(scales + ((<usize>i) << 2), s);
}

/** The scale of vector i; `s` is that of the vector before the loop. */
@inline
export function kept(i: i32, s: Scale): Scale {
  return BATCHED ? load<u32>(scales + ((<usize>i) << 2)) : s;
}

/** Vector i of the batch in the parts that hold one for each position. */
@inline
export function residual(i: i32): usize {
  return vector(part(PART_RESIDUAL), i, BATCHED ? (<usize>config.dim) << 2 : 0);
}

@inline
export function activations(i: i32): usize {
  return vector(part(PART_ACTIVATIONS), i, (<usize>activation_stride()) << 1);
}

@inline
export function rotation(i: i32): usize {
  return vector(part(PART_ROPE), i, BATCHED ? (<usize>config.head_dim) << 1 : 0);
}

@inline
export function of_qkv(first: usize, i: i32): usize {
  return vector(first, i, (<usize>qkv_stride()) << 2);
}

@inline
export function gate_of(i: i32): usize {
  return vector(part(PART_GATE), i, (<usize>gate_stride()) << 2);
}

@inline
export function up_of(i: i32): usize {
  return vector(part(PART_UP), i, (<usize>gate_stride()) << 2);
}
