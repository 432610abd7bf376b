/**
 * The forward pass of one token, or of a batch of them: embedding, layers of attention and feed-forward on the residual stream, head. All integers,
 * in the order of NUMERICS.md; the letters behind arrows are shapes.
 */
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_FFN_NORM,
} from "../../spec/image.ts";
import { ACT_MAX, SCALE_ONE } from "../../spec/numerics.ts";
import { batch_of, padded_rows } from "../kernels/engine.ts";
import { qkv_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, PART_LOGITS, PART_QKV, part, run } from "../memory/run_state.ts";
import { attend, remember } from "./attention.ts";
import { activations, gate_of, keep, kept, more, of_qkv, residual, rotation } from "./batch.ts";
import { add_residual, products, rescale } from "./bitlinear.ts";
import { config, kv_dim, q_dim } from "./config.ts";
import { embed_token } from "./embed.ts";
import { experts } from "./experts.ts";
import { feed_forward } from "./feed_forward.ts";
import { head_logits } from "./head.ts";
import { normed, sub_normed } from "./norms.ts";
import { Scale, scale } from "./numeric.ts";
import { rope_angles } from "./rope.ts";
import { team_wake } from "./team.ts";
import { embed, final_norm, head, layer_tensor, weights } from "./weights.ts";

/** Accumulators of a matrix take whole blocks of rows. */
@inline
function after(acc: usize, rows: i32): usize {
  return acc + ((<usize>padded_rows(rows, ASC_FEATURE_SIMD ? run.engine : 0)) << 2);
}

/** Scale of the residual stream. */
@inline
function residual_scale(): Scale {
  return scale(SCALE_ONE, -15 - config.residual_frac);
}

/** Vector i of the batch becomes `token` at `pos`. */
@inline
function begin(i: i32, token: i32, pos: i32): void {
  embed_token(embed, token, config.residual_frac, residual(i));
  rope_angles(weights.tables, config.head_dim, pos, rotation(i));
}

/** The layers, on the residual streams of n positions from `pos` on (one, but for the SIMD engine: batch.ts). */
function layers(n: i32, pos: i32): void {
  if (ASC_FEATURE_SIMD) team_wake();
  const dim = config.dim;
  const sx = residual_scale();
  const q = part(PART_QKV); // (n, n_heads, head_dim)
  const k = after(q, q_dim()); // (n, n_kv_heads, head_dim)
  const v = after(k, kv_dim()); // (n, n_kv_heads, head_dim)
  let s: Scale = 0;
  let i = 0;

  for (let layer = 0; layer < config.n_layers; layer++) {
    // Wq (q_dim, dim) @ x -> q, and k, v likewise
    i = 0;
    do {
      s = normed(residual(i), dim, sx, layer_tensor(layer, KIND_ATTN_NORM), ACT_MAX, activations(i));
      keep(i, s);
    } while (more(++i, n));
    const wq = layer_tensor(layer, KIND_ATTN_Q);
    const wk = layer_tensor(layer, KIND_ATTN_K);
    const wv = layer_tensor(layer, KIND_ATTN_V);
    products(wq, q, wk, k, wv, v, n, qkv_stride());
    i = 0;
    do {
      s = kept(i, s);
      const sq = rescale(wq, of_qkv(q, i), s);
      const k_i = of_qkv(k, i);
      const v_i = of_qkv(v, i);
      remember(layer, pos + i, k_i, rescale(wk, k_i, s), v_i, rescale(wv, v_i, s), rotation(i));
      s = sq;
      keep(i, s);
    } while (more(++i, n));
    s = attend(layer, pos, n, s);

    // Wo (dim, q_dim) @ attention -> added to x; its accumulators take the place of q
    i = 0;
    do {
      s = sub_normed(of_qkv(q, i), q_dim(), kept(i, s), layer_tensor(layer, KIND_ATTN_SUB_NORM), activations(i));
      keep(i, s);
    } while (more(++i, n));
    const wo = layer_tensor(layer, KIND_ATTN_O);
    products(wo, q, null, 0, null, 0, n, qkv_stride());
    i = 0;
    do {
      s = kept(i, s);
      add_residual(residual(i), of_qkv(q, i), rescale(wo, of_qkv(q, i), s));
    } while (more(++i, n));

    i = 0;
    do {
      s = normed(residual(i), dim, sx, layer_tensor(layer, KIND_FFN_NORM), ACT_MAX, activations(i));
      keep(i, s);
    } while (more(++i, n));
    if (config.n_experts == 0) {
      s = feed_forward(layer, 0, n, s);
      i = 0;
      do add_residual(residual(i), gate_of(i), kept(i, s));
      while (more(++i, n));
    } else {
      i = 0;
      do experts(layer, i, kept(i, s));
      while (more(++i, n));
    }
  }
}

/**
 * Whead (vocab_size, dim) @ x -> logits
 * @param i a position of the batch computed last
 * @returns address of i32[vocab_size] logits with 16 fraction bits, valid until the next call
 */
export function logits_of(i: i32): usize {
  return logits_between(i, 0, config.vocab_size);
}

/** The same, of ids from..to and a few around them only. */
export function logits_between(i: i32, from: i32, to: i32): usize {
  const logits = part(PART_LOGITS);
  const s = normed(residual(i), config.dim, residual_scale(), final_norm, config.head_act_max, part(PART_ACTIVATIONS));
  head_logits(head, from & ~7, min((to + 7) & ~7, config.vocab_size), s, logits);
  return logits;
}

/**
 * Computes `token` at `pos`; positions 0..pos-1 must have been computed before, with the tokens of this context.
 * @param want_logits false while a prompt is read: the head is left out
 * @returns as logits_of; 0 without logits, without a model, or when token or pos is out of range (nothing is done then)
 */
export function forward(token: i32, pos: i32, want_logits: bool): usize {
  return forward_one(token, pos) && want_logits ? logits_of(0) : 0;
}

/** The same without the head; false: nothing is done. */
export function forward_one(token: i32, pos: i32): bool {
  if (<u32>pos >= <u32>run.context || <u32>token >= <u32>config.vocab_size) return false;
  begin(0, token, pos);
  layers(1, pos);
  return true;
}

/**
 * The same for n tokens from `pos` on, at most batch_of(run.engine), without the head: logits_of gives what each of them foretells.
 * @param tokens u32[n]
 * @returns false when a token or a position is out of range: nothing is done then
 */
export function forward_batch(tokens: usize, n: i32, pos: i32): bool {
  if (n < 1 || n > batch_of(run.engine) || pos < 0 || pos + n > run.context) return false;
  for (let i = 0; i < n; i++) {
    if (load<u32>(tokens + ((<usize>i) << 2)) >= <u32>config.vocab_size) return false;
  }
  for (let i = 0; i < n; i++) begin(i, load<i32>(tokens + ((<usize>i) << 2)), pos + i);
  layers(n, pos);
  return true;
}
