/*
 * A peer: one token of the model of float32.c in int8, plain C, the way that TensorFlow Lite Micro's reference kernels and llama2.c's quantised
 * program take: int8 weights with one scale a matrix, int8 activations with one scale a vector, products summed up in int32 by a loop of
 * multiply-accumulates. Head and embedding are int8 too.
 *
 * The cache is int8 of a fixed scale, attention is int8 products in int32 (probabilities have 15 bits). In float32: the residual stream, norms, RoPE,
 * softmax, squared ReLU, and the rescaling between them. Like those programs, it multiplies by zeros.
 */
#include <math.h>

#include "peer.h"

extern const int8_t peer_matrices[];
extern const float peer_vectors[];

float peer_logits[VOCAB];

struct matrix { const int8_t *weights; float scale; };

static struct {
  struct layer {
    struct matrix wq, wk, wv, wo, wgate, wup, wdown;
    const float *attn_norm, *attn_sub_norm, *ffn_norm, *ffn_sub_norm;
  } layers[LAYERS];
  struct matrix head;
  const float *final_norm;
  float frequencies[HEAD_DIM / 2];
} model;

static int8_t keys[CACHE_LAYERS][CONTEXT][KV_DIM];
static int8_t values[CACHE_LAYERS][CONTEXT][KV_DIM];

static float x[DIM], normed[FFN > DIM ? FFN : DIM], q[Q_DIM], kv[KV_DIM], heads[Q_DIM], gate[FFN], up[FFN], added[DIM], scores[CONTEXT];
static float cosines[HEAD_DIM / 2], sines[HEAD_DIM / 2];
static int8_t activations[FFN > DIM ? FFN : DIM], queries[Q_DIM];
static int16_t probabilities[CONTEXT];

/* to[i] = in[i] / (returned scale), the largest is 127. */
static float quantise(int8_t *to, const float *in, int n) {
  float largest = 1e-8f;
  for (int i = 0; i < n; i++) {
    float magnitude = fabsf(in[i]);
    if (magnitude > largest) largest = magnitude;
  }
  float inverse = 127 / largest;
  /* Rounded: what is truncated is positive. */
  for (int i = 0; i < n; i++) to[i] = (int8_t)((int32_t)(in[i] * inverse + 128.5f) - 128);
  return largest * (1.0f / 127);
}

/* out (rows,) = w (rows, columns) @ in (columns,) */
static void matvec(float *out, const struct matrix *w, const int8_t *in, float scale, int rows, int columns) {
  const int8_t *weights = w->weights;
  scale *= w->scale;
  for (int r = 0; r < rows; r++) {
    int32_t sum = 0;
    for (int c = 0; c < columns; c++) sum += weights[c] * in[c];
    out[r] = sum * scale;
    weights += columns;
  }
}

static float rmsnorm(const float *in, const float *gains, int n) {
  float squares = 0;
  for (int i = 0; i < n; i++) squares += in[i] * in[i];
  float scale = 1 / sqrtf(squares / n + NORM_EPS);
  for (int i = 0; i < n; i++) normed[i] = in[i] * scale * gains[i];
  return quantise(activations, normed, n);
}

static void rope(float *v, int count) {
  for (int h = 0; h < count; h++, v += HEAD_DIM)
    for (int i = 0; i < HEAD_DIM / 2; i++) {
      float a = v[i], b = v[i + HEAD_DIM / 2];
      v[i] = a * cosines[i] - b * sines[i];
      v[i + HEAD_DIM / 2] = a * sines[i] + b * cosines[i];
    }
}

static void remember(int8_t *to, const float *in) {
  for (int i = 0; i < KV_DIM; i++) {
    int32_t rounded = (int32_t)(in[i] * (1 / CACHE_SCALE) + 1024.5f) - 1024;
    to[i] = (int8_t)(rounded > 127 ? 127 : rounded < -127 ? -127 : rounded);
  }
}

static void softmax(int n) {
  float largest = scores[0], sum = 0;
  for (int t = 1; t < n; t++)
    if (scores[t] > largest) largest = scores[t];
  for (int t = 0; t < n; t++) {
    scores[t] = expf(scores[t] - largest);
    sum += scores[t];
  }
  float scale = 32767 / sum;
  for (int t = 0; t < n; t++) probabilities[t] = (int16_t)(scores[t] * scale + 0.5f);
}

