/**
 * Entry of the `engine` build: the core of the device with SIMD and without its HAL, for Node. An instance serves one model; memory that was
 * reserved is not given back. `reserve`, `open` and whatever calls them may grow the memory: views of it made before are dead then.
 *
 * Pointers are addresses in the module's memory, scales are m | e << 16 (m 16 bits, e signed), booleans are 0 and 1.
 */
import { IMAGE_NO_MEMORY, IMAGE_OK } from "../spec/image.ts";
import {
  assistant_on,
  assistant_open,
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_margin,
  call_rc,
  call_slot,
  call_target,
  call_tool,
  call_value,
  call_verb,
  calls_count,
  calls_rehearse,
  is_assistant,
  item_bytes,
  item_token,
  item_word,
  mentioned,
  slot_value,
  slots_of,
  table_is_sound,
  token_base,
  tool_at,
  tool_check,
  tool_goal,
  tool_measured,
  tool_raw,
  tool_value,
  tools_count,
  turn_ids,
  word_value,
  words_begin,
  words_next,
  words_normalise,
} from "./engine_calls.ts";
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
import { repack_int4_int8, repack_trits_int8 } from "./kernels/repack.ts";
import { columns_int8 } from "./kernels/columns_int8.ts";
import { columns_int8_simd } from "./kernels/columns_int8_simd.ts";
import { rows_int4 } from "./kernels/rows_int4.ts";
import { rows_int8 } from "./kernels/rows_int8.ts";
import { rows_int8_simd } from "./kernels/rows_int8_simd.ts";
import {
  block_rows,
  KERNELS,
  prepare,
  prepared_bytes,
  product_rows,
  repack_rows,
  repack_scratch,
  repacked_bytes,
} from "./kernels/simd.ts";
import { lut_build, lut_rows, ternary_lut } from "./kernels/ternary_lut.ts";
import { ternary_ref } from "./kernels/ternary_ref.ts";
import { unpack_trits_row } from "./kernels/unpack.ts";
import { part_name } from "./memory/part_names.ts";
import { join_heads } from "./model/attention.ts";
import { attend_head } from "./model/attention_head.ts";
import { choose_experts } from "./model/experts.ts";
import { gated, sigmoid15 } from "./model/ffn.ts";
import { forward, forward_batch, logits_between, logits_of } from "./model/forward.ts";
import { kv_scale } from "./model/kv.ts";
import { apply, isqrt, mul_round_shift, round_shift64, scale_mul, scale_of } from "./model/numeric.ts";
import { norm_quantise, normalise } from "./model/quantise.ts";
import { rope_angles, rope_rotate, sin15 } from "./model/rope.ts";
import { batch_of, copro_engine, ENGINE_LUT, ENGINE_SIMD } from "./kernels/engine.ts";
import { layout_arena, layout_model } from "./memory/layout.ts";
import { PART_LUT, PARTS, part, part_of, plan, run } from "./memory/run_state.ts";
import { rescale_rows } from "./model/bitlinear.ts";
import { config_field } from "./model/config.ts";
import { read_image } from "./model/image.ts";
import { Scale } from "./model/numeric.ts";
import { open_model } from "./model/open.ts";
import { quantise } from "./model/quantise.ts";
import {
  is_repacked,
  place_weights,
  repack_image,
  repack_section,
  repack_step,
  weights_bytes,
} from "./model/repack_model.ts";
import { areas_bytes, set_areas, simd_kernel, use_kernel } from "./model/simd_engine.ts";
import { TEAM_BYTES, team_dismiss, team_lead, team_size, team_work } from "./model/team.ts";

// asc knows ".ts" in imports but not in re-exports.
export {
  apply,
  assistant_on,
  assistant_open,
  attend_head,
  block_rows,
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_margin,
  call_rc,
  call_slot,
  call_target,
  call_tool,
  call_value,
  call_verb,
  calls_count,
  calls_rehearse,
  choose_experts,
  columns_int8,
  columns_int8_simd,
  forward,
  forward_batch,
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
  is_assistant,
  is_repacked,
  isqrt,
  item_bytes,
  item_token,
  item_word,
  join_heads,
  kv_scale,
  logits_between,
  logits_of,
  lut_build,
  lut_rows,
  mentioned,
  mul_round_shift,
  norm_quantise,
  normalise,
  part_name,
  prepare,
  prepared_bytes,
  product_rows,
  repack_int4_int8,
  repack_rows,
  repack_scratch,
  repack_section,
  repack_step,
  repack_trits_int8,
  repacked_bytes,
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
  simd_kernel,
  sin15,
  slot_value,
  slots_of,
  table_is_sound,
  team_dismiss,
  team_size,
  team_work,
  ternary_lut,
  ternary_ref,
  text_decode,
  text_encode,
  texts_open,
  texts_sample,
  texts_sampler,
  texts_scratch,
  texts_turn,
  token_base,
  token_text,
  token_text_len,
  tool_at,
  tool_check,
  tool_goal,
  tool_measured,
  tool_raw,
  tool_value,
  tools_count,
  turn_ids,
  unpack_trits_row,
  use_kernel,
  word_value,
  words_begin,
  words_next,
  words_normalise,
};

