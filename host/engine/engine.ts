// A model in Node: the same core as on a board, built with SIMD. Same ids for the same prompt and seed, whatever engine runs it.
import { TRAILER_BYTES } from "../../spec/image.ts";
import { LOGIT_FRAC } from "../../spec/numerics.ts";
import { GEN_DONE, GEN_PREFILL, TK_RC_TOO_LONG } from "../../spec/wire.ts";
import { EXIT_USAGE, TritkitError, throwIfAborted } from "../errors.ts";
import { type Answer, type GenerateOptions, samplerIntegers, stopReason, TextJoiner } from "../generation.ts";
import type { ImageConfig } from "../image/config.ts";
import { checkDigests } from "../image/digest.ts";
import { imageErrorOf } from "../image/errors.ts";
import { FilePositions, inMemory, type Positions } from "../image/positions.ts";
import { type Image, readImage } from "../image/reader.ts";
import type { ToolTable } from "../tools/tool.ts";
import { assistantPart, useTools } from "./assistant.ts";
import { cacheKey, cachePath, readCache, writeCache } from "./cache.ts";
import { chooseKernel, type KernelName, kernelNumber } from "./kernel_choice.ts";
import { type LoadOptions, skeletonOf, streamWeights } from "./load.ts";
import { modelText } from "./model_text.ts";
import { type EngineExports, type EngineInstance, instantiate, place } from "./module.ts";
import { defaultThreads, Team, THREADS_MAX } from "./team.ts";

/** How ternary products are computed. All give the same integers. */
export const ENGINE_KINDS = { ref: 0, scalar: 1, simd: 2 } as const;
export type EngineKind = keyof typeof ENGINE_KINDS;

export interface OpenOptions extends LoadOptions {
  /** Positions; 0: the image's default, else its longest. */
  context?: number | ((config: ImageConfig) => number);
  /** Default "simd". */
  engine?: EngineKind;
  /** Threads of the SIMD engine, 1 to 64. Default: the machine's cores, at most 4, for models of some size; else 1. */
  threads?: number;
  /** The ternary kernel of the SIMD engine. Default: TRITKIT_KERNEL, else the fastest here. */
  kernel?: KernelName;
  /** Of an assistant, in place of its own. */
  tools?: ToolTable;
  /** openFile, SIMD engine: keep the repacked weights in a file beside the image, and read them from there. */
  cache?: boolean;
  /** Something that went otherwise than asked, and does not matter: one sentence. */
  onNote?: (note: string) => void;
}

/** BATCH_MAX of as/kernels/simd.ts. */
const BATCH = 16;
/** An image from which on the default is more than one thread: below it a thread takes longer to start than an answer. */
const LARGE_BYTES = 64 * 2 ** 20;

/** Prompts of any length are copied to a buffer of their own; it grows in steps. */
const PROMPT_ROOM = 65536;
/** The event loop gets a turn this often while tokens are computed, so that Ctrl-C is heard. */
const TURN_MS = 8;

export class Engine {
  readonly image: Image;
  readonly kind: EngineKind;
  /** Of the SIMD engine. */
  readonly kernel: KernelName | null;
  /** Value of a unit of a logit. */
  readonly logitUnit = LOGIT_UNIT;
  readonly #exports: EngineExports;
  #prompt = { address: 0, room: 0 };
  #busy = false;

  readonly #team: Team | null;
  #tools: ToolTable | null;

  private constructor(
    image: Image,
    kind: EngineKind,
    { exports }: EngineInstance,
    team: Team | null,
    kernel: KernelName | null,
  ) {
    this.image = image;
    this.kind = kind;
    this.kernel = kernel;
    this.#exports = exports;
    this.#team = team;
    this.#tools = image.assistant?.tools ?? null;
  }

  /** What an assistant can call; null: nothing, or the model is none. */
  get tools(): ToolTable | null {
    return this.#tools;
  }

