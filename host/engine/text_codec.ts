// A tokenizer without a model: text to ids and ids to bytes, by the device's own code (as/tokenizer.ts).
import { loadWasmSync } from "../assets.ts";
import { TritkitError } from "../errors.ts";
import { imageErrorOf } from "../image/errors.ts";
import { encodeTokenizer, type Tokenizer } from "../image/tokenizer.ts";
import { modelText } from "./model_text.ts";

interface TokenizerExports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  tokenizer_open(section: number, bytes: number, vocabSize: number): number;
  scratch_bytes(len: number): number;
  text_ids(text: number, len: number, scratch: number, out: number): number;
  token_text(id: number): number;
  token_text_len(id: number): number;
}

let compiled: WebAssembly.Module | null = null;

export class TextCodec {
  readonly vocabSize: number;
  readonly #exports: TokenizerExports;
  readonly #flags: number;
  #room = { address: 0, bytes: 0 };

  /** @throws TritkitError E_IMAGE_TOKENIZER, E_IMAGE_UNSUPPORTED, E_NO_MEMORY */
  constructor(tokenizer: Tokenizer) {
    compiled ??= new WebAssembly.Module(loadWasmSync("tokenizer.wasm"));
    this.#exports = new WebAssembly.Instance(compiled, {}).exports as unknown as TokenizerExports;
    this.vocabSize = tokenizer.tokens.length;
    this.#flags = tokenizer.flags;
    const section = encodeTokenizer(tokenizer);
    const address = this.#reserve(section.length);
    new Uint8Array(this.#exports.memory.buffer).set(section, address);
    const error = this.#exports.tokenizer_open(address, section.length, this.vocabSize);
    if (error !== 0) throw imageErrorOf(error);
  }

  /** Ids of a text, without BOS and template. Special tokens are never made from it. */
  encode(text: string | Uint8Array): number[] {
    const bytes = modelText(this.#flags, text);
    const scratch = this.#exports.scratch_bytes(bytes.length);
    const out = 4 * (bytes.length + 1);
    const at = this.#buffer(scratch + out + bytes.length);
    const from = at + scratch + out;
    new Uint8Array(this.#exports.memory.buffer).set(bytes, from);
    const count = this.#exports.text_ids(from, bytes.length, at, at + scratch);
    return Array.from(new Uint32Array(this.#exports.memory.buffer, at + scratch, count));
  }

  /** Bytes of a token's text; none for a special token. */
  tokenBytes(id: number): Uint8Array {
    const address = this.#exports.token_text(id);
    return new Uint8Array(this.#exports.memory.buffer, address, this.#exports.token_text_len(id)).slice();
  }

  #buffer(bytes: number): number {
    if (this.#room.bytes < bytes) this.#room = { address: this.#reserve(2 * bytes), bytes: 2 * bytes };
    return this.#room.address;
  }

  #reserve(bytes: number): number {
    const address = this.#exports.reserve(bytes);
    if (address === 0) throw new TritkitError("E_NO_MEMORY", "The tokenizer does not fit into memory.");
    return address;
  }
}
