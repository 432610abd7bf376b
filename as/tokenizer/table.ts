/**
 * The TOKENIZER section (spec/IMAGE.md): checked once when a model is opened, read in place from then on.
 *
 * An image may lie. After tokenizer_open() has returned 0, every address below lies inside the section, every id is below
 * vocab_size or NO_ID, and both searched tables are in ascending order; nothing behind this file checks again.
 */
import {
  IMAGE_BAD_TOKENIZER,
  IMAGE_OK,
  IMAGE_UNSUPPORTED,
  NONE_ID,
  PRE_BYTES,
  PRE_NONE,
  PRE_SENTENCEPIECE,
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
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
  TOK_TYPES,
  TOK_UNK,
  TOK_VOCAB,
  TOK_WIDTH,
} from "../../spec/image.ts";
import { VOCAB_MAX } from "../../spec/numerics.ts";

/** "No id", as a u32. */
export const NO_ID: u32 = <u32>NONE_ID;
/** The rank of a pair that is not in the merge table. */
export const NO_RANK: u32 = 0xffffffff;

@unmanaged
export class Tokenizer {
  kind: u32 = 0;
  flags: u32 = 0;
  pre: u32 = 0;
  /** 0: no tokenizer is open. */
  vocab_size: u32 = 0;
  n_merges: u32 = 0;
  /** Bytes of an id in merges and sorted: 2 or 4. */
  width: u32 = 0;
  unk: u32 = 0;
  n_sorted: u32 = 0;
  /** Addresses. starts: u32[vocab_size + 1], text: u8[], types: u8[vocab_size], byte_ids: u32[256]. */
  starts: usize = 0;
  text: usize = 0;
  types: usize = 0;
  byte_ids: usize = 0;
  /** {left, right, result, rank}[n_merges], each `width` bytes. */
  merges: usize = 0;
  /** Ids, `width` bytes each: [n_sorted]. */
  sorted: usize = 0;
}

export const tokenizer = changetype<Tokenizer>(memory.data(offsetof<Tokenizer>(), 8));

/** Forgets the table: no text becomes tokens, no token has text. */
export function tokenizer_close(): void {
  tokenizer.vocab_size = 0;
}

/**
 * Opens the section at `base` (4-byte aligned, readable for as long as the model is open).
 * @param vocab_size of the model's configuration: the section must agree
 * @returns 0, IMAGE_BAD_TOKENIZER or IMAGE_UNSUPPORTED; after an error no tokenizer is open
 */
export function tokenizer_open(base: usize, bytes: u32, vocab_size: u32): i32 {
  const t = tokenizer;
  tokenizer_close();
  if (bytes < <u32>TOK_HEADER_BYTES) return IMAGE_BAD_TOKENIZER;
  t.kind = load<u32>(base, TOK_KIND);
  t.flags = load<u32>(base, TOK_FLAGS);
  t.pre = load<u32>(base, TOK_PRE);
  t.n_merges = load<u32>(base, TOK_N_MERGES);
  t.width = load<u32>(base, TOK_WIDTH);
  t.unk = load<u32>(base, TOK_UNK);
  if (t.kind != TOK_BYTE_LEVEL && t.kind != TOK_SENTENCEPIECE) return IMAGE_UNSUPPORTED;
  if (t.pre != PRE_NONE && t.pre != PRE_SENTENCEPIECE && t.pre != PRE_BYTES) return IMAGE_UNSUPPORTED;
  if (load<u32>(base, TOK_VOCAB) != vocab_size || vocab_size > <u32>VOCAB_MAX) return IMAGE_BAD_TOKENIZER;
  if (t.width != 4 && (t.width != 2 || vocab_size > 65536)) return IMAGE_BAD_TOKENIZER;
  if (!is_id(t.unk, vocab_size)) return IMAGE_BAD_TOKENIZER;

  t.starts = part(base, bytes, TOK_STARTS, <u64>(vocab_size + 1) * 4);
  t.types = part(base, bytes, TOK_TYPES, vocab_size);
  t.byte_ids = part(base, bytes, TOK_BYTE_IDS, 1024);
  t.merges = part(base, bytes, TOK_MERGES, <u64>t.n_merges * 4 * t.width);
  if (t.starts == 0 || t.types == 0 || t.byte_ids == 0 || t.merges == 0) return IMAGE_BAD_TOKENIZER;
  t.text = part(base, bytes, TOK_BYTES, load<u32>(t.starts + ((<usize>vocab_size) << 2)));
  if (t.text == 0) return IMAGE_BAD_TOKENIZER;

  if (!tokens_are_sound(vocab_size, load<u32>(base, TOK_LONGEST))) return IMAGE_BAD_TOKENIZER;
  if (!merges_are_sound(vocab_size)) return IMAGE_BAD_TOKENIZER;
  for (let b: usize = 0; b < 256; b++)
    if (!is_id(load<u32>(t.byte_ids + (b << 2)), vocab_size)) return IMAGE_BAD_TOKENIZER;
  if (t.kind == TOK_SENTENCEPIECE) {
    t.sorted = part(base, bytes, TOK_SORTED, <u64>t.n_sorted * t.width);
    if (t.sorted == 0 || !sorted_is_sound(vocab_size)) return IMAGE_BAD_TOKENIZER;
  }
  t.vocab_size = vocab_size;
  return IMAGE_OK;
}

