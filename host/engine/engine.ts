// A model in Node: the same core as on a board, built with SIMD. Same ids for the same prompt and seed, whatever engine runs it.
import { LOGIT_FRAC } from "../../spec/numerics.ts";
import { GEN_DONE, GEN_PREFILL, TK_RC_TOO_LONG } from "../../spec/wire.ts";
import { TritkitError } from "../errors.ts";
import { type Answer, type GenerateOptions, samplerIntegers, stopReason, TextJoiner } from "../generation.ts";
import { imageErrorOf } from "../image/errors.ts";
import { type Image, readImage } from "../image/reader.ts";
import { modelText } from "./model_text.ts";
import { type EngineExports, engineInstance, place } from "./module.ts";

/** How ternary products are computed. All give the same integers. */
export const ENGINE_KINDS = { ref: 0, scalar: 1, simd: 2 } as const;
export type EngineKind = keyof typeof ENGINE_KINDS;

export interface OpenOptions {
  /** Positions; 0: the image's default, else its longest. */
  context?: number;
  /** Default "simd". */
  engine?: EngineKind;
}

/** Prompts of any length are copied to a buffer of their own; it grows in steps. */
const PROMPT_ROOM = 65536;
/** The event loop gets a turn this often while tokens are computed, so that Ctrl-C is heard. */
const TURN_MS = 8;

export class Engine {
  readonly image: Image;
  readonly kind: EngineKind;
  readonly #exports: EngineExports;
  #prompt = { address: 0, room: 0 };
  #busy = false;

  private constructor(image: Image, kind: EngineKind, exports: EngineExports) {
    this.image = image;
    this.kind = kind;
    this.#exports = exports;
  }

  /** @throws TritkitError E_IMAGE_*, E_NO_MEMORY */
  static async open(bytes: Uint8Array, { context = 0, engine = "simd" }: OpenOptions = {}): Promise<Engine> {
    const image = readImage(bytes);
    const exports = await engineInstance();
    const address = place(exports, image.bytes);
    const error = exports.open(address, image.bytes.length, context, ENGINE_KINDS[engine]);
    if (error !== 0) throw imageErrorOf(error);
    const tokenizer = exports.gen_reset();
    if (tokenizer !== 0) throw imageErrorOf(tokenizer);
    return new Engine(image, engine, exports);
  }

  /** Positions of the context. */
  get context(): number {
    return this.#exports.context();
  }

  /** Ids of a text, without BOS and template. */
  encode(text: string | Uint8Array): number[] {
    const bytes = modelText(this.image.tokenizer.flags, text);
    const room = Math.max(bytes.length, 1) * 4;
    const from = this.#text(bytes, bytes.length + 4 + room);
    const out = (from + bytes.length + 3) & ~3;
    const count = this.#exports.text_encode(from, bytes.length, out, bytes.length + 1);
    if (count < 0) {
      throw new TritkitError("E_TEXT_TOO_LONG", "The text has a word that is too long.", "Encode it in pieces.");
    }
    return Array.from(new Uint32Array(this.#exports.memory.buffer, out, count));
  }

  /** Bytes of a token's text; none for a special token. */
  tokenBytes(id: number): Uint8Array {
    const address = this.#exports.token_text(id);
    return new Uint8Array(this.#exports.memory.buffer, address, this.#exports.token_text_len(id)).slice();
  }

  /**
   * One position: logits of the next token, (vocab_size) in 1/65536.
   * @param position must follow the ones computed before; 0 begins anew. Disturbs a conversation that `generate` keeps.
   * @returns a view that the next call overwrites
   */
  forward(token: number, position: number): Int32Array {
    const address = this.#exports.forward(token, position, 1);
    return new Int32Array(this.#exports.memory.buffer, address, this.image.config.vocabSize);
  }

  /**
   * An answer. An abort is no error: the answer ends with stop "stopped".
   * @throws TritkitError E_PROMPT_TOO_LONG, E_USAGE, E_BUSY
   */
  async generate(prompt: string | Uint8Array, options: GenerateOptions = {}): Promise<Answer> {
    const { signal } = options;
    const engine = this.#exports;
    if (this.#busy) throw new TritkitError("E_BUSY", "The engine answers another prompt.", "Open a second engine.");
    const bytes = modelText(this.image.tokenizer.flags, prompt);
    const { max, temp, topk, topp, rep, seed } = samplerIntegers(options);
    const started = performance.now();
    const text = this.#text(bytes);
    const refused = engine.gen_begin(options.keep ? 1 : 0, text, bytes.length, max, temp, topk, topp, rep, seed);
    if (refused !== 0) throw this.#refusal(refused);

    this.#busy = true;
    const joiner = new TextJoiner(options.onToken);
    let firstTokenSeconds = 0;
    let turned = started;
    try {
      while (engine.gen_state() !== GEN_DONE) {
        if (signal?.aborted) engine.gen_stop();
        else if (engine.gen_step() === GEN_PREFILL) {
          options.onPrefill?.(engine.gen_prefill_done(), engine.gen_prefill_total());
        }
        while (joiner.tokenIds.length < engine.gen_count()) {
          if (joiner.tokenIds.length === 0) firstTokenSeconds = (performance.now() - started) / 1000;
          const id = engine.gen_token(joiner.tokenIds.length);
          joiner.add(id, this.tokenBytes(id));
        }
        if (performance.now() - turned > TURN_MS) {
          await new Promise(setImmediate);
          turned = performance.now();
        }
      }
    } finally {
      if (engine.gen_state() !== GEN_DONE) engine.gen_stop();
      this.#busy = false;
    }
    joiner.end();
    return {
      text: joiner.text,
      tokenIds: joiner.tokenIds,
      stop: stopReason(engine.gen_why()),
      promptTokens: engine.gen_prompt_tokens(),
      position: engine.gen_pos(),
      context: this.context,
      slides: engine.gen_slides(),
      firstTokenSeconds,
      firstTokens: Math.min(1, joiner.tokenIds.length),
      seconds: (performance.now() - started) / 1000,
    };
  }

  /** The bytes in the engine's memory, in a buffer of at least `room`. */
  #text(bytes: Uint8Array, room = bytes.length): number {
    if (this.#prompt.room < room) {
      const rounded = Math.ceil(room / PROMPT_ROOM) * PROMPT_ROOM;
      this.#prompt = { address: place(this.#exports, new Uint8Array(), rounded), room: rounded };
    }
    new Uint8Array(this.#exports.memory.buffer, this.#prompt.address, bytes.length).set(bytes);
    return this.#prompt.address;
  }

  #refusal(rc: number): TritkitError {
    if (rc === TK_RC_TOO_LONG) {
      const message = `The prompt does not fit into the context of ${this.context} positions.`;
      const longer = this.context < this.image.config.seqLen ? ", or choose a longer --context" : "";
      return new TritkitError("E_PROMPT_TOO_LONG", message, `Shorten it${longer}.`);
    }
    return new TritkitError("E_GENERATE", `The engine refused the prompt (rc ${rc}).`, "");
  }
}

/** A logit as the engine gives it -> its value. */
export const LOGIT_UNIT = 2 ** -LOGIT_FRAC;
