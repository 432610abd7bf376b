/**
 * Everything that changes while a model runs, as a table of named parts of one static arena. There are two tables: the one the model runs on, and
 * one for questions of the kind "what would it take".
 */

/** Requested by the app, there without a model too. */
export const PART_RX = 0;
export const PART_TX = 1;
/** Tensor[n_layers * layer_tensors()] (model/weights.ts) */
export const PART_TENSORS = 2;
/** i8 (n_layers, n_kv_heads, context, head_dim) */
export const PART_KEYS = 3;
export const PART_VALUES = 4;
/** u16 kv_scale (n_layers, n_kv_heads, context) */
export const PART_KEY_SCALES = 5;
export const PART_VALUE_SCALES = 6;
/** u32 (context + 1): ids of the context; one more than positions, because the last sampled id has none yet */
export const PART_HISTORY = 7;
/** i32 (dim): the residual stream x */
export const PART_RESIDUAL = 8;
/** i16 (longest vector, padded to 8): quantised activations q */
export const PART_ACTIVATIONS = 9;
/** i16 (head_dim / 2, 2): cos15 and sin15 of this position */
export const PART_ROPE = 10;
/** i32 (q_dim + 2 * kv_dim): accumulators of Q, K, V; attention's output; accumulators of O */
export const PART_QKV = 11;
/** i16 (head_dim, padded to 8): the query of a head */
export const PART_QUERY = 12;
/** {scale, bit length} (n_heads): block scales of the heads' outputs */
export const PART_HEADS = 13;
/** i32 (context): z, p, w of attention */
export const PART_SCORES = 14;
/** i64 (head_dim): output of a head before it is shortened */
export const PART_OUTPUT = 15;
/** i32 (hidden_dim): gate, then h, then the accumulators of down */
export const PART_GATE = 16;
/** i32 (hidden_dim) */
export const PART_UP = 17;
/** i32 (vocab_size) */
export const PART_LOGITS = 18;
/** u16 (lut_groups, 252): tables of the ternary kernel (the SIMD engine: sums of activations) */
export const PART_LUT = 19;
/** u32: ids in the sampler's order, while no matrix is multiplied: over the tables */
export const PART_ORDER = 20;
/** The tokenizer's symbols, between turns: over everything from QKV to the tables */
export const PART_BPE = 21;
/** i32 (n_experts): the router's logits; {i32, scale} (n_experts_used): chosen experts and their weights; i16 (dim): q of the layer */
export const PART_EXPERTS = 22;
export const PARTS = 23;

@unmanaged
export class Part {
  address: usize;
  bytes: u32;
}

@unmanaged
export class RunState {
  /** The arena: [base, end). */
  base: usize;
  end: usize;
  /** Bytes requested by the app. */
  rx_bytes: u32;
  tx_bytes: u32;
  /** Positions; 0: no model is laid out. */
  context: i32;
  /** The largest context that fits this arena; 0: not even the smallest one does. */
  max_context: i32;
  /** Bytes the model needs with this context (the smallest table tile), the app's parts included. */
  needed: u32;
  /** Groups of columns whose tables the tile holds. */
  lut_groups: i32;
  /** ENGINE_* of kernels/engine.ts. */
  engine: i32;
  // PARTS Parts follow.
}

const BYTES = <i32>(offsetof<RunState>() + PARTS * offsetof<Part>());

/** The table the model runs on. */
export const run = changetype<RunState>(memory.data(BYTES, 8));
/** The table for questions. */
export const plan = changetype<RunState>(memory.data(BYTES, 8));

@inline
export function part_of(s: RunState, i: i32): Part {
  return changetype<Part>(changetype<usize>(s) + offsetof<RunState>() + <usize>i * offsetof<Part>());
}

/** Address of a part of the running model. */
@inline
export function part(i: i32): usize {
  return part_of(run, i).address;
}
