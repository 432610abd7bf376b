/** A tiny checkpoint with the names of OLMo-Bitnet: fused projections, norms with gains or without. */
import { embedTensor, type Grid, gainTensor, gridTensor, latentGrid, type RawTensor, SHAPE } from "./family_fixture.ts";

export const OLMO = {
  model_type: "olmo",
  ternary: true,
  activation_type: "swiglu",
  alibi: false,
  attention_layer_norm: false,
  block_type: "sequential",
  clip_qkv: null,
  d_model: SHAPE.dim,
  embedding_size: SHAPE.vocab,
  eos_token_id: 259,
  include_bias: false,
  layer_norm_type: "rms",
  layer_norm_with_affine: false,
  max_sequence_length: 64,
  mlp_hidden_size: null,
  mlp_ratio: 3,
  n_heads: SHAPE.heads,
  n_layers: SHAPE.layers,
  rope: true,
  vocab_size: SHAPE.vocab - 2,
  weight_tying: true,
};

/** @param affine norms have gains */
export function olmoTensors(affine: boolean) {
  const tensors: Record<string, RawTensor> = { "model.transformer.wte.weight": embedTensor() };
  const fused: { attention: Grid; ffn: Grid; attnOut: Grid; ffOut: Grid }[] = [];
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    const grids = {
      attention: latentGrid(layer * 10 + 1, 48, 16),
      ffn: latentGrid(layer * 10 + 2, 48, 16),
      attnOut: latentGrid(layer * 10 + 3, 16, 16),
      ffOut: latentGrid(layer * 10 + 4, 16, 24),
    };
    fused.push(grids);
    const at = `model.transformer.blocks.${layer}`;
    tensors[`${at}.att_proj.weight`] = gridTensor(grids.attention);
    tensors[`${at}.ff_proj.weight`] = gridTensor(grids.ffn);
    tensors[`${at}.attn_out.weight`] = gridTensor(grids.attnOut);
    tensors[`${at}.ff_out.weight`] = gridTensor(grids.ffOut);
    if (affine) for (const name of ["attn_norm", "ff_norm"]) tensors[`${at}.${name}.weight`] = gainTensor(16);
  }
  if (affine) tensors["model.transformer.ln_f.weight"] = gainTensor(16);
  return { tensors, fused };
}
