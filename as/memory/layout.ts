/**
 * The one static arena: where every part of a running model lies, and how long a context fits.
 *
 *     base  rx | tx | tensors | keys | values | their scales | history | x | q | rope | work | tables  end
 *
 *     work, whose phases never live at the same time:      attention   qkv | query | heads | scores | output
 *                                                          FFN         gate | up
 *                                                          head        logits
 *     tables take what is left, up to LUT_GROUPS_MAX groups; the sampler's order lies over them, the tokenizer's scratch over work and tables.
 *
 * SIMD engine and coprocessor compute a batch of positions side by side: x, q, rope, qkv, heads, gate and up are there once for each of them, a stride
 * apart. A coprocessor needs no tables: the smallest ones stay, for the CPU to take over, and what comfortable ones would take goes to the batch and
 * to the context. A context that nobody chose leaves room for the whole batch, one that was asked for may take it.
 *
 * How long a context is when nobody chose: the most that fits beside tables of LUT_GROUPS_COMFORT groups. With few tables every matrix is read in many
 * short passes, so the last positions would be bought with the speed of every token: a model of 4M weights on a Pico took 3.7 cycles a weight with tables
 * of 4 groups, and 2.9 with 26 and a kernel that is 2 % faster. Whoever chooses a context may take that room too.
 *
 * Sizes are computed in 64 bits, because an image may claim any shape.
 */
