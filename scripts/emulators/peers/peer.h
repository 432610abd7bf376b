/*
 * What the two peers share: the shape, how weights lie in flash, what is counted.
 *
 * The shape comes from the command line of the compiler (build.ts): DIM, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCAB; and CONTEXT, the
 * positions that the cache has room for, POSITION, the one that is computed, TOKEN, its token.
 *
 *     peer_matrices   layer 0: Wq Wk Wv Wo Wgate Wup Wdown, layer 1: ...; the head, which is the embedding too     each (rows, columns)
 *     peer_vectors    layer 0: attn_norm attn_sub_norm ffn_norm ffn_sub_norm, layer 1: ...; final_norm; a scale for each matrix (int8.c)
 *
 * SHARED_WEIGHTS: every matrix begins where the first one does, for chips whose flash is smaller than the weights. SHARED_CACHE: all layers
 * use the cache of the first. The same instructions run in any case, because addresses are looked up in `model`; what float routines and
 * squared ReLU do with other numbers differs by less than 0.15 % (measured on Cortex-M3 and M33, both peers).
 */
#ifndef TRITKIT_PEER_H
#define TRITKIT_PEER_H

#include <stdint.h>

#define Q_DIM (HEADS * HEAD_DIM)
#define KV_DIM (KV_HEADS * HEAD_DIM)
#define CACHE_LAYERS (SHARED_CACHE ? 1 : LAYERS)
#define MATRICES_A_LAYER 7
#define NORM_EPS 1e-5f
#define ROPE_BASE 10000.0f

/* Keys and values that are there before the token: int8 numbers of a generator, of this scale (4 is four times what RMSNorm lets expect). */
#define CACHE_SCALE (1.0f / 32)

/* Not counted: looks up addresses, fills the cache up to POSITION. */
void peer_start(void);

/* Counted: one token, forward pass, head and the greedy choice of the next. */
int peer_token(int token, int position);

extern float peer_logits[VOCAB];

/* Rows and columns of a layer's matrices, in the order above. */
static const uint16_t peer_shapes[MATRICES_A_LAYER][2] = {
    {Q_DIM, DIM}, {KV_DIM, DIM}, {KV_DIM, DIM}, {DIM, Q_DIM}, {FFN, DIM}, {FFN, DIM}, {DIM, FFN}};

/* Where matrix m of a layer begins, in weights; (LAYERS, 0) is the head. */
static inline uint32_t matrix_at(int layer, int m) {
  uint32_t all = 0, before = 0;
  if (SHARED_WEIGHTS) return 0;
  for (int i = 0; i < MATRICES_A_LAYER; i++) {
    uint32_t size = (uint32_t)peer_shapes[i][0] * peer_shapes[i][1];
    all += size;
    if (i < m) before += size;
  }
  return all * (uint32_t)layer + before;
}

#define VECTORS_A_LAYER (2 * DIM + Q_DIM + FFN)

/* Numerical Recipes' generator; its eight highest bits. Also in weights.ts. */
static inline int8_t peer_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (int8_t)(*state >> 24);
}

#endif
