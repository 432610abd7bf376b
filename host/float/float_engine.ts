/**
 * A model in the semantics it was published with, in float64: the yardstick for what integers cost, and the float baseline. Runs any source that tritkit
 * can open as it is, and what an image holds.
 *
 * Weights stay in memory up to `memory` bytes, trits at 1.6 bits and real weights as float32, and are read again for every step beyond that: a large model runs
 * slowly, but it runs. (BitNet 2B-4T takes 0.4 GB for its trits and 1.3 GB for its head.)
 */
import { totalmem } from "node:os";
import type { ModelConfig, ModelSource } from "../convert/model.ts";
import { TritkitError } from "../errors.ts";
import { type Answer, type GenerateOptions, samplerIntegers, TextJoiner } from "../generation.ts";
import { readImage } from "../image/reader.ts";
import { Forward } from "./forward.ts";
import { History } from "./history.ts";
import { imageSource } from "./image_source.ts";
import { Texts } from "./texts.ts";
import { FloatWeights } from "./weights.ts";

export interface FloatOptions {
  /** Positions; 0: as many as the model was trained for. */
  context?: number;
  /** Bytes of weights to keep. */
  memory?: number;
  /** While weights are read for the first time: layers done, of how many. */
  onLoad?: (done: number, total: number) => void;
}

/** A quarter of the machine's memory, at most 4 GiB: the rest of the machine goes on, and no model of 2B parameters needs more. */
const MEMORY = Math.min(2 ** 32, totalmem() / 4);
/** Positions that are computed at once: weights that are not kept are read once for all of them. */
const BATCH = 32;

export class FloatEngine {
  readonly kind = "float";
  readonly name: string;
  readonly config: ModelConfig;
  /** Positions of the context. */
  readonly context: number;
  /** Value of a unit of a logit. */
  readonly logitUnit = 1;
  readonly batch = BATCH;
  readonly #source: ModelSource;
  readonly #texts: Texts;
  readonly #forward: Forward;
  readonly #history: History;
  #busy = false;

  private constructor(source: ModelSource, texts: Texts, { context = 0, memory = MEMORY, onLoad }: FloatOptions) {
    const { config } = source;
    this.name = source.name;
    this.config = config;
    this.context = context === 0 ? config.seqLen : context;
    this.#source = source;
    this.#texts = texts;
    this.#forward = new Forward(config, new FloatWeights(source, memory), this.context, onLoad);
    this.#history = new History(this.context, config.addBos ? config.bos : -1);
  }

  /** @param source opened with OpenOptions.float; close() closes it */
  static async open(source: ModelSource, options: FloatOptions = {}): Promise<FloatEngine> {
    return new FloatEngine(source, await Texts.open(source.tokenizer, source.chat), options);
  }

  /** What an image holds. @throws TritkitError E_IMAGE_* */
  static async openImage(bytes: Uint8Array, options: FloatOptions = {}): Promise<FloatEngine> {
    return FloatEngine.open(imageSource(readImage(bytes)), options);
  }

  /** "fake-quantised" or "plain": what happens to the inputs of linear layers. */
  get arithmetic(): string {
    return this.#source.fakeQuant ? "int8 activations as published" : "plain float";
  }

  /** Ids of a text, without BOS and template. */
  encode(text: string | Uint8Array): number[] {
    return this.#texts.encode(text);
  }

  /** Bytes of a token's text; none for a special token. */
  tokenBytes(id: number): Uint8Array {
    return this.#texts.tokenBytes(id);
  }

  /** As Engine.forward: the logits behind one position, (vocab_size). Disturbs a conversation that `generate` keeps. */
  async forward(token: number, position: number, signal?: AbortSignal): Promise<Float64Array> {
    return this.forwardAll([token], position, signal);
  }

  /**
   * @param tokens of the positions from `position` on, which must follow the ones computed before; 0 begins anew
   * @returns (tokens, vocab_size)
   * @throws TritkitError E_TOKEN_ID, E_POSITION, E_NOT_FINITE
   */
  async forwardAll(tokens: readonly number[], position: number, signal?: AbortSignal): Promise<Float64Array> {
    this.#history.ids = [];
    this.#history.computed = 0;
    return this.#run(tokens, position, tokens.length, signal);
  }