/** Bit k: this build has kernel k of kernels/simd.ts. */
export function kernels(): i32 {
  return KERNELS;
}

const PAGE: u64 = 65536;
/** What wasm32 addresses, less a page, so that no address one past the last byte is 0. */
const ADDRESSES: u64 = 0xffff0000;
/** What is kept for prompts and buffers of the host when a context takes what is left. */
const SPARE: u64 = 64 << 20;

/** u64: the first address that was not given away; 0: none was. */
const next_free = memory.data(8, 8);

/**
 * Gives away at least `bytes` of memory behind what was given before, and grows it when that takes more.
 * @returns a multiple of 65536, or 0 when there is no more
 */
export function reserve(bytes: u32): usize {
  let at = load<u64>(next_free);
  if (at == 0) at = <u64>memory.size() * PAGE;
  const end = at + ((<u64>bytes + PAGE - 1) & ~(PAGE - 1));
  if (end > ADDRESSES) return 0;
  const missing = <i64>end - <i64>(<u64>memory.size() * PAGE);
  if (missing > 0 && memory.grow(<i32>(<u64>missing / PAGE)) < 0) return 0;
  store<u64>(next_free, end);
  return <usize>at;
}

/**
 * Makes the caller's thread the leader of `size` threads. The others are instances on the same memory, made before anything is reserved (their data is laid down
 * then), and in team_work.
 * @returns what team_work of the others is given; 0: no memory
 */
export function team_open(size: i32): usize {
  const at = reserve(TEAM_BYTES);
  if (at != 0) team_lead(at, size);
  return at;
}

/**
 * Opens a model (model/open.ts) from an image in memory: arena and repacked weights are reserved here.
 * @param context positions; 0: DEFAULT_CONTEXT, else seq_len
 * @param engine 0 ref, 1 lut, 2 simd
 * @returns IMAGE_OK or an IMAGE_* error
 */
export function open(image: usize, bytes: u32, context: i32, engine: i32): i32 {
  const error = open_arena(image, bytes, context, engine);
  if (error != IMAGE_OK || engine != ENGINE_SIMD) return error;
  repack_image();
  return IMAGE_OK;
}

/**
 * Opens a model for the SIMD engine of which only the first `kept` bytes of the image, and its trailer, are in memory: everything but ternary matrices,
 * embedding and head. Those are to be given to repack_section; what was reserved for the image beyond `kept` is used for them.
 */
export function open_streamed(image: usize, bytes: u32, kept: u32, context: i32): i32 {
  store<u64>(next_free, <u64>image + ((<u64>kept + PAGE - 1) & ~(PAGE - 1)));
  return open_arena(image, bytes, context, ENGINE_SIMD);
}

/** Everything but the weights of the SIMD engine, which get their place. */
function open_arena(image: usize, bytes: u32, context: i32, engine: i32): i32 {
  let error = read_image(image, bytes, 0);
  if (error != IMAGE_OK) return error;
  const simd = engine == ENGINE_SIMD;
  const weights = simd ? weights_bytes() : 0;
  const free = load<u64>(next_free);
  if (free + weights + SPARE > ADDRESSES) return IMAGE_NO_MEMORY;
  plan.engine = engine;
  layout_arena(plan, 0, <usize>(ADDRESSES - SPARE - free - weights), 0, 0);
  if (!layout_model(plan, context)) return IMAGE_NO_MEMORY;
  const tables = part_of(plan, PART_LUT);
  const arena_bytes = <u32>(tables.address + tables.bytes);
  const arena = reserve(arena_bytes);
  const areas = simd ? reserve(<u32>min<u64>(areas_bytes(plan.context), u32.MAX_VALUE)) : 0;
  const place = simd ? reserve(<u32>weights) : 0;
  if (arena == 0 || (simd && (areas == 0 || place == 0))) return IMAGE_NO_MEMORY;
  layout_arena(run, arena, arena + arena_bytes, 0, 0);
  error = open_model(image, bytes, 0, plan.context, engine);
  if (error != IMAGE_OK || !simd) return error;
  set_areas(areas);
  place_weights(place);
  store<usize>(first_weight, place);
  return IMAGE_OK;
}

/** usize: where the repacked weights begin. */
const first_weight = memory.data(4, 4);

/** Bytes and address of the repacked weights of the open model: what the host keeps in its cache. */
export function weights_size(): u32 {
  return <u32>weights_bytes();
}

export function weights_address(): usize {
  return load<usize>(first_weight);
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
 * @param slots vectors that its coprocessor takes at a time, 0: it has none
 * @returns 1 when it fits; 0: plan_needed() tells what the smallest context would take
 */
export function plan_device(arena_bytes: u32, context: i32, rx_bytes: u32, tx_bytes: u32, slots: i32): bool {
  plan.engine = slots > 0 ? copro_engine(slots) : ENGINE_LUT;
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

/** Positions side by side: of a coprocessor's slots as many as the context leaves room for. */
export function plan_batch(): i32 {
  return batch_of(plan.engine);
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
