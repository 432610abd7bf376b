/**
 * A model without training: the same seed gives the same weights everywhere. For trying a shape on a board, for benchmarks and for tests; it
 * speaks nonsense. Gains near 1, normal embeddings, a third of the trits zero, weight scale 1 / sqrt(2/3 cols), so that signals keep their size.
 */
import {
  KIND_ATTN_SUB_NORM,
  KIND_EMBED,
  NONE_ID,
  PRE_BYTES,
  TOK_BYTE_LEVEL,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
} from "../../spec/image.ts";
import { VOCAB_MIN } from "../../spec/numerics.ts";
import { tensorSlots } from "../image/layout.ts";
import type { Merge, Tokenizer } from "../image/tokenizer.ts";
import type { ModelConfig, ModelSource } from "./model.ts";

export interface RandomOptions {
  readonly seed?: number;
  readonly name?: string;
  readonly dim?: number;
  readonly hiddenDim?: number;
  readonly nLayers?: number;
  readonly nHeads?: number;
  readonly nKvHeads?: number;
  readonly headDim?: number;
  readonly seqLen?: number;
  readonly vocabSize?: number;
  readonly activation?: "silu" | "relu2";
  readonly subNorm?: boolean;
  readonly tied?: boolean;
  /** Experts of each layer, default none; and how many of them a token takes, default 2 (1 where there is one). */
  readonly nExperts?: number;
  readonly nExpertsUsed?: number;
  /** A scale for every row of the ternary matrices instead of one for the tensor. */
  readonly rowScales?: boolean;
}

/** Two specials follow the bytes and merges. */
const SPECIALS = ["<|bos|>", "<|eos|>"];

/** The default shape is that of a 300k story model: it fits every board. */
export function randomModel(options: RandomOptions = {}): ModelSource {
  const { seed = 1, dim = 96, nHeads = 3 } = options;
  const config: ModelConfig = {
    dim,
    hiddenDim: options.hiddenDim ?? 256,
    nLayers: options.nLayers ?? 3,
    nHeads,
    nKvHeads: options.nKvHeads ?? 1,
    headDim: options.headDim ?? 32,
    seqLen: options.seqLen ?? 256,
    vocabSize: options.vocabSize ?? 512,
    activation: options.activation ?? "relu2",
    subNorm: options.subNorm ?? true,
    tied: options.tied ?? true,
    ropeTheta: 10000,
    normEps: 1e-5,
    bos: (options.vocabSize ?? 512) - 2,
    eos: (options.vocabSize ?? 512) - 1,
    stop: [],
    addBos: true,
    nExperts: options.nExperts ?? 0,
    nExpertsUsed: options.nExpertsUsed ?? Math.min(2, options.nExperts ?? 0),
    weights: "ternary",
  };
  const shapes = new Map(tensorSlots(config).map((slot) => [`${slot.kind} ${slot.layer}`, slot]));
  const shapeOf = (kind: number, layer: number) => {
    const slot = shapes.get(`${kind} ${layer}`);
    if (!slot) throw new RangeError(`the architecture has no tensor ${kind} in layer ${layer}`);
    return slot;
  };
  return {
    name: options.name ?? `random-${seed}`,
    config,
    tokenizer: randomTokenizer(config.vocabSize, seed),
    chat: null,
    meta: { source: "random weights", seed },
    dropped: [],
    notes: [],
    fakeQuant: true,
    linear(kind, layer, at) {
      const { rows, cols } = shapeOf(kind, layer);
      const scale = 1 / Math.sqrt((2 / 3) * cols);
      const expert = ofExpert(at?.expert);
      const random = generator(seed, kind, layer, rows, ...expert);
      return {
        rows,
        cols,
        scale: options.rowScales ? Float64Array.from({ length: rows }, () => scale * (0.5 + random())) : scale,
        trits(start, count) {
          const trits = new Int8Array(count * cols);
          for (let row = 0; row < count; row++) {
            const ofRow = generator(seed, kind, layer, start + row, ...expert);
            for (let col = 0; col < cols; col++) trits[row * cols + col] = Math.floor(ofRow() * 3) - 1;
          }
          return trits;
        },
      };
    },
    matrix(kind, layer = 0) {
      const { rows, cols } = shapeOf(kind, layer);
      const size = kind === KIND_EMBED ? 1 : 1 / Math.sqrt(cols);
      return {
        rows,
        cols,
        values(start, count) {
          const values = new Float32Array(count * cols);
          for (let row = 0; row < count; row++) {
            const random = generator(seed, kind, layer, start + row);
            for (let col = 0; col < cols; col++) values[row * cols + col] = size * normal(random);
          }
          return values;
        },
      };
    },
    gain(kind, layer, expert) {
      const random = generator(seed, kind, layer, 0, ...ofExpert(expert));
      return Float32Array.from({ length: shapeOf(kind, layer).cols }, () => 1 + 0.1 * normal(random));
    },
    async close() {},
  };
}

/** 256 bytes, random merges of letters that make no token twice, and two specials. */
export function randomTokenizer(vocabSize: number, seed: number): Tokenizer {
  if (vocabSize < VOCAB_MIN + SPECIALS.length)
    throw new RangeError(`a byte-level vocabulary has at least ${VOCAB_MIN + SPECIALS.length} tokens`);
  const random = generator(seed, KIND_ATTN_SUB_NORM, 0, 0);
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const known = new Set<string>();
  const merges: Merge[] = [];
  // Letters and what was made of them; a leading space joins to the right only, as in words.
  const letters = [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => letter.charCodeAt(0));
  const left = [0x20, ...letters];
  const right = [...letters];
  while (tokens.length < vocabSize - SPECIALS.length) {
    const pair = [pick(left, random), pick(right, random)];
    const token = Uint8Array.of(...tokens[pair[0]], ...tokens[pair[1]]);
    const text = Buffer.from(token).toString("latin1");
    if (token.length > 16 || known.has(text)) continue;
    known.add(text);
    const result = tokens.length;
    merges.push({ left: pair[0], right: pair[1], result, rank: merges.length });
    left.push(result);
    if (token[0] !== 0x20) right.push(result);
    tokens.push(token);
  }
  const types = new Uint8Array(vocabSize).fill(TOK_TYPE_TEXT);
  for (const special of SPECIALS) {
    types[tokens.length] = TOK_TYPE_SPECIAL;
    tokens.push(new TextEncoder().encode(special));
  }
  const byteIds = Int32Array.from({ length: 256 }, (_, byte) => byte);
  return { kind: TOK_BYTE_LEVEL, flags: 0, pre: PRE_BYTES, tokens, types, merges, byteIds, unk: NONE_ID };
}

/** Expert 0 has the weights that a dense model would have. */
function ofExpert(expert = 0): number[] {
  return expert > 0 ? [expert] : [];
}

function pick(ids: readonly number[], random: () => number): number {
  return ids[Math.floor(random() * ids.length)];
}

/** Uniform in [0, 1): mulberry32 (Tommy Ettinger, public domain), its state a hash of the numbers. */
function generator(...numbers: number[]): () => number {
  let state = 0x9e3779b9;
  for (const number of numbers) state = Math.imul(state ^ number, 0x85ebca6b) ^ (state >>> 13);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal, by the sum of 12 uniforms: no logarithm or cosine, whose last bit differs between engines. */
function normal(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}
