/**
 * The forward pass of one token: embedding, layers of attention and feed-forward on the residual stream, head. All integers, in the order of
 * NUMERICS.md; the letters behind arrows are shapes.
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
import { PART_GATE, PART_LOGITS, PART_QKV, PART_RESIDUAL, PART_ROPE, part, run } from "../memory/run_state.ts";
import { attend, remember } from "./attention.ts";
import { add_residual, products, rescale } from "./bitlinear.ts";
import { config, kv_dim, q_dim } from "./config.ts";
import { embed_token } from "./embed.ts";
import { experts } from "./experts.ts";
import { feed_forward } from "./feed_forward.ts";
import { head_logits } from "./head.ts";
import { normed, sub_normed } from "./norms.ts";
import { scale } from "./numeric.ts";
import { rope_angles } from "./rope.ts";
import { embed, final_norm, head, layer_tensor, weights } from "./weights.ts";

/** Accumulators of a matrix take whole blocks of 8 rows. */
@inline
function after(acc: usize, rows: i32): usize {
  return acc + ((<usize>((rows + 7) & ~7)) << 2);
}

/**
 * Computes `token` at `pos`; positions 0..pos-1 must have been computed before, with the tokens of this context.
 * @param want_logits false while a prompt is read: the head is left out
 * @returns address of i32[vocab_size] logits with 16 fraction bits, valid until the next call; 0 without them, without a model, or when
 *   token or pos is out of range (nothing is done then)
 */
export function forward(token: i32, pos: i32, want_logits: bool): usize {
  if (<u32>pos >= <u32>run.context || <u32>token >= <u32>config.vocab_size) return 0;
  const dim = config.dim;
  const x = part(PART_RESIDUAL); // (dim,)
  const sx = scale(SCALE_ONE, -15 - config.residual_frac);
  const q = part(PART_QKV); // (n_heads, head_dim)
  const k = after(q, q_dim()); // (n_kv_heads, head_dim)
  const v = after(k, kv_dim()); // (n_kv_heads, head_dim)

  embed_token(embed, token, config.residual_frac, x);
  rope_angles(weights.tables, config.head_dim, pos, part(PART_ROPE));

  for (let layer = 0; layer < config.n_layers; layer++) {
    // Wq (q_dim, dim) @ x -> q, and k, v likewise
    let s = normed(x, dim, sx, layer_tensor(layer, KIND_ATTN_NORM), ACT_MAX);
    const wq = layer_tensor(layer, KIND_ATTN_Q);
    const wk = layer_tensor(layer, KIND_ATTN_K);
    const wv = layer_tensor(layer, KIND_ATTN_V);
    products(wq, q, wk, k, wv, v);
    const sq = rescale(wq, q, s);
    remember(layer, pos, k, rescale(wk, k, s), v, rescale(wv, v, s));
    s = attend(layer, pos, sq);

    // Wo (dim, q_dim) @ attention -> added to x; its accumulators take the place of q
    s = sub_normed(q, q_dim(), s, layer_tensor(layer, KIND_ATTN_SUB_NORM));
    const wo = layer_tensor(layer, KIND_ATTN_O);
    products(wo, q, null, 0, null, 0);
    add_residual(q, rescale(wo, q, s));

    s = normed(x, dim, sx, layer_tensor(layer, KIND_FFN_NORM), ACT_MAX);
    if (config.n_experts == 0) add_residual(part(PART_GATE), feed_forward(layer, 0, s));
    else experts(layer, s);
  }
  if (!want_logits) return 0;

  // Whead (vocab_size, dim) @ x -> logits
  const logits = part(PART_LOGITS);
  head_logits(head, normed(x, dim, sx, final_norm, config.head_act_max), logits);
  return logits;
}
