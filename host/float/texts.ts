/**
 * Texts and draws of the float engine, made by the core's own tokenizer and sampler: an instance of the engine build that holds no weights
 * (as/engine_float.ts). Logits go in rounded to 1/65536, so that a seed means the same draw as on every other engine.
 */
import { CHAT_TEXT, NONE_ID, TAB_EXP2, TAB_SIGMOID } from "../../spec/image.ts";
import { LOGIT_FRAC } from "../../spec/numerics.ts";
import { tablesSection } from "../convert/tables.ts";
import { type EngineExports, engineInstance, place } from "../engine/module.ts";
import { TritkitError } from "../errors.ts";
import type { SamplerIntegers } from "../generation.ts";
import { type Chat, type ChatItem, encodeChat, type JoinedText } from "../image/chat.ts";
import { imageErrorOf } from "../image/errors.ts";
import { encodeTokenizer, type Tokenizer } from "../image/tokenizer.ts";

/** Buffers grow in such steps. */
const STEP = 65536;
/** as/tokenizer/encode.ts: 16 bytes of scratch for each byte of a word and one more, and the text that is joined with a space or literals; a word may be all of it. */
const SCRATCH_PER_BYTE = 17;
const SCRATCH_MORE = 64;
/** The sampler looks back so far (spec/NUMERICS.md, Sampler 1). */
const PENALISED = 64;
const I32_MAX = 2 ** 31 - 1;

export class Texts {
  readonly #exports: EngineExports;
  readonly #vocabSize: number;
  readonly #fixed: { exp2: number; order: number; logits: number; history: number };
  #room = { address: 0, bytes: 0 };

  private constructor(exports: EngineExports, vocabSize: number) {
    this.#exports = exports;
    this.#vocabSize = vocabSize;
    const exp2 = tablesSection(new Float64Array(1)).subarray(TAB_EXP2, TAB_SIGMOID);
    const bytes = vocabSize * 4;
    const address = place(exports, exp2, exp2.length + 2 * bytes + PENALISED * 4);
    const order = address + exp2.length;
    this.#fixed = { exp2: address, order, logits: order + bytes, history: order + 2 * bytes };
  }

  /** @throws TritkitError E_IMAGE_TOKENIZER, E_IMAGE_UNSUPPORTED for one that the core does not speak */
  static async open(tokenizer: Tokenizer, chat: Chat | null): Promise<Texts> {
    const exports = await engineInstance();
    const vocabSize = tokenizer.tokens.length;
    const section = encodeTokenizer(tokenizer);
    const template = chat === null ? new Uint8Array() : encodeChat(chat);
    const at = place(exports, section);
    const chatAt = chat === null ? 0 : place(exports, template);
    const code = exports.texts_open(at, section.length, chatAt, template.length, vocabSize);
    if (code !== 0) throw imageErrorOf(code);
    return new Texts(exports, vocabSize);
  }

  /** Ids of a text, without BOS and template. */
  encode(text: string | Uint8Array): number[] {
    const bytes = bytesOf(text);
    const { from, out, room } = this.#place(bytes, BOS_AND_TEXT);
    return this.#ids(out, this.#exports.text_encode(from, bytes.length, out, room));
  }

  /**
   * Ids of a turn, with its template or BOS.
   * @param first whether it opens a context
   * @param bos -1: none
   */
  turn(first: boolean, bos: number, text: string | Uint8Array, chat: Chat | null): number[] {
    const bytes = bytesOf(text);
    const { from, out, room } = this.#place(bytes, chat === null ? BOS_AND_TEXT : first ? chat.first : chat.next);
    const count = this.#exports.texts_turn(Number(first), bos >= 0 ? bos : NONE_ID, from, bytes.length, out, room);
    return this.#ids(out, count);
  }

  /** Bytes of a token's text; none for a special token. */
  tokenBytes(id: number): Uint8Array {
    const address = this.#exports.token_text(id);
    return new Uint8Array(this.#exports.memory.buffer, address, this.#exports.token_text_len(id)).slice();
  }

  beginSampling({ temp, topk, topp, rep, seed }: SamplerIntegers): void {
    const { exp2, order } = this.#fixed;
    this.#exports.texts_sampler(this.#vocabSize, exp2, order, this.#vocabSize * 4, temp, topk, topp, rep, seed);
  }

  /** The next id after `context`, of which the last ones are penalised. */
  sample(values: Float64Array, context: readonly number[]): number {
    const { logits, history } = this.#fixed;
    const { buffer } = this.#exports.memory;
    const units = new Int32Array(buffer, logits, this.#vocabSize);
    for (let id = 0; id < units.length; id++)
      units[id] = Math.max(-I32_MAX - 1, Math.min(I32_MAX, Math.round(values[id] * 2 ** LOGIT_FRAC)));
    const last = context.slice(-PENALISED);
    new Uint32Array(buffer, history, PENALISED).set(last);
    return this.#exports.texts_sample(logits, history, last.length);
  }

  /** The text in the instance's memory, room for its ids behind it and scratch behind them. */
  #place(bytes: Uint8Array, turn: readonly ChatItem[]): { from: number; out: number; room: number } {
    const text = (bytes.length + 3) & ~3;
    // Each byte is at most one token, and so is the space before a text.
    const longest = turn.map((item) => bytes.length + 1 + (typeof item === "number" ? 0 : literalBytes(item)));
    const room = longest.reduce((sum, length) => sum + length, 0);
    const scratch = Math.max(...longest, 0) * SCRATCH_PER_BYTE + SCRATCH_MORE;
    const wanted = text + room * 4 + scratch;
    if (this.#room.bytes < wanted) {
      // The old buffer is lost to the instance: doubling bounds what is lost by what is used.
      const size = Math.max(Math.ceil(wanted / STEP) * STEP, 2 * this.#room.bytes);
      this.#room = { address: place(this.#exports, new Uint8Array(), size), bytes: size };
    }
    const from = this.#room.address;
    const out = from + text;
    new Uint8Array(this.#exports.memory.buffer, from, bytes.length).set(bytes);
    this.#exports.texts_scratch(out + room * 4, scratch);
    return { from, out, room };
  }

  #ids(out: number, count: number): number[] {
    if (count < 0)
      throw new TritkitError("E_TEXT_TOO_LONG", "The text has a word that is too long.", "Encode it in pieces.");
    return Array.from(new Uint32Array(this.#exports.memory.buffer, out, count));
  }
}

/** What text without a template becomes at most. */
const BOS_AND_TEXT: readonly ChatItem[] = [0, CHAT_TEXT];

function literalBytes({ before, after }: JoinedText): number {
  return Buffer.byteLength(before) + Buffer.byteLength(after);
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? Buffer.from(text, "utf8") : text;
}
