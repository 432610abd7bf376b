/** The engine build in a test of text, one model an instance. */
import * as I from "../../spec/image.ts";
import * as W from "../../spec/wire.ts";
import { engineInstance } from "./load_engine.ts";

export interface Turn {
  keep?: boolean;
  max?: number;
  temp?: number;
  topk?: number;
  topp?: number;
  rep?: number;
  seed?: number;
}

export class TextEngine {
  readonly call: Record<string, (...args: number[]) => number>;
  private readonly memory: WebAssembly.Memory;
  private readonly buffer: number;
  private static readonly BUFFER_BYTES = 1 << 17;

  /** @param engine 0 ref, 1 lut, 2 simd */
  static async open(image: Uint8Array, context: number, engine = 1): Promise<TextEngine> {
    const opened = new TextEngine(await engineInstance());
    const at = opened.call.reserve(image.length);
    opened.bytes().set(image, at);
    const code = opened.call.open(at, image.length, context, engine) || opened.call.gen_reset();
    if (code !== 0) throw new Error(`the image is refused: ${code}`);
    return opened;
  }

  /** A module in which no model is open. */
  static async closed(): Promise<TextEngine> {
    return new TextEngine(await engineInstance());
  }

  private constructor(instance: WebAssembly.Instance) {
    this.call = instance.exports as Record<string, (...args: number[]) => number>;
    this.memory = instance.exports.memory as WebAssembly.Memory;
    this.buffer = this.call.reserve(TextEngine.BUFFER_BYTES);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  begin(text: string | Uint8Array, turn: Turn = {}): number {
    const { keep = false, max = 0, temp = 0, topk = 0, topp = 1000, rep = 1000, seed = 0 } = turn;
    const bytes = Buffer.from(text);
    this.bytes().set(bytes, this.buffer);
    return this.call.gen_begin(Number(keep), this.buffer, bytes.length, max, temp, topk, topp, rep, seed);
  }

  /** Steps until the answer is done or `limit` tokens of it are there; returns its tokens. */
  run(limit = Number.POSITIVE_INFINITY): number[] {
    const tokens: number[] = [];
    while (tokens.length < limit && this.call.gen_state() !== W.GEN_DONE) {
      this.call.gen_step();
      if (this.call.gen_count() > tokens.length) tokens.push(this.call.gen_token(tokens.length) >>> 0);
    }
    return tokens;
  }

  answer(text: string | Uint8Array, turn: Turn = {}): number[] {
    const code = this.begin(text, turn);
    if (code !== 0) throw new Error(`gen_begin: ${code}`);
    return this.run();
  }

  contextIds(): number[] {
    return Array.from({ length: this.call.gen_context_count() }, (_, i) => this.call.gen_context_ids(i) >>> 0);
  }

  encode(text: string | Uint8Array): number[] {
    const bytes = Buffer.from(text);
    this.bytes().set(bytes, this.buffer);
    const room = TextEngine.BUFFER_BYTES / 8;
    const out = this.buffer + TextEngine.BUFFER_BYTES / 2;
    const count = this.call.text_encode(this.buffer, bytes.length, out, room);
    return Array.from(new Uint32Array(this.memory.buffer, out, count));
  }

  /** The joined bytes of tokens, as an answer is streamed. */
  textOf(ids: number[]): Buffer {
    return Buffer.concat(
      ids.map((id) => {
        const at = this.call.token_text(id) >>> 0;
        return this.bytes().slice(at, at + this.call.token_text_len(id));
      }),
    );
  }

  /** The likeliest id behind `ids`, every position computed from 0. */
  greedy(ids: number[], vocabSize: number): number {
    const at = ids.reduce((_, id, position) => this.call.forward(id, position, Number(position === ids.length - 1)), 0);
    const logits = new Int32Array(this.memory.buffer, at, vocabSize);
    return logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
  }
}

const sectionsOf = (view: DataView) =>
  Array.from({ length: view.getUint32(I.HDR_SECTIONS, true) }, (_, i) => I.HDR_TABLE + I.SECTION_ENTRY_BYTES * i);

/** The image with fields of CONFIG changed and, unless `chat`, without its template. */
export function patched(image: Uint8Array, fields: [field: number, value: number][], chat = false): Uint8Array {
  const copy = image.slice();
  const view = new DataView(copy.buffer);
  for (const entry of sectionsOf(view)) {
    const kind = view.getUint16(entry + I.SEC_KIND, true);
    if (kind === I.KIND_CHAT && !chat) view.setUint16(entry + I.SEC_KIND, 0x8000, true);
    if (kind !== I.KIND_CONFIG) continue;
    const config = view.getUint32(entry + I.SEC_OFFSET, true);
    for (const [field, value] of fields) view.setInt32(config + 4 * field, value, true);
  }
  return copy;
}

/** Field of CONFIG. */
export function configOf(image: Uint8Array, field: number): number {
  const view = new DataView(image.buffer, image.byteOffset);
  const [entry] = sectionsOf(view).filter((at) => view.getUint16(at + I.SEC_KIND, true) === I.KIND_CONFIG);
  return view.getInt32(view.getUint32(entry + I.SEC_OFFSET, true) + 4 * field, true);
}
