/** The TOKENIZER section of spec/IMAGE.md: written from and read back into one plain description. */
import {
  CLASS_BYTES,
  NONE_ID,
  PRE_DIGITS,
  PRE_GPT2,
  TOK_ADDED,
  TOK_BYTE_IDS,
  TOK_BYTE_LEVEL,
  TOK_BYTES,
  TOK_CLASSES,
  TOK_FLAGS,
  TOK_HEADER_BYTES,
  TOK_IGNORE_MERGES,
  TOK_KIND,
  TOK_LONGEST,
  TOK_MERGES,
  TOK_N_MERGES,
  TOK_PRE,
  TOK_SORTED,
  TOK_STARTS,
  TOK_TYPE_ADDED,
  TOK_TYPE_TEXT,
  TOK_TYPES,
  TOK_UNIGRAM,
  TOK_UNK,
  TOK_VOCAB,
  TOK_WIDTH,
} from "../../spec/image.ts";
import { VOCAB_MAX } from "../../spec/numerics.ts";
import { encodeClasses } from "./classes.ts";
import { imageError } from "./errors.ts";

export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
  /** Lower merges first. */
  readonly rank: number;
}

export interface Tokenizer {
  /** TOK_BYTE_LEVEL, TOK_SENTENCEPIECE or TOK_UNIGRAM. */
  readonly kind: number;
  /** TOK_ADD_SPACE_PREFIX and its like, together. */
  readonly flags: number;
  /** PRE_*. */
  readonly pre: number;
  /** Raw bytes of every token, (vocab_size). */
  readonly tokens: readonly Uint8Array[];
  /** TOK_TYPE_* of every token, (vocab_size). */
  readonly types: Uint8Array;
  /** Ascending by (left, right). */
  readonly merges: readonly Merge[];
  /** Id of each single byte, -1 for none, (256). */
  readonly byteIds: Int32Array;
  /** Id of what cannot be said, -1 for none. */
  readonly unk: number;
  /** Kind TOK_UNIGRAM: -log probability of every token in 2^-SCORE_FRAC, that of the unknown one included, (vocab_size). */
  readonly costs?: Uint32Array;
}

const WIDE_FROM = 65536;
const BYTES = 256;

export function encodeTokenizer(tokenizer: Tokenizer): Uint8Array {
  const { tokens, costs } = tokenizer;
  const merges = [...tokenizer.merges].sort((a, b) => a.left - b.left || a.right - b.right);
  const ranks = merges.reduce((most, { rank }) => Math.max(most, rank + 1), merges.length);
  const width = tokens.length < WIDE_FROM && ranks < WIDE_FROM ? 2 : 4;
  const starts = new Uint32Array(tokens.length + 1);
  for (const [id, token] of tokens.entries()) starts[id + 1] = starts[id] + token.length;
  const texts = new Uint8Array(starts[tokens.length]);
  for (const [id, token] of tokens.entries()) texts.set(token, starts[id]);
  const records = merges.flatMap(({ left, right, result, rank }) => [left, right, result, rank]);
  const added = addedIds(tokenizer);

  const parts: [field: number, part: Uint8Array][] = [
    [TOK_STARTS, words(starts, 4)],
    [TOK_BYTES, texts],
    [TOK_TYPES, tokenizer.types],
    [TOK_MERGES, costs ? words(costs, 4) : words(records, width)],
    [TOK_BYTE_IDS, words(tokenizer.byteIds, 4)],
    [TOK_SORTED, words(hasSorted(tokenizer) ? sortedIds(tokenizer) : [], width)],
  ];
  if (tokenizer.pre >= PRE_GPT2) parts.push([TOK_CLASSES, encodeClasses()]);
  if (added.length > 0) parts.push([TOK_ADDED, Buffer.concat([words([added.length], 4), words(added, width)])]);

  const size = parts.reduce((at, [, part]) => align4(at + part.length), TOK_HEADER_BYTES);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  const header: [number, number][] = [
    [TOK_KIND, tokenizer.kind],
    [TOK_FLAGS, tokenizer.flags],
    [TOK_PRE, tokenizer.pre],
    [TOK_VOCAB, tokens.length],
    [TOK_N_MERGES, merges.length],
    [TOK_WIDTH, width],
    [TOK_UNK, tokenizer.unk],
    [TOK_LONGEST, tokens.reduce((longest, token) => Math.max(longest, token.length), 0)],
  ];
  for (const [at, value] of header) view.setUint32(at, value, true);
  let at = TOK_HEADER_BYTES;
  for (const [field, part] of parts) {
    view.setUint32(field, at, true);
    out.set(part, at);
    at = align4(at + part.length);
  }
  return out;
}

