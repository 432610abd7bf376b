/**
 * The TOKENIZER section (spec/IMAGE.md): checked once when a model is opened, read in place from then on.
 *
 * An image may lie. After tokenizer_open() has returned 0, every address below lies inside the section, every id is below
 * vocab_size or NO_ID, and both searched tables are in ascending order; nothing behind this file checks again.
 */
import {
  CLASS_BITS,
  CLASS_BYTES,
  CLASS_OTHER,
  IMAGE_BAD_TOKENIZER,
  IMAGE_OK,
  IMAGE_UNSUPPORTED,
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
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPES,
  TOK_UNIGRAM,
  TOK_UNK,
  TOK_VOCAB,
  TOK_WIDTH,
} from "../../spec/image.ts";
import { VOCAB_MAX } from "../../spec/numerics.ts";
import { text, text_at } from "./text.ts";

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
  n_added: u32 = 0;
  n_classes: u32 = 0;
  /** Addresses. starts: u32[vocab_size + 1], texts: u8[], types: u8[vocab_size], byte_ids: u32[256]. */
  starts: usize = 0;
  texts: usize = 0;
  types: usize = 0;
  byte_ids: usize = 0;
  /** {left, right, result, rank}[n_merges], each `width` bytes; of a unigram model u32[vocab_size], the costs. */
  merges: usize = 0;
  /** Ids, `width` bytes each: [n_sorted], [n_added]. */
  sorted: usize = 0;
  added: usize = 0;
  /** First character << CLASS_BITS | class of all up to the next entry, CLASS_BYTES each: [n_classes]. */
  classes: usize = 0;
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
  if (t.kind - TOK_BYTE_LEVEL > <u32>(TOK_UNIGRAM - TOK_BYTE_LEVEL) || t.pre > <u32>PRE_DIGITS)
    return IMAGE_UNSUPPORTED;
  if (load<u32>(base, TOK_VOCAB) != vocab_size || vocab_size > <u32>VOCAB_MAX) return IMAGE_BAD_TOKENIZER;
  if (t.width != 4 && (t.width != 2 || vocab_size > 65536)) return IMAGE_BAD_TOKENIZER;
  if (!is_id(t.unk, vocab_size)) return IMAGE_BAD_TOKENIZER;

  t.starts = part(base, bytes, TOK_STARTS, vocab_size + 1, 4);
  t.types = part(base, bytes, TOK_TYPES, vocab_size, 1);
  t.byte_ids = part(base, bytes, TOK_BYTE_IDS, 256, 4);
  const unigram = t.kind == TOK_UNIGRAM;
  if (unigram && t.n_merges != 0) return IMAGE_BAD_TOKENIZER;
  t.merges = part(base, bytes, TOK_MERGES, unigram ? vocab_size : t.n_merges, unigram ? 4 : 4 * t.width);
  if (t.starts == 0 || t.types == 0 || t.byte_ids == 0 || t.merges == 0) return IMAGE_BAD_TOKENIZER;
  t.texts = part(base, bytes, TOK_BYTES, load<u32>(t.starts + ((<usize>vocab_size) << 2)), 1);
  if (t.texts == 0) return IMAGE_BAD_TOKENIZER;

  if (!tokens_are_sound(vocab_size, load<u32>(base, TOK_LONGEST))) return IMAGE_BAD_TOKENIZER;
  if (!merges_are_sound(vocab_size)) return IMAGE_BAD_TOKENIZER;
  for (let b: usize = 0; b < 256; b++)
    if (!is_id(load<u32>(t.byte_ids + (b << 2)), vocab_size)) return IMAGE_BAD_TOKENIZER;
  if (t.kind != TOK_BYTE_LEVEL || (t.flags & TOK_IGNORE_MERGES) != 0) {
    t.sorted = part(base, bytes, TOK_SORTED, t.n_sorted, t.width);
    if (t.sorted == 0 || !sorted_is_sound(vocab_size)) return IMAGE_BAD_TOKENIZER;
  }
  t.n_classes = 0;
  if (t.pre >= <u32>PRE_GPT2) {
    t.classes = counted(base, bytes, TOK_CLASSES, CLASS_BYTES);
    if (t.classes == 0) return IMAGE_BAD_TOKENIZER;
    t.n_classes = load<u32>(t.classes - 4);
    for (let i: u32 = 1; i < t.n_classes; i++) if (class_entry(i) <= class_entry(i - 1)) return IMAGE_BAD_TOKENIZER;
  }
  t.n_added = 0;
  if (load<u32>(base, TOK_ADDED) != 0) {
    t.added = counted(base, bytes, TOK_ADDED, t.width);
    if (t.added == 0) return IMAGE_BAD_TOKENIZER;
    const n_added = load<u32>(t.added - 4);
    for (let i: u32 = 0; i < n_added; i++) {
      const id = id_at(t.added, i);
      if (id >= vocab_size || token_type(id) != TOK_TYPE_ADDED || token_bytes(id) == 0) return IMAGE_BAD_TOKENIZER;
    }
    t.n_added = n_added;
  }
  t.vocab_size = vocab_size;
  return IMAGE_OK;
}

/** Address of the part whose offset stands at `field` of the header, or 0 when its `count` entries of `each` bytes do not lie in the section. */
function part(base: usize, bytes: u32, field: usize, count: u32, each: u32): usize {
  const offset = load<u32>(base + field);
  if ((offset & 3) != 0 || offset < <u32>TOK_HEADER_BYTES || offset + <u64>count * each > bytes) return 0;
  return base + <usize>offset;
}