  /** Another table for an assistant, between answers: what was said before is forgotten. @throws TritkitError E_NOT_ASSISTANT, E_TOOLS_TOO_LARGE, E_BUSY */
  setTools(tools: ToolTable): void {
    if (this.#busy) throw busy();
    useTools(this.#exports, this.image, tools);
    this.#tools = tools;
  }

  /** @throws TritkitError E_IMAGE_*, E_NO_MEMORY, E_THREADS, E_INTERRUPTED */
  static open(bytes: Uint8Array, options: OpenOptions = {}): Promise<Engine> {
    return Engine.#open(inMemory(bytes), null, options);
  }

  /**
   * The same from a file, of any size: it is read in pieces.
   * @throws TritkitError as open; Node's errors for a file that cannot be read
   */
  static async openFile(path: string, options: OpenOptions = {}): Promise<Engine> {
    const file = new FilePositions(path);
    try {
      return await Engine.#open(file, path, options);
    } finally {
      file.close();
    }
  }

  static async #open(file: Positions, path: string | null, options: OpenOptions): Promise<Engine> {
    const engine = await Engine.#opened(file, path, options);
    try {
      if (options.tools !== undefined) engine.setTools(options.tools);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  static async #opened(file: Positions, path: string | null, options: OpenOptions): Promise<Engine> {
    const { engine = "simd" } = options;
    const image = describedBy(file);
    const asked = options.context ?? 0;
    const context = typeof asked === "number" ? asked : asked(image.config);
    const instance = await instantiate({ wide: engine === "simd" && image.header.imageBytes >= LARGE_BYTES });
    if (engine === "simd") return Engine.#openSimd(instance, file, path, image, context, options);
    checkDigests({ size: image.header.imageBytes, read: file.read.bind(file) }, image.header.digestOffset);
    const { exports } = instance;
    const address = place(exports, image.bytes);
    opened(exports.open(address, image.header.imageBytes, context, ENGINE_KINDS[engine]), exports);
    return new Engine(image, engine, instance, null, null);
  }

  static async #openSimd(
    instance: EngineInstance,
    file: Positions,
    path: string | null,
    image: Image,
    context: number,
    options: OpenOptions,
  ): Promise<Engine> {
    const { exports } = instance;
    const { imageBytes } = image.header;
    const threads = options.threads ?? (imageBytes >= LARGE_BYTES ? defaultThreads() : 1);
    if (!Number.isInteger(threads) || threads < 1 || threads > THREADS_MAX)
      throw new TritkitError("E_USAGE", `The engine runs with 1 to ${THREADS_MAX} threads.`, "", EXIT_USAGE);
    const kernel = await chooseKernel(instance, imageBytes >= LARGE_BYTES, options.kernel);
    const team = await Team.start(instance, threads);
    try {
      exports.use_kernel(kernelNumber(kernel));
      const skeleton = skeletonOf(file, image);
      const address = place(exports, skeleton, imageBytes);
      // The module finds the trailer where the image ends; this memory is used again right after.
      new Uint8Array(exports.memory.buffer, address + imageBytes - TRAILER_BYTES, TRAILER_BYTES).set(
        file.read(imageBytes - TRAILER_BYTES, TRAILER_BYTES),
      );
      opened(exports.open_streamed(address, imageBytes, skeleton.length, context), exports);
      const made = { build: instance.build.digest, kernel, bytes: exports.weights_size() >>> 0 };
      const cached = options.cache && path !== null ? cachePath(path, kernel) : null;
      const key = cacheKey(file, image, skeleton, made);
      if (cached === null || !(await readCache(cached, key, exports, options))) {
        await streamWeights(exports, file, image, true, options);
        if (cached !== null)
          await writeCache(cached, key, exports, options.signal).catch((error: unknown) => {
            throwIfAborted(options.signal);
            options.onNote?.(`The repacked weights were not kept: ${(error as Error).message}.`);
          });
      }
      team.check();
      return new Engine(image, "simd", instance, team, kernel);
    } catch (error) {
      await team.close();
      throw error;
    }
  }

  /** Threads that compute. */
  get threads(): number {
    return this.#team?.size ?? 1;
  }

  /** "simd, kernel A3, 2 threads" */
  get label(): string {
    if (this.kernel === null) return this.kind;
    return `${this.kind}, kernel ${this.kernel.toUpperCase()}, ${this.threads === 1 ? "1 thread" : `${this.threads} threads`}`;
  }

  /** Ends the engine's threads; it goes on with one. Without threads there is nothing to end. */
  async close(): Promise<void> {
    await this.#team?.close();
  }

  get name(): string {
    return this.image.header.name;
  }

  get config(): Image["config"] {
    return this.image.config;
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
    const out = Math.ceil((from + bytes.length) / 4) * 4;
    const count = this.#exports.text_encode(from, bytes.length, out, bytes.length + 1);
    if (count < 0) {
      throw new TritkitError("E_TEXT_TOO_LONG", "The text has a word that is too long.", "Encode it in pieces.");
    }
    return Array.from(new Uint32Array(this.#exports.memory.buffer, out, count));
  }

  /** Bytes of a token's text; none for a special token. */
  tokenBytes(id: number): Uint8Array {
    const address = this.#exports.token_text(id) >>> 0;
    return new Uint8Array(this.#exports.memory.buffer, address, this.#exports.token_text_len(id)).slice();
  }

  /**
   * One position: logits of the next token, (vocab_size) in 1/65536.
   * @param position must follow the ones computed before; 0 begins anew. Disturbs a conversation that `generate` keeps.
   * @returns a view that the next call overwrites
   */
  forward(token: number, position: number): Int32Array {
    const address = this.#exports.forward(token, position, 1) >>> 0;
    return new Int32Array(this.#exports.memory.buffer, address, this.image.config.vocabSize);
  }

  /** Positions that are computed together at best (forwardAll). */
  get batch(): number {
    return this.kind === "simd" ? BATCH : 1;
  }

  /**
   * Several positions at once, at most `batch`: logits behind each of them, (tokens, vocab_size). Otherwise as forward.
   */
  async forwardAll(tokens: readonly number[], position: number): Promise<Int32Array> {
    const engine = this.#exports;
    const { vocabSize } = this.image.config;
    const ids = Uint32Array.from(tokens);
    if (engine.forward_batch(this.#text(new Uint8Array(ids.buffer)), tokens.length, position) === 0)
      throw new RangeError("no such batch of positions");
    const all = new Int32Array(tokens.length * vocabSize);
    for (let i = 0; i < tokens.length; i++)
      all.set(new Int32Array(engine.memory.buffer, engine.logits_of(i) >>> 0, vocabSize), i * vocabSize);
    return all;
  }

  /**
   * An answer. An abort is no error: the answer ends with stop "stopped".
   * @throws TritkitError E_PROMPT_TOO_LONG, E_USAGE, E_BUSY
   */
  async generate(prompt: string | Uint8Array, options: GenerateOptions = {}): Promise<Answer> {
    const { signal } = options;
    const engine = this.#exports;
    if (this.#busy) throw busy();
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
        engine.calls_rehearse();
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
    this.#team?.check();
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
      ...assistantPart(engine, joiner.tokenIds, this.#tools),
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

function busy(): TritkitError {
  return new TritkitError("E_BUSY", "The engine answers another prompt.", "Open a second engine.");
}

/**
 * What the image says of itself. A damaged image is called damaged, whatever nonsense it says.
 * @throws TritkitError E_IMAGE_*
 */
function describedBy(file: Positions): Image {
  try {
    return readImage(file, { verify: false });
  } catch (error) {
    readImage(file);
    throw error;
  }
}

/** @throws TritkitError when the module refused the image, or its texts */
function opened(error: number, exports: EngineExports): void {
  if (error !== 0) throw imageErrorOf(error);
  const tokenizer = exports.gen_reset();
  if (tokenizer !== 0) throw imageErrorOf(tokenizer);
}

/** A logit as the engine gives it -> its value. */
export const LOGIT_UNIT = 2 ** -LOGIT_FRAC;
