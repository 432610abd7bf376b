/** The TOKENIZER section of spec/IMAGE.md: written from and read back into one plain description. */
import {
  NONE_ID,
  PRE_BYTES,
  TOK_BYTE_IDS,
  TOK_BYTE_LEVEL,
  TOK_BYTES,
  TOK_FLAGS,
  TOK_HEADER_BYTES,
  TOK_KIND,
  TOK_LONGEST,
  TOK_MERGES,
  TOK_N_MERGES,
  TOK_PRE,
  TOK_SENTENCEPIECE,
  TOK_SORTED,
  TOK_STARTS,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
  TOK_TYPES,
  TOK_UNK,
  TOK_VOCAB,
  TOK_WIDTH,
} from "../../spec/image.ts";
import { VOCAB_MAX } from "../../spec/numerics.ts";
import { imageError } from "./errors.ts";

export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
  /** Lower merges first. */
  readonly rank: number;
}

export interface Tokenizer {
  /** TOK_BYTE_LEVEL or TOK_SENTENCEPIECE. */
  readonly kind: number;
  /** TOK_ADD_SPACE_PREFIX | TOK_BYTE_FALLBACK. */
  readonly flags: number;
  /** PRE_NONE, PRE_SENTENCEPIECE or PRE_BYTES. */
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
}

const WIDE_FROM = 65536;
const BYTES = 256;

export function encodeTokenizer(tokenizer: Tokenizer): Uint8Array {
  const { tokens, merges } = tokenizer;
  const width = tokens.length < WIDE_FROM && merges.length < WIDE_FROM ? 2 : 4;
  const textBytes = tokens.reduce((sum, token) => sum + token.length, 0);
  const sorted = tokenizer.kind === TOK_SENTENCEPIECE ? sortedIds(tokenizer) : [];
  const starts = TOK_HEADER_BYTES;
  const bytes = starts + (tokens.length + 1) * 4;
  const types = align4(bytes + textBytes);
  const mergesAt = align4(types + tokens.length);
  const byteIds = mergesAt + merges.length * 4 * width;
  const sortedAt = byteIds + BYTES * 4;
  const out = new Uint8Array(align4(sortedAt + sorted.length * width));
  const view = new DataView(out.buffer);
  const put = (at: number, id: number) => (width === 2 ? view.setUint16(at, id, true) : view.setUint32(at, id, true));

  const header: [number, number][] = [
    [TOK_KIND, tokenizer.kind],
    [TOK_FLAGS, tokenizer.flags],
    [TOK_PRE, tokenizer.pre],
    [TOK_VOCAB, tokens.length],
    [TOK_N_MERGES, merges.length],
    [TOK_WIDTH, width],
    [TOK_UNK, tokenizer.unk],
    [TOK_LONGEST, tokens.reduce((longest, token) => Math.max(longest, token.length), 0)],
    [TOK_STARTS, starts],
    [TOK_BYTES, bytes],
    [TOK_TYPES, types],
    [TOK_MERGES, mergesAt],
    [TOK_BYTE_IDS, byteIds],
    [TOK_SORTED, sortedAt],
  ];
  for (const [at, value] of header) view.setUint32(at, value, true);
  let start = 0;
  for (const [id, token] of tokens.entries()) {
    view.setUint32(starts + id * 4, start, true);
    out.set(token, bytes + start);
    start += token.length;
  }
  view.setUint32(starts + tokens.length * 4, start, true);
  out.set(tokenizer.types, types);
  const ordered = [...merges].sort((a, b) => a.left - b.left || a.right - b.right);
  for (const [i, merge] of ordered.entries())
    for (const [field, value] of [merge.left, merge.right, merge.result, merge.rank].entries())
      put(mergesAt + (i * 4 + field) * width, value);
  for (const [byte, id] of tokenizer.byteIds.entries()) view.setUint32(byteIds + byte * 4, id, true);
  for (const [i, id] of sorted.entries()) put(sortedAt + i * width, id);
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
  if (kind !== TOK_BYTE_LEVEL && kind !== TOK_SENTENCEPIECE)
    throw imageError("E_IMAGE_UNSUPPORTED", `The tokenizer is of kind ${kind}, which this version does not know.`);
  if (pre > PRE_BYTES)
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
  for (const type of types) if (type > TOK_TYPE_UNUSED) throw bad(`has a token of type ${type}`);

  const mergesAt = part("merges", TOK_MERGES, nMerges * 4 * width);
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
  const tokenizer = {
    kind,
    flags: word(TOK_FLAGS),
    pre,
    tokens,
    types,
    merges,
    byteIds,
    unk: optional("header", word(TOK_UNK)),
  };
  if (kind === TOK_SENTENCEPIECE) {
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
  return tokenizer;
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
