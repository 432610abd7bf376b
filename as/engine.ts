/**
 * Entry of the `engine` build: the core of the device with SIMD and without its HAL, for Node. An instance serves one model; memory that was
 * reserved is not given back. `reserve`, `open` and whatever calls them may grow the memory: views of it made before are dead then.
 *
 * Pointers are addresses in the module's memory, scales are m | e << 16 (m 16 bits, e signed), booleans are 0 and 1.
 */
import { IMAGE_NO_MEMORY, IMAGE_OK } from "../spec/image.ts";
import { texts_open, texts_sample, texts_sampler, texts_scratch, texts_turn } from "./engine_float.ts";
import {
  gen_begin,
  gen_context_count,
  gen_context_ids,
  gen_count,
  gen_pos,
  gen_prefill_done,
  gen_prefill_total,
  gen_prompt_tokens,
  gen_reset,
  gen_slides,
  gen_state,
  gen_step,
  gen_stop,
  gen_token,
  gen_why,
  text_decode,
  text_encode,
  token_text,
  token_text_len,
} from "./engine_text.ts";
import { repack_int4_int8, repack_simd, repack_trits_int8 } from "./kernels/repack.ts";
import { columns_int8 } from "./kernels/columns_int8.ts";
import { columns_int8_simd } from "./kernels/columns_int8_simd.ts";
import { rows_int4 } from "./kernels/rows_int4.ts";
import { rows_int8 } from "./kernels/rows_int8.ts";
import { rows_int8_simd } from "./kernels/rows_int8_simd.ts";
import { lut_build, lut_rows, ternary_lut } from "./kernels/ternary_lut.ts";
import { ternary_ref } from "./kernels/ternary_ref.ts";
import { simd_bytes, simd_sums, simd_sums_bytes, ternary_simd } from "./kernels/ternary_simd.ts";
import { unpack_trits_row } from "./kernels/unpack.ts";
import { part_name } from "./memory/part_names.ts";
import { join_heads } from "./model/attention.ts";
import { attend_head } from "./model/attention_head.ts";
import { choose_experts } from "./model/experts.ts";
import { gated, sigmoid15 } from "./model/ffn.ts";
import { forward } from "./model/forward.ts";
import { kv_scale } from "./model/kv.ts";
import { apply, isqrt, mul_round_shift, round_shift64, scale_mul, scale_of } from "./model/numeric.ts";
import { norm_quantise, normalise } from "./model/quantise.ts";
import { rope_angles, rope_rotate, sin15 } from "./model/rope.ts";
import { ENGINE_LUT, ENGINE_SIMD } from "./kernels/engine.ts";
import { layout_arena, layout_model } from "./memory/layout.ts";
import { PART_LUT, PARTS, part, part_of, plan, run } from "./memory/run_state.ts";
import { rescale_rows } from "./model/bitlinear.ts";
import { config_field } from "./model/config.ts";
import { read_image } from "./model/image.ts";
import { Scale } from "./model/numeric.ts";
import { open_model } from "./model/open.ts";
import { quantise } from "./model/quantise.ts";
import { repack_bytes, repack_model } from "./model/repack_model.ts";

// asc knows ".ts" in imports but not in re-exports.
export {
  apply,
  attend_head,
  choose_experts,
  columns_int8,
  columns_int8_simd,
  forward,
  gated,
  gen_begin,
  gen_context_count,
  gen_context_ids,
  gen_count,
  gen_pos,
  gen_prefill_done,
  gen_prefill_total,
  gen_prompt_tokens,
  gen_reset,
  gen_slides,
  gen_state,
  gen_step,
  gen_stop,
  gen_token,
  gen_why,
  isqrt,
  join_heads,
  kv_scale,
  lut_build,
  lut_rows,
  mul_round_shift,
  norm_quantise,
  normalise,
  part_name,
  repack_int4_int8,
  repack_simd,
  repack_trits_int8,
  rescale_rows,
  rope_angles,
  rope_rotate,
  round_shift64,
  rows_int4,
  rows_int8,
  rows_int8_simd,
  scale_mul,
  scale_of,
  sigmoid15,
  simd_bytes,
  simd_sums,
  simd_sums_bytes,
  sin15,
  ternary_lut,
  ternary_ref,
  ternary_simd,
  text_decode,
  text_encode,
  texts_open,
  texts_sample,
  texts_sampler,
  texts_scratch,
  texts_turn,
  token_text,
  token_text_len,
  unpack_trits_row,
};

