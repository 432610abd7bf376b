/** The rooms of as/tokenizer compiled alone, with a section at the very end of memory: reading behind it traps. */
import { type AsModule, asModule, FREE } from "./as_module.ts";
import { type TokenizerSpec, tokenizerSection } from "./tokenizer_section.ts";

const PAGES = 64;
const SCRATCH = FREE;
const SCRATCH_BYTES = 1 << 20;
const TEXT = SCRATCH + SCRATCH_BYTES;
const IDS = TEXT + (1 << 18);
const OUT = IDS + (1 << 18);

export interface TokenizerModule {
  as: AsModule;
  /** The code of tokenizer_open() for raw bytes. */
  openSection(section: Uint8Array, vocabSize: number): number;
  open(spec: TokenizerSpec, width: number): void;
  /** null: a word does not fit. `scratchBytes` defaults to 1 MiB; `turn` encodes a turn instead of a text. */
  encode(text: Uint8Array, scratchBytes?: number, turn?: { first: boolean; bos: number }): number[] | null;
  decode(ids: number[]): Uint8Array;
  tokenText(id: number): Uint8Array;
  /** Ids of a counting pass, and the common beginning found by a writing pass over `old`. */
  encodeOver(text: Uint8Array, old: number[]): { counted: number; written: number; same: number };
  openChat(section: Uint8Array, vocabSize: number): number;
  wordEnd(pre: number, text: Uint8Array, at: number): number;
}

export async function tokenizerModule(): Promise<TokenizerModule> {
  const as = await asModule(
    {
      "tokenizer/table.ts": ["tokenizer_open", "tokenizer_close"],
      "tokenizer/pretokenize.ts": ["word_end"],
      "tokenizer/text.ts": ["text"],
      "tokenizer/encode.ts": ["encode"],
      "tokenizer/decode.ts": ["decode", "token_text", "token_text_len"],
      "tokenizer/chat.ts": ["chat_open", "encode_turn"],
      "tokenizer/ids.ts": ["ids", "ids_begin"],
    },
    PAGES,
  );
  const { call, bytes, u32 } = as;
  const list = as.address("ids") / 4;
  const [N, SAME] = [1, 3]; // fields of Ids
  const end = bytes.length;
  const place = (section: Uint8Array) => {
    const at = (end - section.length) & ~3;
    bytes.set(section, at);
    return at;
  };
  const module: TokenizerModule = {
    as,
    openSection: (section, vocabSize) => call.tokenizer_open(place(section), section.length, vocabSize),
    open(spec, width) {
      const code = module.openSection(tokenizerSection(spec, width), spec.tokens.length);
      if (code !== 0) throw new Error(`tokenizer_open: ${code}`);
    },
    encode(text, scratchBytes = SCRATCH_BYTES, turn) {
      bytes.set(text, TEXT);
      call.ids_begin(IDS, 0);
      const fits = turn
        ? call.encode_turn(Number(turn.first), turn.bos, TEXT, text.length, SCRATCH, scratchBytes)
        : call.encode(TEXT, text.length, SCRATCH, scratchBytes);
      return fits ? Array.from(u32.subarray(IDS / 4, IDS / 4 + u32[list + N])) : null;
    },
    decode(ids) {
      u32.set(ids, IDS / 4);
      return bytes.slice(OUT, OUT + call.decode(IDS, ids.length, OUT, 1 << 18));
    },
    tokenText(id) {
      const at = call.token_text(id) >>> 0;
      return bytes.slice(at, at + call.token_text_len(id));
    },
    encodeOver(text, old) {
      bytes.set(text, TEXT);
      call.ids_begin(0, 0);
      call.encode(TEXT, text.length, SCRATCH, SCRATCH_BYTES);
      const counted = u32[list + N];
      u32.set(old, IDS / 4);
      call.ids_begin(IDS, old.length);
      call.encode(TEXT, text.length, SCRATCH, SCRATCH_BYTES);
      return { counted, written: u32[list + N], same: u32[list + SAME] };
    },
    // Not at the end of memory, where the tokenizer stands.
    openChat(section, vocabSize) {
      bytes.set(section, OUT);
      return call.chat_open(OUT, section.length, vocabSize);
    },
    wordEnd(pre, text, at) {
      bytes.set(text, TEXT);
      u32.set([TEXT, text.length], as.address("text") / 4);
      return call.word_end(pre, at);
    },
  };
  return module;
}
