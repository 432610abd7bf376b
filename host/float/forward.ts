/**
 * The forward pass of a Llama-style or BitNet model in float64, of several positions at once:
 *
 *     x = embed(ids)
 *     for every layer   h = norm(x)   q, k, v = Wq h, Wk h, Wv h   q, k = rope(q), rope(k)
 *                       o = attention(q, keys 0..p, values 0..p)   x += Wo sub_norm(o)
 *                       h = norm(x)   f = act(Wgate h) * (Wup h)   x += Wdown sub_norm(f)
 *     logits = head(norm(x))
 *
 * With experts the last line of a layer is made by the n_experts_used of largest router logit, each weighted by the softmax over these logits
 * (Mixtral, arXiv 2401.04088, section 2.1).
 */
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_ROUTER,
} from "../../spec/image.ts";
import type { ModelConfig } from "../convert/model.ts";
import { ropeFrequencies } from "../convert/tables.ts";
import { throwIfAborted } from "../errors.ts";
import { KvCache } from "./kv.ts";
import { gated, rmsNorm, rotate, softmax } from "./vectors.ts";
import type { FloatWeights } from "./weights.ts";

/** The event loop gets a turn this often, so that Ctrl-C is heard. */
const TURN_MS = 8;

export class Forward {
  readonly #config: ModelConfig;
  readonly #weights: FloatWeights;
  /** Radians of a position, (head_dim / 2). */
  readonly #frequencies: Float64Array;
  readonly #cache: KvCache;
  #onLoad: ((done: number, total: number) => void) | undefined;
  #turned = 0;

  /** @param onLoad layers done of the first pass, which reads all weights */
  constructor(
    config: ModelConfig,
    weights: FloatWeights,
    context: number,
    onLoad?: (done: number, total: number) => void,
  ) {
    this.#onLoad = onLoad;
    this.#config = config;
    this.#weights = weights;
    this.#frequencies = config.ropeFrequencies ?? ropeFrequencies(config.ropeTheta, config.headDim);
    this.#cache = new KvCache(config.nLayers, config.nKvHeads * config.headDim, context);
  }