const PAGE: u64 = 65536;
/** Largest memory an arena can be asked for: what wasm32 addresses, less the pages of the module itself. */
const ARENA_MAX: usize = 0xfff00000;

/** Grows the memory by at least `bytes`; the address of the new part, a multiple of 65536, or 0 when there is no more. */
export function reserve(bytes: u32): usize {
  const address = <u64>memory.size() * PAGE;
  if (memory.grow(<i32>((<u64>bytes + PAGE - 1) / PAGE)) < 0) return 0;
  return <usize>address;
}

/**
 * Opens a model (model/open.ts): arena and repacked weights are reserved here.
 * @param context positions; 0: DEFAULT_CONTEXT, else seq_len
 * @param engine 0 ref, 1 lut, 2 simd
 * @returns IMAGE_OK or an IMAGE_* error
 */
export function open(image: usize, bytes: u32, context: i32, engine: i32): i32 {
  const error = read_image(image, bytes, 0);
  if (error != IMAGE_OK) return error;
  plan.engine = engine;
  layout_arena(plan, 0, ARENA_MAX, 0, 0);
  if (!layout_model(plan, context)) return IMAGE_NO_MEMORY;
  const tables = part_of(plan, PART_LUT);
  const arena_bytes = <u32>(tables.address + tables.bytes);
  const arena = reserve(arena_bytes);
  if (arena == 0) return IMAGE_NO_MEMORY;
  layout_arena(run, arena, arena + arena_bytes, 0, 0);
  const opened = open_model(image, bytes, 0, plan.context, engine);
  return opened == IMAGE_OK && engine == ENGINE_SIMD ? repack() : opened;
}

function repack(): i32 {
  const bytes = repack_bytes();
  const at: usize = bytes > <u64>ARENA_MAX ? 0 : reserve(<u32>bytes);
  if (at == 0) {
    run.context = 0;
    return IMAGE_NO_MEMORY;
  }
  repack_model(at);
  return IMAGE_OK;
}

/** Positions of the open model; 0: none is open. */
export function context(): i32 {
  return run.context;
}

/** Field CFG_* of the image last read. */
export function config(i: i32): u32 {
  return config_field(i);
}

/** Address of a part of the open model (PART_* of memory/run_state.ts). */
export function part_address(i: i32): usize {
  return part(i);
}

/**
 * Lays out the image last read as a device would in an arena of `arena_bytes`; the other plan_ functions then answer for it. Nothing else changes.
 * @param context as for open
 * @param rx_bytes,tx_bytes the device's frame buffers
 * @returns 1 when it fits; 0: plan_needed() tells what the smallest context would take
 */
export function plan_device(arena_bytes: u32, context: i32, rx_bytes: u32, tx_bytes: u32): bool {
  plan.engine = ENGINE_LUT;
  return layout_arena(plan, 0, arena_bytes, rx_bytes, tx_bytes) && layout_model(plan, context);
}

/** Reads header and configuration only, for plan_device and config. Any open model is closed. */
export function read(image: usize, bytes: u32): i32 {
  run.context = 0;
  return read_image(image, bytes, 0);
}

/** Bytes of the arena that the planned context takes with the smallest tables. */
export function plan_needed(): u32 {
  return plan.needed;
}

export function plan_context(): i32 {
  return plan.context;
}

/** The largest context that fits; 0 when none does. */
export function plan_max_context(): i32 {
  return plan.max_context;
}

/** Groups of 5 columns in the table tile. */
export function plan_lut_groups(): i32 {
  return plan.lut_groups;
}

export function part_count(): i32 {
  return PARTS;
}

/** Where a planned part begins in the arena. Parts may overlap: their lifetimes do not. */
export function part_offset(i: i32): u32 {
  return <u32>part_of(plan, i).address;
}

export function part_bytes(i: i32): u32 {
  return part_of(plan, i).bytes;
}

export function quantise_i8(x: usize, n: i32, s: Scale, qmax: i32, q: usize): Scale {
  return quantise<i8>(x, n, s, qmax, q);
}

export function quantise_i16(x: usize, n: i32, s: Scale, qmax: i32, q: usize): Scale {
  return quantise<i16>(x, n, s, qmax, q);
}