/** Likewise for a part that begins with the number of its entries: address of the first one, or 0. */
function counted(base: usize, bytes: u32, field: usize, each: u32): usize {
  const at = part(base, bytes, field, 1, 4);
  return at == 0 ? 0 : part(base + 4, bytes - 4, field - 4, load<u32>(at), each);
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
    if (type > <u32>TOK_TYPE_ADDED) return false;
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

/** Ids exist, are of text, and texts ascend. */
function sorted_is_sound(vocab_size: u32): bool {
  const count = tokenizer.n_sorted;
  for (let i: u32 = 0; i < count; i++) {
    const id = sorted_id(i);
    if (id >= vocab_size || token_type(id) != TOK_TYPE_TEXT) return false;
    if (i == 0) continue;
    const before = sorted_id(i - 1);
    if (compare(token_start(before), token_bytes(before), token_start(id), token_bytes(id)) > 0) return false;
  }
  return true;
}

/** Entry i of a list of ids. */
function id_at(list: usize, i: u32): u32 {
  return tokenizer.width == 2 ? <u32>load<u16>(list + ((<usize>i) << 1)) : load<u32>(list + ((<usize>i) << 2));
}

/** Field 0 left, 1 right, 2 result, 3 rank of merge i. */
@inline
function merge_field(i: u32, field: u32): u32 {
  return id_at(tokenizer.merges, (i << 2) + field);
}

@inline
function sorted_id(i: u32): u32 {
  return id_at(tokenizer.sorted, i);
}

/** Address of the first byte of a token's text, specials included. */
@inline
export function token_start(id: u32): usize {
  return tokenizer.texts + <usize>load<u32>(tokenizer.starts + ((<usize>id) << 2));
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

/**
 * Texts that agree with the text from a position on: a range of `sorted`, which every further byte narrows.
 *
 *     byte 0 is 't'    | the | then | to |        low .. high
 *     byte 1 is 'h'    | the | then |             one that ends here comes first
 */
@unmanaged
class Range {
  low: u32 = 0;
  high: u32 = 0;
  /** Bytes that agree. */
  bytes: u32 = 0;
  /** Behind what was taken last. */
  next: u32 = 0;
}

const range = changetype<Range>(memory.data(offsetof<Range>(), 8));

export function range_begin(): void {
  range.low = 0;
  range.high = tokenizer.n_sorted;
  range.bytes = 0;
}

/** The byte that a token must have for what stands at position i; `range.next` is behind it. SentencePiece spells a space U+2581 and takes one for the other. */
function take(i: u32): u32 {
  let byte = text_at(i++);
  if (
    byte == 0xe2 &&
    tokenizer.kind != TOK_BYTE_LEVEL &&
    i + 1 < text.end &&
    text_at(i) == 0x96 &&
    text_at(i + 1) == 0x81
  ) {
    byte = 0x20;
    i += 2;
  }
  range.next = i;
  return byte;
}

/** Takes what stands at position i; returns the position behind it, 0 when no text goes on so. */
export function range_narrow(i: u32): u32 {
  const byte = take(i);
  range.low = range_bound(byte);
  range.high = range_bound(byte + 1);
  range.bytes++;
  return range.low < range.high ? range.next : 0;
}

/** The first text of the range whose next byte is `byte` or more. */
function range_bound(byte: u32): u32 {
  let low = range.low;
  let high = range.high;
  while (low < high) {
    const middle = (low + high) >> 1;
    const id = sorted_id(middle);
    if (token_bytes(id) <= range.bytes || <u32>load<u8>(token_start(id) + <usize>range.bytes) < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The text token that reads exactly as the bytes taken, or NO_ID. */
export function range_token(): u32 {
  const id = sorted_id(range.low);
  return token_bytes(id) == range.bytes ? id : NO_ID;
}

/** The text token that reads as the text's bytes i .. end, or NO_ID. */
export function find_text(i: u32, end: u32): u32 {
  range_begin();
  while (i < end) {
    i = range_narrow(i);
    if (i == 0) return NO_ID;
  }
  return range_token();
}

/** The longest added token that stands at position i of the text, or NO_ID; added_end() is behind it. */
export function find_added(i: u32): u32 {
  for (let k: u32 = 0; k < tokenizer.n_added; k++) {
    const id = id_at(tokenizer.added, k);
    let at = token_start(id);
    const stop = at + <usize>token_bytes(id);
    range.next = i;
    while (at < stop && range.next < text.end && take(range.next) == <u32>load<u8>(at)) at++;
    if (at == stop) return id;
  }
  return NO_ID;
}

/** The position behind the token that find_added() found. */
export function added_end(): u32 {
  return range.next;
}

@inline
function class_entry(i: u32): u32 {
  const at = tokenizer.classes + <usize>i * CLASS_BYTES;
  return <u32>load<u8>(at) | ((<u32>load<u8>(at, 1)) << 8) | ((<u32>load<u8>(at, 2)) << 16);
}

/** Class of a character, CLASS_*. */
export function class_of(character: u32): u32 {
  const wanted = (character << CLASS_BITS) | ((1 << CLASS_BITS) - 1);
  let low: u32 = 0;
  let high = tokenizer.n_classes;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (class_entry(middle) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low == 0 ? CLASS_OTHER : class_entry(low - 1) & ((1 << CLASS_BITS) - 1);
}

/** memcmp of two tokens, and of two that agree the shorter first. */
function compare(a: usize, a_bytes: u32, b: usize, b_bytes: u32): i32 {
  const both = <usize>min(a_bytes, b_bytes);
  for (let i: usize = 0; i < both; i++) {
    const difference = <i32>load<u8>(a + i) - <i32>load<u8>(b + i);
    if (difference != 0) return difference;
  }
  return a_bytes == b_bytes ? 0 : a_bytes < b_bytes ? -1 : 1;
}