  /**
   * @param ids tokens of the positions from `position` on, behind those that were computed before
   * @param wanted of how many of the last of them logits are wanted
   * @returns (wanted, vocab_size)
   */
  async run(ids: readonly number[], position: number, wanted: number, signal?: AbortSignal): Promise<Float64Array> {
    const { dim, nLayers, normEps, vocabSize } = this.#config;
    const count = ids.length;
    this.#cache.reserve(position + count);
    const x = new Float64Array(count * dim);
    await this.#weights.embed(ids, x);
    for (let layer = 0; layer < nLayers; layer++) {
      throwIfAborted(signal);
      await this.#giveTurn();
      add(x, await this.#attention(await this.#norm(KIND_ATTN_NORM, layer, x, count), layer, position, count));
      const h = await this.#norm(KIND_FFN_NORM, layer, x, count);
      add(x, await (this.#config.nExperts > 0 ? this.#experts(h, layer, count) : this.#ffn(h, layer, count)));
      this.#onLoad?.(layer + 1, nLayers);
    }
    this.#onLoad = undefined;
    const last = x.slice((count - wanted) * dim);
    const gain = await this.#weights.gain(KIND_FINAL_NORM, 0, dim);
    for (let t = 0; t < wanted; t++) rmsNorm(last, t * dim, gain, normEps, last);
    const logits = new Float64Array(wanted * vocabSize);
    if (wanted > 0) await this.#weights.head({ count: wanted, x: last, y: logits });
    return logits;
  }

  /** The norm of each of `count` vectors, in new memory. */
  async #norm(kind: number, layer: number, x: Float64Array, count: number, expert?: number): Promise<Float64Array> {
    const width = x.length / count;
    const gain = await this.#weights.gain(kind, layer, width, expert);
    const y = x.slice();
    for (let t = 0; t < count; t++) rmsNorm(y, t * width, gain, this.#config.normEps, y);
    return y;
  }

  /** The norm that a BitLinear makes of its input by itself, without a gain (OLMo-Bitnet); behind a block's inner vector it is the sub-norm. */
  #plainNorm(x: Float64Array, count: number): Float64Array {
    const width = x.length / count;
    const ones = new Float32Array(width).fill(1);
    const y = x.slice();
    for (let t = 0; t < count; t++) rmsNorm(y, t * width, ones, this.#config.normEps, y);
    return y;
  }

  async #linear(kind: number, layer: number, input: Float64Array, count: number, rows: number, expert?: number) {
    const { inputNorm, subNorm } = this.#config;
    const isNormed = subNorm && (kind === KIND_ATTN_O || kind === KIND_FFN_DOWN);
    const x = inputNorm !== undefined && !isNormed ? this.#plainNorm(input, count) : input;
    const y = new Float64Array(count * rows);
    await this.#weights.linear(kind, layer, { count, x, y }, expert);
    return y;
  }

  /** h (count, dim) -> (count, dim) */
  async #attention(h: Float64Array, layer: number, position: number, count: number): Promise<Float64Array> {
    const { dim, nHeads, nKvHeads, headDim, subNorm } = this.#config;
    const [queries, keys] = [nHeads * headDim, nKvHeads * headDim];
    const q = await this.#linear(KIND_ATTN_Q, layer, h, count, queries);
    const k = await this.#linear(KIND_ATTN_K, layer, h, count, keys);
    const v = await this.#linear(KIND_ATTN_V, layer, h, count, keys);
    const cache = this.#cache.layer(layer);
    for (let t = 0; t < count; t++) {
      const angles = this.#frequencies.map((frequency) => (position + t) * frequency);
      const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)];
      for (let head = 0; head < nHeads; head++) rotate(q, t * queries + head * headDim, cos, sin);
      for (let head = 0; head < nKvHeads; head++) rotate(k, t * keys + head * headDim, cos, sin);
    }
    cache.keys.set(k, position * keys);
    cache.values.set(v, position * keys);
    const out = new Float64Array(count * queries);
    const scores = new Float64Array(position + count);
    for (let t = 0; t < count; t++)
      for (let head = 0; head < nHeads; head++) {
        const kv = Math.floor(head / (nHeads / nKvHeads)) * headDim;
        const at = t * queries + head * headDim;
        this.#attend(q, out, at, cache, kv, position + t + 1, scores);
      }
    const o = subNorm ? await this.#norm(KIND_ATTN_SUB_NORM, layer, out, count) : out;
    return this.#linear(KIND_ATTN_O, layer, o, count, dim);
  }

  /** One head, one position: softmax(q . k / sqrt(head_dim)) over `seen` positions, and the values weighted so. */
  #attend(
    q: Float64Array,
    out: Float64Array,
    at: number,
    { keys, values }: { readonly keys: Float64Array; readonly values: Float64Array },
    kv: number,
    seen: number,
    scores: Float64Array,
  ): void {
    const { headDim, nKvHeads } = this.#config;
    const width = nKvHeads * headDim;
    const scale = 1 / Math.sqrt(headDim);
    for (let p = 0; p < seen; p++) {
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += q[at + i] * keys[p * width + kv + i];
      scores[p] = dot * scale;
    }
    softmax(scores, seen);
    for (let p = 0; p < seen; p++)
      for (let i = 0; i < headDim; i++) out[at + i] += scores[p] * values[p * width + kv + i];
  }

  /** h (count, dim) -> (count, dim) */
  async #ffn(h: Float64Array, layer: number, count: number, expert?: number): Promise<Float64Array> {
    const { dim, hiddenDim, activation, subNorm } = this.#config;
    const gate = await this.#linear(KIND_FFN_GATE, layer, h, count, hiddenDim, expert);
    const up = await this.#linear(KIND_FFN_UP, layer, h, count, hiddenDim, expert);
    gated(activation, gate, up, gate.length);
    const f = subNorm ? await this.#norm(KIND_FFN_SUB_NORM, layer, gate, count, expert) : gate;
    return this.#linear(KIND_FFN_DOWN, layer, f, count, dim, expert);
  }

  /** As #ffn, by the experts that the router chooses for each position. */
  async #experts(h: Float64Array, layer: number, count: number): Promise<Float64Array> {
    const { dim, nExperts, nExpertsUsed } = this.#config;
    const logits = new Float64Array(count * nExperts);
    await this.#weights.real(KIND_ROUTER, layer, { count, x: h, y: logits });
    const chosen = Array.from({ length: count }, (_, t) =>
      choose(logits.subarray(t * nExperts, (t + 1) * nExperts), nExpertsUsed),
    );
    const out = new Float64Array(count * dim);
    for (let expert = 0; expert < nExperts; expert++) {
      // Every expert's weights are read once, for the positions that chose it.
      const positions = chosen.flatMap((weights, t) => (weights.has(expert) ? [t] : []));
      if (positions.length === 0) continue;
      const x = new Float64Array(positions.length * dim);
      for (const [i, t] of positions.entries()) x.set(h.subarray(t * dim, (t + 1) * dim), i * dim);
      const y = await this.#ffn(x, layer, positions.length, expert);
      for (const [i, t] of positions.entries()) {
        const weight = chosen[t].get(expert) ?? 0;
        for (let j = 0; j < dim; j++) out[t * dim + j] += weight * y[i * dim + j];
      }
    }
    return out;
  }

  async #giveTurn(): Promise<void> {
    if (performance.now() - this.#turned < TURN_MS) return;
    await new Promise(setImmediate);
    this.#turned = performance.now();
  }
}

/** The experts of largest logit, the lower number among equals, with the softmax over their logits. */
function choose(logits: Float64Array, used: number): Map<number, number> {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const best = order.slice(0, used);
  const weights = Float64Array.from(best, (expert) => logits[expert]);
  softmax(weights, weights.length);
  return new Map(best.map((expert, i) => [expert, weights[i]]));
}

function add(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}