/* All heads of a layer: queries of the given scale in `queries`, outputs in `heads`. */
static void attend(int8_t (*k)[KV_DIM], int8_t (*v)[KV_DIM], int position, float scale) {
  for (int h = 0; h < HEADS; h++) {
    int at = h / (HEADS / KV_HEADS) * HEAD_DIM;
    const int8_t *query = queries + h * HEAD_DIM;
    for (int t = 0; t <= position; t++) {
      int32_t sum = 0;
      for (int i = 0; i < HEAD_DIM; i++) sum += query[i] * k[t][at + i];
      scores[t] = sum * scale;
    }
    softmax(position + 1);
    int32_t sums[HEAD_DIM] = {0};
    for (int t = 0; t <= position; t++)
      for (int i = 0; i < HEAD_DIM; i++) sums[i] += probabilities[t] * v[t][at + i];
    for (int i = 0; i < HEAD_DIM; i++) heads[h * HEAD_DIM + i] = sums[i] * (CACHE_SCALE / 32767);
  }
}

static void add(float *to, const float *more, int n) {
  for (int i = 0; i < n; i++) to[i] += more[i];
}

int peer_token(int token, int position) {
  const float attention_scale = CACHE_SCALE / sqrtf(HEAD_DIM);
  for (int i = 0; i < DIM; i++) x[i] = model.head.weights[token * DIM + i] * model.head.scale;
  for (int i = 0; i < HEAD_DIM / 2; i++) {
    float angle = position * model.frequencies[i];
    cosines[i] = cosf(angle);
    sines[i] = sinf(angle);
  }
  float s;
  for (int l = 0; l < LAYERS; l++) {
    const struct layer *w = &model.layers[l];
    int8_t(*k)[KV_DIM] = keys[SHARED_CACHE ? 0 : l];
    int8_t(*v)[KV_DIM] = values[SHARED_CACHE ? 0 : l];

    s = rmsnorm(x, w->attn_norm, DIM);
    matvec(q, &w->wq, activations, s, Q_DIM, DIM);
    matvec(kv, &w->wk, activations, s, KV_DIM, DIM);
    rope(kv, KV_HEADS);
    remember(k[position], kv);
    matvec(kv, &w->wv, activations, s, KV_DIM, DIM);
    remember(v[position], kv);
    rope(q, HEADS);
    s = quantise(queries, q, Q_DIM);
    attend(k, v, position, s * attention_scale);
    s = rmsnorm(heads, w->attn_sub_norm, Q_DIM);
    matvec(added, &w->wo, activations, s, DIM, Q_DIM);
    add(x, added, DIM);

    s = rmsnorm(x, w->ffn_norm, DIM);
    matvec(gate, &w->wgate, activations, s, FFN, DIM);
    matvec(up, &w->wup, activations, s, FFN, DIM);
    for (int i = 0; i < FFN; i++) gate[i] = gate[i] > 0 ? gate[i] * gate[i] * up[i] : 0;
    s = rmsnorm(gate, w->ffn_sub_norm, FFN);
    matvec(added, &w->wdown, activations, s, DIM, FFN);
    add(x, added, DIM);
  }
  s = rmsnorm(x, model.final_norm, DIM);
  matvec(peer_logits, &model.head, activations, s, VOCAB, DIM);

  int best = 0;
  for (int i = 1; i < VOCAB; i++)
    if (peer_logits[i] > peer_logits[best]) best = i;
  return best;
}

void peer_start(void) {
  const float *vectors = peer_vectors;
  const float *scales = peer_vectors + LAYERS * VECTORS_A_LAYER + DIM;
  for (int l = 0; l < LAYERS; l++) {
    struct layer *w = &model.layers[l];
    struct matrix *matrices[MATRICES_A_LAYER] = {&w->wq, &w->wk, &w->wv, &w->wo, &w->wgate, &w->wup, &w->wdown};
    for (int m = 0; m < MATRICES_A_LAYER; m++) {
      matrices[m]->weights = peer_matrices + matrix_at(l, m);
      matrices[m]->scale = *scales++;
    }
    w->attn_norm = vectors;
    w->attn_sub_norm = w->attn_norm + DIM;
    w->ffn_norm = w->attn_sub_norm + Q_DIM;
    w->ffn_sub_norm = w->ffn_norm + DIM;
    vectors += VECTORS_A_LAYER;
  }
  model.final_norm = vectors;
  model.head.weights = peer_matrices + matrix_at(LAYERS, 0);
  model.head.scale = *scales;
  for (int i = 0; i < HEAD_DIM / 2; i++) model.frequencies[i] = powf(ROPE_BASE, -2.0f * i / HEAD_DIM);

  uint32_t state = 1;
  for (int l = 0; l < CACHE_LAYERS; l++)
    for (int t = 0; t < POSITION; t++)
      for (int i = 0; i < KV_DIM; i++) {
        keys[l][t][i] = peer_random(&state);
        values[l][t][i] = peer_random(&state);
      }
}