  /**
   * An answer. An abort is no error: the answer ends with stop "stopped".
   * @throws TritkitError E_PROMPT_TOO_LONG, E_PROMPT_EMPTY, E_USAGE, E_BUSY
   */
  async generate(prompt: string | Uint8Array, options: GenerateOptions = {}): Promise<Answer> {
    if (this.#busy) throw new TritkitError("E_BUSY", "The engine answers another prompt.", "Open a second engine.");
    const sampling = samplerIntegers(options);
    const started = performance.now();
    const history = this.#history;
    const { bos, addBos } = this.config;
    const first = !options.keep || history.ids.length === 0;
    const turn = this.#texts.turn(first, addBos ? bos : -1, prompt, this.#source.chat);
    if (first && turn.length === 0) throw new TritkitError("E_PROMPT_EMPTY", "The prompt is empty.", "Say something.");
    if (!history.begin(turn, options.keep ?? false)) throw this.#tooLong();

    this.#busy = true;
    this.#texts.beginSampling(sampling);
    const joiner = new TextJoiner(options.onToken);
    let firstTokenSeconds = 0;
    let stop: Answer["stop"] | null = null;
    try {
      while (stop === null) {
        const logits = await this.#lastLogits(options);
        if (logits === null) {
          stop = "stopped";
          break;
        }
        const id = this.#texts.sample(logits, history.ids);
        history.ids.push(id);
        if (id === this.config.eos || this.config.stop.includes(id)) stop = "eos";
        else {
          if (joiner.tokenIds.length === 0) firstTokenSeconds = (performance.now() - started) / 1000;
          joiner.add(id, this.tokenBytes(id));
          if (joiner.tokenIds.length === sampling.max) stop = "max";
        }
      }
    } finally {
      this.#busy = false;
    }
    joiner.end();
    return {
      text: joiner.text,
      tokenIds: joiner.tokenIds,
      stop,
      promptTokens: turn.length,
      position: history.computed,
      context: this.context,
      slides: history.slides,
      firstTokenSeconds,
      firstTokens: Math.min(1, joiner.tokenIds.length),
      seconds: (performance.now() - started) / 1000,
    };
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  /** Computes every position that is not; null: aborted. */
  async #lastLogits({ signal, onPrefill }: GenerateOptions): Promise<Float64Array | null> {
    const history = this.#history;
    history.makeRoom();
    const from = history.computed;
    const total = history.ids.length - from;
    for (;;) {
      const ids = history.ids.slice(history.computed, history.computed + BATCH);
      const isLast = history.computed + ids.length === history.ids.length;
      const logits = await this.#run(ids, history.computed, Number(isLast), signal).catch((error: unknown) => {
        if (error instanceof TritkitError && error.code === "E_INTERRUPTED") return null;
        throw error;
      });
      if (logits === null) return null;
      history.computed += ids.length;
      if (total > 1) onPrefill?.(history.computed - from, total);
      if (isLast) return logits;
    }
  }

  async #run(tokens: readonly number[], position: number, wanted: number, signal?: AbortSignal): Promise<Float64Array> {
    const { vocabSize } = this.config;
    const wrong = tokens.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (wrong !== undefined)
      throw new TritkitError("E_TOKEN_ID", `${wrong} is no token id.`, `Ids lie between 0 and ${vocabSize - 1}.`);
    if (!Number.isInteger(position) || position < 0 || position + tokens.length > this.context)
      throw new TritkitError(
        "E_POSITION",
        `Position ${position + tokens.length - 1} lies outside the context of ${this.context}.`,
        "Begin anew, or choose a longer context.",
      );
    const logits = await this.#forward.run(tokens, position, wanted, signal);
    if (!logits.every(Number.isFinite))
      throw new TritkitError(
        "E_NOT_FINITE",
        "The model computes a logit that is no number.",
        "Its weights are damaged, or overflow.",
      );
    return logits;
  }

  #tooLong(): TritkitError {
    const longer = this.context < this.config.seqLen ? ", or choose a longer --context" : "";
    const message = `The prompt does not fit into the context of ${this.context} positions.`;
    return new TritkitError("E_PROMPT_TOO_LONG", message, `Shorten it${longer}.`);
  }
}
