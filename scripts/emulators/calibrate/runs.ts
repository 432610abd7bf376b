/**
 * What is run to calibrate the cost tables: models, prompts and samplers. Training runs are what a table is fitted to; held-out runs have a shape
 * of model and a prompt that no training run has, and are what `npm run calibrate` judges it by.
 *
 * Between them the training runs use all three kinds of trained models that ship, heads of trit planes and of int8, dims whose groups of five
 * columns leave something over and some that do not, short and long contexts, the greedy sampler and the others. Random models speak nonsense,
 * which costs what sense costs.
 */
import { readFile } from "node:fs/promises";
import { modelPath } from "../../../host/assets.ts";
import { buildImage, type EmbedPacking, type RandomOptions, randomModel } from "../../../host/convert/index.ts";
import type { GenerateOptions } from "../../../host/generation.ts";

export interface Run {
  readonly name: string;
  readonly model: string;
  readonly heldOut: boolean;
  readonly prompt: string;
  readonly options: GenerateOptions;
  /** Positions of the context. */
  readonly context: number;
}

const GREEDY = { temperature: 0 };
const SAMPLED = { temperature: 0.8, topP: 0.9, topK: 40, repeat: 1.1, seed: 7 };
const NUCLEUS = { temperature: 1, topP: 0.95, seed: 11 };

const STORY = "Once upon a time";
const LONG =
  "One day a little girl named Lily found a big red ball in the park. She wanted to share it with her friend Tom, but Tom was sad because " +
  "his dog had run away. So they looked behind the trees, under the bench and near the pond, and they called its name again and again. Then";

/** In the order in which they are run: a board is started once for each model. */
export const RUNS: readonly Run[] = [
  train("stories-1m, greedy", "stories-1m", STORY, { ...GREEDY, maxTokens: 24 }),
  train("stories-1m, long prompt, sampled", "stories-1m", LONG, { ...SAMPLED, maxTokens: 12 }),
  train("llama-300k, sampled", "llama-300k", "Tom and his mom", { ...NUCLEUS, maxTokens: 20 }),
  train("llama-300k, greedy", "llama-300k", LONG, { ...GREEDY, maxTokens: 20 }),
  train("swiglu-300k, greedy", "swiglu-300k", STORY, { ...GREEDY, maxTokens: 24 }),
  train("swiglu-300k, sampled", "swiglu-300k", "The cat was", { ...SAMPLED, maxTokens: 40 }),
  train("wide, greedy", "wide", "abc", { ...GREEDY, maxTokens: 8 }),
  train("wide, sampled", "wide", "Never eat yellow snow, he said, and went on his way.", { ...SAMPLED, maxTokens: 8 }),
  train("narrow, greedy", "narrow", "Never eat yellow snow, he said.", { ...GREEDY, maxTokens: 32 }),
  train("narrow, sampled", "narrow", "xyz", { ...NUCLEUS, maxTokens: 60 }),
  train("odd, sampled", "odd", "Lorem ipsum dolor", { ...NUCLEUS, maxTokens: 16 }),
  heldOut("held-out shape, greedy", "held-out", "Pack my box with five dozen jugs.", { ...GREEDY, maxTokens: 16 }),
  heldOut("held-out shape, sampled", "held-out", "A quick brown fox", {
    temperature: 0.9,
    topP: 0.8,
    seed: 3,
    maxTokens: 32,
  }),
  heldOut("stories-1m, held-out prompt", "stories-1m", "The old king had a small boat", { ...GREEDY, maxTokens: 32 }),
];

function train(name: string, model: string, prompt: string, options: GenerateOptions): Run {
  return { name, model, heldOut: false, prompt, options, context: 256 };
}

function heldOut(name: string, model: string, prompt: string, options: GenerateOptions): Run {
  return { name, model, heldOut: true, prompt, options, context: 256 };
}

interface Shape extends RandomOptions {
  readonly embedPacking: EmbedPacking;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  wide: { dim: 256, hiddenDim: 704, nLayers: 2, nHeads: 8, nKvHeads: 4, vocabSize: 1024, seed: 21, embedPacking: "t3" },
  narrow: {
    dim: 64,
    hiddenDim: 160,
    nLayers: 4,
    nHeads: 4,
    nKvHeads: 4,
    headDim: 16,
    vocabSize: 320,
    seed: 22,
    embedPacking: "t4",
  },
  odd: {
    ...{ dim: 136, hiddenDim: 344, nLayers: 2, nHeads: 3, nKvHeads: 1, headDim: 48, vocabSize: 600, seed: 23 },
    ...{ activation: "silu" as const, subNorm: false, tied: false, rowScales: true, embedPacking: "int8" as const },
  },
  "held-out": {
    ...{ dim: 192, hiddenDim: 512, nLayers: 3, nHeads: 6, nKvHeads: 2, headDim: 32, vocabSize: 800, seed: 24 },
    embedPacking: "t4",
  },
};

/** Image of a model that a run names. */
export async function imageOf(model: string): Promise<Uint8Array> {
  const shape = SHAPES[model];
  if (shape === undefined) return new Uint8Array(await readFile(await modelPath(model)));
  const { embedPacking, ...options } = shape;
  const { bytes } = await buildImage(randomModel({ ...options, name: model }), { embedPacking });
  return bytes;
}

/** What the held-out model is, for the table. */
export function shapeText(model: string): string {
  const shape = SHAPES[model];
  if (shape === undefined) return model;
  const { dim, hiddenDim, nLayers, nHeads, nKvHeads, headDim, vocabSize, embedPacking } = shape;
  return `dim ${dim}, hidden ${hiddenDim}, ${nLayers} layers, ${nHeads} heads of ${headDim ?? 32}, ${nKvHeads} KV heads, vocabulary ${vocabSize}, head ${embedPacking}`;
}