import { CONTEXT_MIN } from "../../spec/image.ts";
import { LUT_BYTES, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { BATCHED, batch_of, copro_engine, ENGINE_LUT, ENGINE_SIMD, is_copro, padded_rows } from "../kernels/engine.ts";
import { KERNELS, prepared_bytes } from "../kernels/simd.ts";
import { config, kv_dim, q_dim } from "../model/config.ts";
import { layer_tensors, Tensor } from "../model/weights.ts";
import {
  PART_ACTIVATIONS,
  PART_BPE,
  PART_EXPERTS,
  PART_GATE,
  PART_HEADS,
  PART_HISTORY,
  PART_KEY_SCALES,
  PART_KEYS,
  PART_LOGITS,
  PART_LUT,
  PART_ORDER,
  PART_OUTPUT,
  PART_QKV,
  PART_QUERY,
  PART_RESIDUAL,
  PART_ROPE,
  PART_RX,
  PART_SCORES,
  PART_TENSORS,
  PART_TX,
  PART_UP,
  PART_VALUE_SCALES,
  PART_VALUES,
  PARTS,
  part_of,
  RunState,
  run,
} from "./run_state.ts";

/** 26 KB of tables: more groups only save loads of accumulators. */
const LUT_GROUPS_MAX = 52;
/** Tables that a context nobody chose leaves room for, unless the longest vector needs fewer: 13 KiB, a vector of 128 in one pass. */
const LUT_GROUPS_COMFORT = 26;
/** Smallest part of tables, which the tokenizer and the sampler use as scratch: 4 groups. */
const LUT_BYTES_MIN = 2048;
/** An illegal packed byte (251..255) of the last table reads up to 8 bytes behind it. */
const LUT_PADDING = 8;

/** Room for accumulators of n rows, in entries. */
@inline
function padded(s: RunState, n: i32): u64 {
  return <u64>padded_rows(n, ASC_FEATURE_SIMD ? s.engine : 0);
}

@inline
function qkv_entries(s: RunState): u64 {
  return max<u64>(padded(s, q_dim()) + 2 * padded(s, kv_dim()), padded(s, config.dim));
}

@inline
function gate_entries(s: RunState): u64 {
  return max(padded(s, config.hidden_dim), padded(s, config.dim));
}

/** Entries between the vectors of a batch of the running model, in parts that hold one for each. There is one vector in a build that is not BATCHED. */
@inline
export function activation_stride(): i32 {
  return BATCHED ? (longest_vector() + 7) & ~7 : 0;
}

@inline
export function qkv_stride(): i32 {
  return BATCHED ? <i32>qkv_entries(run) : 0;
}

/** Of gate and up. */
@inline
export function gate_stride(): i32 {
  return BATCHED ? <i32>gate_entries(run) : 0;
}

/** Gives part `i` its place; returns where the next one begins, on 8 bytes. */
function place(s: RunState, i: i32, at: u64, bytes: u64): u64 {
  const part = part_of(s, i);
  part.address = <usize>at;
  part.bytes = <u32>bytes;
  return (at + bytes + 7) & ~7;
}

/**
 * An arena without a model: only the app's parts. The first address, `base`, is a multiple of 8.
 * @param rx_bytes,tx_bytes the frame buffers
 * @returns false when not even those fit
 */
export function layout_arena(s: RunState, base: usize, end: usize, rx_bytes: u32, tx_bytes: u32): bool {
  s.base = base;
  s.end = end;
  s.rx_bytes = rx_bytes;
  s.tx_bytes = tx_bytes;
  s.context = 0;
  s.max_context = 0;
  s.lut_groups = 0;
  for (let i = 0; i < PARTS; i++) place(s, i, 0, 0);
  const at = place(s, PART_TX, place(s, PART_RX, base, rx_bytes), tx_bytes);
  s.needed = <u32>(at - base);
  return at <= <u64>end;
}

/**
 * Lays out the model of `config` in an arena made by layout_arena, for s.engine.
 * @param context positions; 0: the image's DEFAULT_CONTEXT, else the most that fits beside comfortable tables. Clamped to what fits and to seq_len
 * @returns false when the smallest context (CONTEXT_MIN positions) does not fit: then s.needed says what that would take
 */
export function layout_model(s: RunState, context: i32): bool {
  const smallest = min(CONTEXT_MIN, config.seq_len);
  const batch = BATCHED ? batch_of(s.engine) : 1;
  set_batch(s, 1);
  s.max_context = largest_context(s, smallest, 0);
  if (context == 0) context = config.default_context;
  if (context == 0) {
    set_batch(s, batch);
    context = largest_context(s, smallest, comfort(s));
    set_batch(s, 1);
  }
  context = max(smallest, min(context, s.max_context));
  const needed = arrange(s, context) - s.base;
  s.needed = <u32>min<u64>(needed, u32.MAX_VALUE);
  if (s.max_context == 0) {
    layout_arena(s, s.base, s.end, s.rx_bytes, s.tx_bytes);
    s.needed = <u32>min<u64>(needed, u32.MAX_VALUE);
    return false;
  }
  s.context = context;
  if (BATCHED) {
    for (let n = batch; n > 1; n--) {
      set_batch(s, n);
      if (arrange(s, context) <= <u64>s.end) break;
      set_batch(s, 1);
    }
    arrange(s, context);
  }
  spread_tables(s);
  return true;
}

/** Positions side by side of a coprocessor's engine; others have theirs. */
@inline
function set_batch(s: RunState, n: i32): void {
  if (BATCHED) {
    if (is_copro(s.engine)) s.engine = copro_engine(n);
  }
}

/** The largest context that fits and leaves `spare` bytes, at most seq_len; 0 when the smallest does not. */
function largest_context(s: RunState, smallest: i32, spare: u64): i32 {
  const end = <u64>s.end;
  if (arrange(s, smallest) + spare > end) return 0;
  let fits = smallest;
  let above = config.seq_len + 1;
  while (above - fits > 1) {
    const middle = (fits + above) >> 1;
    if (arrange(s, middle) + spare <= end) fits = middle;
    else above = middle;
  }
  return fits;
}

/** Places every part for `context` positions, with the smallest tables; returns the address one past the last byte. */
function arrange(s: RunState, context: i32): u64 {
  const cached = <u64>config.n_layers * <u64>config.n_kv_heads * <u64>context;
  const positions = <u64>context;
  const batch = <u64>batch_of(BATCHED ? s.engine : 0);
  let at = place(s, PART_TX, place(s, PART_RX, s.base, s.rx_bytes), s.tx_bytes);
  at = place(s, PART_TENSORS, at, <usize>(config.n_layers * layer_tensors()) * offsetof<Tensor>());
  at = place(s, PART_KEYS, at, cached * config.head_dim);
  at = place(s, PART_VALUES, at, cached * config.head_dim);
  at = place(s, PART_KEY_SCALES, at, cached * 2);
  at = place(s, PART_VALUE_SCALES, at, cached * 2);
  at = place(s, PART_HISTORY, at, (positions + 1) * 4);
  at = place(s, PART_RESIDUAL, at, batch * <u64>config.dim * 4);
  at = place(s, PART_ACTIVATIONS, at, batch * <u64>((longest_vector() + 7) & ~7) * 2);
  at = place(s, PART_ROPE, at, batch * <u64>config.head_dim * 2);

  let attention = place(s, PART_QKV, at, batch * qkv_entries(s) * 4);
  // Two heads at a time.
  attention = place(s, PART_QUERY, attention, <u64>((config.head_dim + 7) & ~7) * 4);
  attention = place(s, PART_HEADS, attention, batch * <u64>config.n_heads * 8);
  attention = place(s, PART_SCORES, attention, positions * 8);
  attention = place(s, PART_OUTPUT, attention, <u64>config.head_dim * 16);
  let ffn = place(s, PART_GATE, at, batch * gate_entries(s) * 4);
  ffn = place(s, PART_UP, ffn, (batch == 1 ? padded(s, config.hidden_dim) : batch * gate_entries(s)) * 4);
  ffn = place(s, PART_EXPERTS, ffn, experts_bytes());
  const logits = place(s, PART_LOGITS, at, padded(s, config.vocab_size) * 4);
  return place(s, PART_LUT, max(attention, max(ffn, logits)), tables_min(s));
}

/** Logits, chosen experts with their weights, and the activations that all of them read. */
function experts_bytes(): i32 {
  const n = config.n_experts;
  return n == 0 ? 0 : ((n + 7) & ~7) * 4 + config.n_experts_used * 8 + config.dim * 2;
}

@inline
function longest_vector(): i32 {
  return max(config.dim, max(config.hidden_dim, q_dim()));
}

/** The smallest part of tables. The SIMD engine keeps the prepared activations of a batch there, which begin on a multiple of 64. */
function tables_min(s: RunState): u64 {
  if (ASC_FEATURE_SIMD) {
    if (s.engine == ENGINE_SIMD) {
      return max<u64>(LUT_BYTES_MIN, <u64>batch_of(s.engine) * prepared_most() + 64);
    }
  }
  return LUT_BYTES_MIN;
}

/** Bytes of a prepared vector of any matrix, whichever kernel is chosen. */
function prepared_most(): u64 {
  let most = 0;
  for (let kernel = 0; kernel < 32; kernel++) {
    if (((KERNELS >> kernel) & 1) != 0) most = max(most, prepared_bytes(kernel, longest_vector()));
  }
  return <u64>most;
}

/** Tables that the longest vector needs. */
@inline
function most_groups(): i32 {
  return (longest_vector() + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
}

/** Bytes of comfortable tables beyond the smallest ones. The SIMD engine has none. */
function comfort(s: RunState): u64 {
  if (s.engine != ENGINE_LUT) return 0;
  const wanted = <u64>min(most_groups(), LUT_GROUPS_COMFORT) * LUT_BYTES + LUT_PADDING;
  return max<u64>(wanted, LUT_BYTES_MIN) - LUT_BYTES_MIN;
}

/** Gives what is left of the arena to the tables. */
function spread_tables(s: RunState): void {
  const tables = part_of(s, PART_LUT);
  const room = (s.end - tables.address - LUT_PADDING) / LUT_BYTES;
  s.lut_groups = <i32>min<usize>(room, <usize>min(most_groups(), LUT_GROUPS_MAX));
  tables.bytes = max(tables.bytes, <u32>s.lut_groups * LUT_BYTES + LUT_PADDING);
  place(s, PART_ORDER, tables.address, tables.bytes);
  const work = part_of(s, PART_QKV).address;
  place(s, PART_BPE, work, tables.address + tables.bytes - work);
}