/** Little-endian numbers of 2 or 4 bytes; -1 is 0xFFFFFFFF. */
function words(values: ArrayLike<number>, width: number): Uint8Array {
  const out = new Uint8Array(values.length * width);
  const view = new DataView(out.buffer);
  for (let i = 0; i < values.length; i++)
    if (width === 2) view.setUint16(2 * i, values[i], true);
    else view.setUint32(4 * i, values[i], true);
  return out;
}

/** @throws TritkitError E_IMAGE_TOKENIZER, or E_IMAGE_UNSUPPORTED for a kind or pre-tokenizer that we lack */
export function parseTokenizer(section: Uint8Array): Tokenizer {
  const view = new DataView(section.buffer, section.byteOffset, section.length);
  if (section.length < TOK_HEADER_BYTES)
    throw bad(`has ${section.length} bytes, its header alone has ${TOK_HEADER_BYTES}`);
  const word = (at: number) => view.getUint32(at, true);
  const kind = word(TOK_KIND);
  const pre = word(TOK_PRE);
  if (kind < TOK_BYTE_LEVEL || kind > TOK_UNIGRAM)
    throw imageError("E_IMAGE_UNSUPPORTED", `The tokenizer is of kind ${kind}, which this version does not know.`);
  if (pre > PRE_DIGITS)
    throw imageError(
      "E_IMAGE_UNSUPPORTED",
      `The tokenizer cuts words by rule ${pre}, which this version does not know.`,
    );
  const vocabSize = word(TOK_VOCAB);
  const nMerges = word(TOK_N_MERGES);
  const width = word(TOK_WIDTH);
  if (vocabSize > VOCAB_MAX) throw bad(`has ${vocabSize} tokens, at most ${VOCAB_MAX} fit`);
  // Any width that holds the ids is read; what is written is the narrower one.
  if (width !== 4 && (width !== 2 || vocabSize > WIDE_FROM)) throw bad(`has ids of ${width} bytes`);
  /** Offset of a part of `bytes` bytes, checked. */
  const part = (name: string, field: number, bytes: number) => {
    const at = word(field);
    if (at % 4 !== 0 || at < TOK_HEADER_BYTES || at + bytes > section.length)
      throw bad(`has its ${name} outside the section`);
    return at;
  };
  const id = (at: number) => (width === 2 ? view.getUint16(at, true) : view.getUint32(at, true));
  const known = (name: string, value: number) => {
    if (value >= vocabSize) throw bad(`has token ${value} in its ${name}, but only ${vocabSize} tokens`);
    return value;
  };
  const optional = (name: string, value: number) => (value === 0xffffffff ? NONE_ID : known(name, value));

  const startsAt = part("starts", TOK_STARTS, (vocabSize + 1) * 4);
  const textBytes = word(startsAt + vocabSize * 4);
  const bytesAt = part("bytes", TOK_BYTES, textBytes);
  if (word(startsAt) !== 0) throw bad("has starts that do not begin at 0");
  let longest = 0;
  const tokens = Array.from({ length: vocabSize }, (_, i) => {
    const start = word(startsAt + i * 4);
    const end = word(startsAt + i * 4 + 4);
    if (end < start || end > textBytes) throw bad(`has starts that do not ascend at token ${i}`);
    longest = Math.max(longest, end - start);
    return section.subarray(bytesAt + start, bytesAt + end);
  });
  if (word(TOK_LONGEST) !== longest)
    throw bad(`names ${word(TOK_LONGEST)} as its longest token's bytes, not ${longest}`);
  const typesAt = part("types", TOK_TYPES, vocabSize);
  const types = section.subarray(typesAt, typesAt + vocabSize);
  for (const type of types) if (type > TOK_TYPE_ADDED) throw bad(`has a token of type ${type}`);

  const unigram = kind === TOK_UNIGRAM;
  if (unigram && nMerges !== 0) throw bad("has costs and merges");
  const mergesAt = part("merges", TOK_MERGES, unigram ? vocabSize * 4 : nMerges * 4 * width);
  let before = -1;
  const merges = Array.from({ length: nMerges }, (_, i) => {
    const at = mergesAt + i * 4 * width;
    const left = known("merges", id(at));
    const right = known("merges", id(at + width));
    const order = left * vocabSize + right;
    if (order <= before) throw bad(`has merges out of order at ${i}`);
    before = order;
    return { left, right, result: known("merges", id(at + 2 * width)), rank: id(at + 3 * width) };
  });
  const byteIdsAt = part("byte ids", TOK_BYTE_IDS, BYTES * 4);
  const byteIds = Int32Array.from({ length: BYTES }, (_, byte) => optional("byte ids", word(byteIdsAt + byte * 4)));
  const tokenizer: Tokenizer = {
    kind,
    flags: word(TOK_FLAGS),
    pre,
    tokens,
    types,
    merges,
    byteIds,
    unk: optional("header", word(TOK_UNK)),
    ...(unigram ? { costs: Uint32Array.from({ length: vocabSize }, (_, i) => word(mergesAt + i * 4)) } : {}),
  };
  if (hasSorted(tokenizer)) {
    const expected = sortedIds(tokenizer);
    const sortedAt = part("sorted ids", TOK_SORTED, expected.length * width);
    let last = -1;
    for (let i = 0; i < expected.length; i++) {
      const token = known("sorted ids", id(sortedAt + i * width));
      if (types[token] !== TOK_TYPE_TEXT || (last >= 0 && Buffer.compare(tokens[last], tokens[token]) > 0))
        throw bad(`has sorted ids out of order at ${i}`);
      last = token;
    }
  }
  if (pre >= PRE_GPT2) {
    const count = word(part("classes", TOK_CLASSES, 4));
    const at = part("classes", TOK_CLASSES, 4 + count * CLASS_BYTES) + 4;
    for (let i = 0, last = -1; i < count; i++) {
      const entry = word(at + i * CLASS_BYTES - 1) >>> 8;
      if (entry <= last) throw bad(`has classes out of order at ${i}`);
      last = entry;
    }
  }
  const expected = addedIds(tokenizer);
  const addedAt = word(TOK_ADDED) === 0 ? -1 : part("added tokens", TOK_ADDED, 4 + expected.length * width);
  if ((addedAt < 0 ? 0 : word(addedAt)) !== expected.length)
    throw bad(`has not ${expected.length} added tokens listed`);
  for (let i = 0, last = Number.POSITIVE_INFINITY; i < expected.length; i++) {
    const token = known("added tokens", id(addedAt + 4 + i * width));
    const { length } = tokens[token];
    if (types[token] !== TOK_TYPE_ADDED || length === 0 || length > last)
      throw bad(`has added tokens out of order at ${i}`);
    last = length;
  }
  return tokenizer;
}

/** Is there a list of the texts in order? Symbols of characters, unigram pieces and whole words are found in it. */
function hasSorted({ kind, flags }: Tokenizer): boolean {
  return kind !== TOK_BYTE_LEVEL || (flags & TOK_IGNORE_MERGES) !== 0;
}

/** Added tokens, the longest first, equal ones by id. */
function addedIds({ tokens, types }: Tokenizer): number[] {
  return tokens
    .map((_, id) => id)
    .filter((id) => types[id] === TOK_TYPE_ADDED)
    .sort((a, b) => tokens[b].length - tokens[a].length || a - b);
}

/** Text tokens, ascending by bytes, equal ones by id. */
function sortedIds(tokenizer: Tokenizer): number[] {
  const { tokens, types } = tokenizer;
  return tokens
    .map((_, id) => id)
    .filter((id) => types[id] === TOK_TYPE_TEXT)
    .sort((a, b) => Buffer.compare(tokens[a], tokens[b]) || a - b);
}

function align4(offset: number): number {
  return (offset + 3) & ~3;
}

function bad(what: string) {
  return imageError("E_IMAGE_TOKENIZER", `The tokenizer ${what}.`);
}