/** Address of the part whose offset stands at `field` of the header, or 0 when its `size` bytes do not lie in the section. */
function part(base: usize, bytes: u32, field: usize, size: u64): usize {
  const offset = load<u32>(base + field);
  if ((offset & 3) != 0 || offset < <u32>TOK_HEADER_BYTES || <u64>offset + size > <u64>bytes) return 0;
  return base + <usize>offset;
}

@inline
function is_id(id: u32, vocab_size: u32): bool {
  return id < vocab_size || id == NO_ID;
}

/** Token texts follow one another, none is longer than said, types are known. Counts the text tokens. */
function tokens_are_sound(vocab_size: u32, longest: u32): bool {
  const t = tokenizer;
  let texts: u32 = 0;
  let start = load<u32>(t.starts);
  for (let id: u32 = 0; id < vocab_size; id++) {
    const end = load<u32>(t.starts + ((<usize>id) << 2), 4);
    if (end < start || end - start > longest) return false;
    const type = <u32>load<u8>(t.types + <usize>id);
    if (type > <u32>TOK_TYPE_UNUSED) return false;
    if (type == TOK_TYPE_TEXT) texts++;
    start = end;
  }
  t.n_sorted = texts;
  return true;
}

/** Ids exist, pairs ascend (so that none occurs twice). */
function merges_are_sound(vocab_size: u32): bool {
  const count = tokenizer.n_merges;
  let before: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const left = merge_field(i, 0);
    const right = merge_field(i, 1);
    if (left >= vocab_size || right >= vocab_size || merge_field(i, 2) >= vocab_size) return false;
    const pair = ((<u64>left) << 32) | right;
    if (i > 0 && pair <= before) return false;
    before = pair;
  }
  return true;
}

/** Ids exist, texts ascend. */
function sorted_is_sound(vocab_size: u32): bool {
  const count = tokenizer.n_sorted;
  for (let i: u32 = 0; i < count; i++) {
    const id = sorted_id(i);
    if (id >= vocab_size) return false;
    if (i == 0) continue;
    const before = sorted_id(i - 1);
    if (compare(token_start(before), token_bytes(before), token_start(id), token_bytes(id)) > 0) return false;
  }
  return true;
}

/** Field 0 left, 1 right, 2 result, 3 rank of merge i. */
@inline
function merge_field(i: u32, field: u32): u32 {
  const at = ((<usize>i) << 2) + <usize>field;
  return tokenizer.width == 2 ? <u32>load<u16>(tokenizer.merges + (at << 1)) : load<u32>(tokenizer.merges + (at << 2));
}

@inline
function sorted_id(i: u32): u32 {
  const at = tokenizer.sorted;
  return tokenizer.width == 2 ? <u32>load<u16>(at + ((<usize>i) << 1)) : load<u32>(at + ((<usize>i) << 2));
}

/** Address of the first byte of a token's text, specials included. */
@inline
export function token_start(id: u32): usize {
  return tokenizer.text + <usize>load<u32>(tokenizer.starts + ((<usize>id) << 2));
}

/** Bytes of a token's text, specials included. */
@inline
export function token_bytes(id: u32): u32 {
  const at = tokenizer.starts + ((<usize>id) << 2);
  return load<u32>(at, 4) - load<u32>(at);
}

@inline
export function token_type(id: u32): u32 {
  return <u32>load<u8>(tokenizer.types + <usize>id);
}

@inline
export function byte_id(byte: u32): u32 {
  return load<u32>(tokenizer.byte_ids + ((<usize>byte) << 2));
}

/** Index of the pair in the merge table, or -1. A merge into a special token counts as absent: text never makes one. */
export function find_merge(left: u32, right: u32): i32 {
  const wanted = ((<u64>left) << 32) | right;
  let low: u32 = 0;
  let high = tokenizer.n_merges;
  while (low < high) {
    const middle = (low + high) >> 1;
    const pair = ((<u64>merge_field(middle, 0)) << 32) | merge_field(middle, 1);
    if (pair == wanted) return token_type(merge_field(middle, 2)) == TOK_TYPE_SPECIAL ? -1 : <i32>middle;
    if (pair < wanted) low = middle + 1;
    else high = middle;
  }
  return -1;
}

@inline
export function merge_result(merge: i32): u32 {
  return merge_field(<u32>merge, 2);
}

@inline
export function merge_rank(merge: i32): u32 {
  return merge_field(<u32>merge, 3);
}

/** The text token (kind 2) that reads exactly so, or NO_ID. */
export function find_text(at: usize, bytes: u32): u32 {
  let low: u32 = 0;
  let high = tokenizer.n_sorted;
  while (low < high) {
    const middle = (low + high) >> 1;
    const id = sorted_id(middle);
    const order = compare(token_start(id), token_bytes(id), at, bytes);
    if (order == 0) return token_type(id) == TOK_TYPE_TEXT ? id : NO_ID;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NO_ID;
}

/** memcmp, and of two texts that agree the shorter first: negative, 0 or positive. */
function compare(a: usize, a_bytes: u32, b: usize, b_bytes: u32): i32 {
  const both = <usize>min(a_bytes, b_bytes);
  for (let i: usize = 0; i < both; i++) {
    const difference = <i32>load<u8>(a + i) - <i32>load<u8>(b + i);
    if (difference != 0) return difference;
  }
  return a_bytes == b_bytes ? 0 : a_bytes < b_bytes ? -1 : 1;
}
