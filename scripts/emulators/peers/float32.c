/*
 * A peer: one token of a Llama-like model in float32, plain C, the way that llama2.c and its ports to microcontrollers take: float weights
 * read from flash, float activations, a float cache, one loop for a matrix. Written from the papers: RMSNorm (arXiv 1910.07467), RoPE
 * (2104.09864, halves rotated), grouped-query attention (2305.13245), squared ReLU and sub-norms as BitNet b1.58 2B4T has them (2504.12285).
 *
 * Kinder to itself than most such programs: the shape is known to the compiler, the angles are computed once a token and not once a layer
 * and head, and nothing is divided where one reciprocal will do. Like them, it multiplies by zeros.
 */
#include <math.h>

#include "peer.h"

extern const float peer_matrices[], peer_vectors[];

float peer_logits[VOCAB];

static struct {
  struct layer {
    const float *wq, *wk, *wv, *wo, *wgate, *wup, *wdown;
    const float *attn_norm, *attn_sub_norm, *ffn_norm, *ffn_sub_norm;
  } layers[LAYERS];
  const float *final_norm, *head;
  float frequencies[HEAD_DIM / 2];
} model;

static float keys[CACHE_LAYERS][CONTEXT][KV_DIM];
static float values[CACHE_LAYERS][CONTEXT][KV_DIM];

static float x[DIM], normed[FFN > DIM ? FFN : DIM], q[Q_DIM], heads[Q_DIM], gate[FFN], up[FFN], added[DIM], scores[CONTEXT];
static float cosines[HEAD_DIM / 2], sines[HEAD_DIM / 2];

/* out (rows,) = w (rows, columns) @ in (columns,) */
static void matvec(float *out, const float *w, const float *in, int rows, int columns) {
  for (int r = 0; r < rows; r++) {
    float sum = 0;
    for (int c = 0; c < columns; c++) sum += w[c] * in[c];
    out[r] = sum;
    w += columns;
  }
}

static void rmsnorm(float *out, const float *in, const float *gains, int n) {
  float squares = 0;
  for (int i = 0; i < n; i++) squares += in[i] * in[i];
  float scale = 1 / sqrtf(squares / n + NORM_EPS);
  for (int i = 0; i < n; i++) out[i] = in[i] * scale * gains[i];
}

static void rope(float *v, int count) {
  for (int h = 0; h < count; h++, v += HEAD_DIM)
    for (int i = 0; i < HEAD_DIM / 2; i++) {
      float a = v[i], b = v[i + HEAD_DIM / 2];
      v[i] = a * cosines[i] - b * sines[i];
      v[i + HEAD_DIM / 2] = a * sines[i] + b * cosines[i];
    }
}

static void softmax(float *s, int n) {
  float largest = s[0], sum = 0;
  for (int t = 1; t < n; t++)
    if (s[t] > largest) largest = s[t];
  for (int t = 0; t < n; t++) {
    s[t] = expf(s[t] - largest);
    sum += s[t];
  }
  float scale = 1 / sum;
  for (int t = 0; t < n; t++) s[t] *= scale;
}

/* All heads of a layer: queries in q, outputs in `heads`. */
static void attend(float (*k)[KV_DIM], float (*v)[KV_DIM], int position, float scale) {
  for (int h = 0; h < HEADS; h++) {
    int at = h / (HEADS / KV_HEADS) * HEAD_DIM;
    const float *query = q + h * HEAD_DIM;
    float *out = heads + h * HEAD_DIM;
    for (int t = 0; t <= position; t++) {
      float sum = 0;
      for (int i = 0; i < HEAD_DIM; i++) sum += query[i] * k[t][at + i];
      scores[t] = sum * scale;
    }
    softmax(scores, position + 1);
    for (int i = 0; i < HEAD_DIM; i++) out[i] = 0;
    for (int t = 0; t <= position; t++)
      for (int i = 0; i < HEAD_DIM; i++) out[i] += scores[t] * v[t][at + i];
  }
}

static void add(float *to, const float *more, int n) {
  for (int i = 0; i < n; i++) to[i] += more[i];
}

int peer_token(int token, int position) {
  const float scale = 1 / sqrtf(HEAD_DIM);
  for (int i = 0; i < DIM; i++) x[i] = model.head[token * DIM + i];
  for (int i = 0; i < HEAD_DIM / 2; i++) {
    float angle = position * model.frequencies[i];
    cosines[i] = cosf(angle);
    sines[i] = sinf(angle);
  }
  for (int l = 0; l < LAYERS; l++) {
    const struct layer *w = &model.layers[l];
    float(*k)[KV_DIM] = keys[SHARED_CACHE ? 0 : l];
    float(*v)[KV_DIM] = values[SHARED_CACHE ? 0 : l];

    rmsnorm(normed, x, w->attn_norm, DIM);
    matvec(q, w->wq, normed, Q_DIM, DIM);
    matvec(k[position], w->wk, normed, KV_DIM, DIM);
    matvec(v[position], w->wv, normed, KV_DIM, DIM);
    rope(q, HEADS);
    rope(k[position], KV_HEADS);
    attend(k, v, position, scale);
    rmsnorm(normed, heads, w->attn_sub_norm, Q_DIM);
    matvec(added, w->wo, normed, DIM, Q_DIM);
    add(x, added, DIM);

    rmsnorm(normed, x, w->ffn_norm, DIM);
    matvec(gate, w->wgate, normed, FFN, DIM);
    matvec(up, w->wup, normed, FFN, DIM);
    for (int i = 0; i < FFN; i++) gate[i] = gate[i] > 0 ? gate[i] * gate[i] * up[i] : 0;
    rmsnorm(normed, gate, w->ffn_sub_norm, FFN);
    matvec(added, w->wdown, normed, DIM, FFN);
    add(x, added, DIM);
  }
  rmsnorm(normed, x, model.final_norm, DIM);
  matvec(peer_logits, model.head, normed, VOCAB, DIM);

  int best = 0;
  for (int i = 1; i < VOCAB; i++)
    if (peer_logits[i] > peer_logits[best]) best = i;
  return best;
}

void peer_start(void) {
  const float *vectors = peer_vectors;
  for (int l = 0; l < LAYERS; l++) {
    struct layer *w = &model.layers[l];
    const float **matrices[MATRICES_A_LAYER] = {&w->wq, &w->wk, &w->wv, &w->wo, &w->wgate, &w->wup, &w->wdown};
    for (int m = 0; m < MATRICES_A_LAYER; m++) *matrices[m] = peer_matrices + matrix_at(l, m);
    w->attn_norm = vectors;
    w->attn_sub_norm = w->attn_norm + DIM;
    w->ffn_norm = w->attn_sub_norm + Q_DIM;
    w->ffn_sub_norm = w->ffn_norm + DIM;
    vectors += VECTORS_A_LAYER;
  }
  model.final_norm = vectors;
  model.head = peer_matrices + matrix_at(LAYERS, 0);
  for (int i = 0; i < HEAD_DIM / 2; i++) model.frequencies[i] = powf(ROPE_BASE, -2.0f * i / HEAD_DIM);

  uint32_t state = 1;
  for (int l = 0; l < CACHE_LAYERS; l++)
    for (int t = 0; t < POSITION; t++)
      for (int i = 0; i < KV_DIM; i++) {
        keys[l][t][i] = peer_random(&state) * CACHE_SCALE;
        values[l][t][i] = peer_random(&state) * CACHE_SCALE;
      }
}
