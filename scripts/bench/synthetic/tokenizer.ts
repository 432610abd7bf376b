/** A byte-level tokenizer that nobody trained, with Llama 3's word rule, as our own record, as tokenizer.json and as GGUF's metadata. */
import { LLAMA3_REGEX } from "../../../host/convert/tokenizer/words.ts";
import type { Merge, Tokenizer } from "../../../host/image/tokenizer.ts";
import {
  NONE_ID,
  PRE_LLAMA3,
  TOK_BYTE_LEVEL,
  TOK_IGNORE_MERGES,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
} from "../../../spec/image.ts";
import { type SyntheticShape, specialCount } from "./shape.ts";

/**
 * 256 bytes, then " a", " b", ... "zz", then words of three letters, and so on until the vocabulary is full, each made of the word before it and one letter; then the
 * specials: begin and end of text first, as in Llama 3's vocabulary.
 */
export function syntheticTokenizer({ vocabSize }: SyntheticShape): Tokenizer {
  const specials = specialCount(vocabSize);
  const words = vocabSize - specials;
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const letters = Array.from({ length: 26 }, (_, i) => 0x61 + i);
  // Words that take another letter, in the order in which they were made.
  const left = [0x20, ...letters];
  const merges: Merge[] = [];
  for (let i = 0; tokens.length < words; i++) {
    const from = left[Math.floor(i / letters.length)];
    const letter = letters[i % letters.length];
    merges.push({ left: from, right: letter, result: tokens.length, rank: i });
    left.push(tokens.length);
    tokens.push(Uint8Array.of(...tokens[from], letter));
  }
  const types = new Uint8Array(vocabSize).fill(TOK_TYPE_TEXT, 0, words).fill(TOK_TYPE_SPECIAL, words);
  for (let i = 0; i < specials; i++) tokens.push(new TextEncoder().encode(specialName(i)));
  merges.sort((a, b) => a.left - b.left || a.right - b.right);
  const byteIds = Int32Array.from({ length: 256 }, (_, byte) => byte);
  return {
    kind: TOK_BYTE_LEVEL,
    flags: TOK_IGNORE_MERGES,
    pre: PRE_LLAMA3,
    tokens,
    types,
    merges,
    byteIds,
    unk: NONE_ID,
  };
}

function specialName(index: number): string {
  return ["<|begin_of_text|>", "<|end_of_text|>"][index] ?? `<|reserved_special_token_${index - 2}|>`;
}

export interface TokenizerTexts {
  /** By id, in GPT-2's alphabet; specials as they are. */
  readonly tokens: string[];
  /** "left right", the first merges first. */
  readonly merges: string[];
  readonly isSpecial: (id: number) => boolean;
}

export function tokenizerTexts(tokenizer: Tokenizer): TokenizerTexts {
  const isSpecial = (id: number) => tokenizer.types[id] === TOK_TYPE_SPECIAL;
  const tokens = tokenizer.tokens.map((bytes, id) =>
    isSpecial(id) ? new TextDecoder().decode(bytes) : Array.from(bytes, (byte) => ALPHABET[byte]).join(""),
  );
  const merges = [...tokenizer.merges]
    .sort((a, b) => a.rank - b.rank)
    .map(({ left, right }) => `${tokens[left]} ${tokens[right]}`);
  return { tokens, merges, isSpecial };
}

/** GPT-2's alphabet (openai/gpt-2, encoder.py, bytes_to_unicode): printable Latin-1 is itself, the others are U+0100 and on. */
const ALPHABET: string[] = [];
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  ALPHABET.push(String.fromCodePoint(printable ? byte : next++));
}

export function tokenizerJson(tokenizer: Tokenizer): string {
  const { tokens, merges, isSpecial } = tokenizerTexts(tokenizer);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => (isSpecial(id) ? [{ id, content, ...flags }] : [])),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: LLAMA3_REGEX }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab: Object.fromEntries(tokens.flatMap((text, id) => (isSpecial(id) ? [] : [[text, id]]))),
      merges,
    },
  });
}
