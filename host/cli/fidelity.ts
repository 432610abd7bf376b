// `convert --text`: what the image costs. The source as published in the float engine and the image in the integer engine predict the same windows of a text.
import { readFile } from "node:fs/promises";
import { openModel } from "../convert/convert.ts";
import type { ModelConfig, OpenOptions } from "../convert/model.ts";
import { Engine } from "../engine/engine.ts";
import { type EvalResult, evaluate, type Predictor } from "../engine/eval.ts";
import { TritkitError } from "../errors.ts";
import { FloatEngine } from "../float/float_engine.ts";
import type { Output } from "./output.ts";
import { secondsText } from "./progress.ts";
import { loadProgress } from "./runner.ts";

export interface Fidelity {
  /** Predicted, from the text's start on. */
  tokens: number;
  windows: number;
  window: number;
  before_loss_nats: number;
  after_loss_nats: number;
}

/** Windows as long as the model was trained for, but not longer: attention of the float engine takes its time. */
const LONGEST_WINDOW = 512;
/** Tokens of a small model; fewer of a large one, so that its float engine needs minutes and not hours: 100 thousand million products. */
const TOKENS_MAX = 2000;
const TOKENS_MIN = 128;
const PRODUCTS_MAX = 1e11;

/** Before anything is converted. @throws TritkitError E_TEXT_EMPTY */
export async function readFidelityText(path: string): Promise<Uint8Array> {
  const text = await readFile(path);
  if (text.length === 0) throw new TritkitError("E_TEXT_EMPTY", `${path} is empty.`, "Give a text to predict.");
  return text;
}

/** @param options as the source was converted with; it is read once more, its float weights unrounded */
export async function measureFidelity(
  source: string,
  options: OpenOptions,
  image: string,
  text: Uint8Array,
  out: Output,
  signal: AbortSignal,
): Promise<Fidelity> {
  const model = await openModel(source, { ...options, quantize: undefined, float: true, signal });
  const { config } = model;
  const window = Math.min(config.seqLen, LONGEST_WINDOW);
  const float = await FloatEngine.open(model, { context: window, onLoad: loadProgress(out) }).catch(
    async (error: unknown) => {
      await model.close();
      throw error;
    },
  );
  try {
    const ids = float.encode(text);
    const limit = tokensOf(config);
    const judge = (what: string, engine: Predictor) =>
      evaluate(engine, ids, { window, limit, signal, onProgress: progress(out, what) });
    const before = await judge("source, as published", float);
    // From the file: an image may be larger than what one buffer holds.
    const engine = await Engine.openFile(image, { context: window, signal });
    const after = await judge("image", engine).finally(() => engine.close());
    out.clearStatus();
    out.info(`text  ${words(before, after, window)}`);
    const { tokens, windows } = after;
    return { tokens, windows, window, before_loss_nats: before.lossNats, after_loss_nats: after.lossNats };
  } finally {
    await float.close();
  }
}

function tokensOf(config: ModelConfig): number {
  const { dim, hiddenDim, nHeads, nKvHeads, headDim, nLayers, vocabSize, nExpertsUsed } = config;
  const attention = 2 * dim * headDim * (nHeads + nKvHeads);
  const products = nLayers * (attention + 3 * dim * hiddenDim * Math.max(1, nExpertsUsed)) + dim * vocabSize;
  return Math.max(TOKENS_MIN, Math.min(TOKENS_MAX, Math.floor(PRODUCTS_MAX / products)));
}

function words(before: EvalResult, after: EvalResult, window: number): string {
  const cost = (100 * (after.lossNats - before.lossNats)) / before.lossNats;
  const read = `its first ${after.tokens} tokens in ${after.windows} ${after.windows === 1 ? "window" : "windows"} of ${window}`;
  const losses = `loss ${before.lossNats.toFixed(4)} nats as published, ${after.lossNats.toFixed(4)} of the image`;
  const perplexities = `perplexity ${before.perplexity.toFixed(2)} and ${after.perplexity.toFixed(2)}`;
  return `${losses} (${cost >= 0 ? "+" : ""}${cost.toFixed(2)} %)  ${perplexities}  ${read}`;
}

function progress(out: Output, what: string): (done: number, total: number) => void {
  const started = performance.now();
  return (done, total) => {
    const seconds = (performance.now() - started) / 1000;
    const left = secondsText((seconds / done) * (total - done));
    out.status(`text   ${what}: ${done} of ${total} tokens  ETA ${left}`);
  };
}
