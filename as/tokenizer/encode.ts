/**
 * Text to ids: words, symbols, merges (spec/IMAGE.md, "TOKENIZER").
 *
 * Of all adjacent pairs in the merge table the one of the lowest rank goes first, the leftmost among equals. A word may
 * be a whole prompt (SentencePiece), so the pairs stand in a tournament tree: n symbols take O(n log n).
 *
 *     symbol  0   1   2   3   4   5          scratch, u32[4][n]
 *     id     'h' 'e'  ll   .  'o'             id of the symbol that starts here
 *     span    1   1   2   2   1               its length in cells, at its first and its last cell: neighbours of a
 *                                             symbol are one addition away, no links
 *     rank    7  NO   3   .  NO               of the pair (this symbol, the next one)
 *     tree                                    node k holds the better of nodes 2k and 2k+1; node n + i is cell i
 */
import {
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_FUSE_UNK,
  TOK_IGNORE_MERGES,
  TOK_UNIGRAM,
} from "../../spec/image.ts";
import { ids, ids_add } from "./ids.ts";
import { word_end } from "./pretokenize.ts";
import {
  added_end,
  byte_id,
  find_added,
  find_merge,
  find_text,
  merge_rank,
  merge_result,
  NO_ID,
  NO_RANK,
  tokenizer,
} from "./table.ts";
import { decode_at, text_at, text as whole } from "./text.ts";
import { unigram_word } from "./unigram.ts";

/** Bytes of scratch for each byte of the longest word and one more (its bytes are the most symbols it can have). */
export const SCRATCH_BYTES_PER_BYTE: u32 = 16;

/** One word's symbols, in the scratch. */
@unmanaged
class Word {
  n: u32 = 0;
  id: usize = 0;
  span: usize = 0;
  rank: usize = 0;
  tree: usize = 0;
}

const word = changetype<Word>(memory.data(offsetof<Word>(), 8));
/** What ADD_SPACE_PREFIX puts before a text. */
const blank: usize = memory.data<u8>([0x20]);

/**
 * Adds the ids of a text to `ids` (ids.ts). Special tokens are never made from text. An empty text gives nothing, not
 * even the space of ADD_SPACE_PREFIX.
 * @param text `len` bytes, any bytes
 * @param scratch 4-byte aligned
 * @param scratch_bytes a word of scratch_bytes / SCRATCH_BYTES_PER_BYTE bytes or more is too long
 * @returns false when a word was too long: each of its bytes is then counted as a token and none is written
 */
export function encode(text: usize, len: u32, scratch: usize, scratch_bytes: u32): bool {
  if (len == 0) return true;
  if ((tokenizer.flags & TOK_ADD_SPACE_PREFIX) != 0)
    return encode_joined(blank, 1, text, len, blank, 0, scratch, scratch_bytes);
  whole.base = text;
  whole.end = len;
  return encode_whole(scratch, scratch_bytes);
}

/** Likewise for a text between two others, without a space in front: they are joined in the scratch, which has so much less for words. */
export function encode_joined(
  head: usize,
  head_len: u32,
  text: usize,
  len: u32,
  tail: usize,
  tail_len: u32,
  scratch: usize,
  scratch_bytes: u32,
): bool {
  const end = head_len + len + tail_len;
  if (end > scratch_bytes) {
    ids.n += end;
    ids.at = 0;
    return false;
  }
  // At the end of the scratch.
  const room = (scratch_bytes - end) & ~3;
  const at = scratch + <usize>room;
  memory.copy(at, head, <usize>head_len);
  memory.copy(at + <usize>head_len, text, <usize>len);
  memory.copy(at + <usize>(head_len + len), tail, <usize>tail_len);
  whole.base = at;
  whole.end = end;
  return encode_whole(scratch, room);
}

function encode_whole(scratch: usize, scratch_bytes: u32): bool {
  if (tokenizer.vocab_size == 0) return true;
  const end = whole.end;
  let fits = true;
  let from: u32 = 0;
  // Added tokens cut the text first; what lies between two of them is a text of its own.
  for (let i: u32 = 0; i < end; ) {
    const added = find_added(i);
    if (added == NO_ID) {
      i++;
      continue;
    }
    const next = added_end();
    whole.end = i;
    fits = encode_words(from, scratch, scratch_bytes) && fits;
    whole.end = end;
    ids_add(added);
    i = next;
    from = i;
  }
  return encode_words(from, scratch, scratch_bytes) && fits;
}

/** Encodes the text from position i on. */
function encode_words(i: u32, scratch: usize, scratch_bytes: u32): bool {
  const longest = scratch_bytes / SCRATCH_BYTES_PER_BYTE;
  let fits = true;
  while (i < whole.end) {
    const stop = word_end(tokenizer.pre, i);
    if (stop - i >= longest) {
      ids.n += stop - i;
      ids.at = 0;
      fits = false;
    } else encode_word(i, stop, scratch);
    i = stop;
  }
  return fits;
}

function encode_word(i: u32, stop: u32, scratch: usize): void {
  if (tokenizer.kind == TOK_UNIGRAM) return unigram_word(i, stop, scratch);
  if ((tokenizer.flags & TOK_IGNORE_MERGES) != 0) {
    const token = find_text(i, stop);
    if (token != NO_ID) return ids_add(token);
  }
  word.n = 0;
  word.id = scratch;
  if (tokenizer.kind == TOK_BYTE_LEVEL) byte_symbols(i, stop);
  else character_symbols(i, stop);
  merge_word();
}

@inline
function cell(array: usize, i: u32): usize {
  return array + ((<usize>i) << 2);
}

function add_symbol(id: u32): void {
  if (id != NO_ID) store<u32>(cell(word.id, word.n++), id);
}

function byte_symbols(i: u32, end: u32): void {
  for (; i < end; i++) add_symbol(byte_id(text_at(i)));
}

function character_symbols(i: u32, end: u32): void {
  const fallback = (tokenizer.flags & TOK_BYTE_FALLBACK) != 0;
  let after_unknown = false;
  while (i < end) {
    const next = decode_at(i);
    const found = find_text(i, next);
    const unknown = found == NO_ID;
    if (!unknown) add_symbol(found);
    else if (fallback) byte_symbols(i, next);
    else if (!after_unknown || (tokenizer.flags & TOK_FUSE_UNK) == 0) add_symbol(tokenizer.unk);
    after_unknown = unknown;
    i = next;
  }
}

/** Merges the word's symbols and adds what is left to `ids`. */
function merge_word(): void {
  const n = word.n;
  word.span = cell(word.id, n);
  word.rank = cell(word.span, n);
  word.tree = cell(word.rank, n);
  for (let i: u32 = 0; i < n; i++) store<u32>(cell(word.span, i), 1);
  for (let i: u32 = 0; i < n; i++) rank_pair(i);
  for (let node = n; node > 1; ) play(--node);

  while (n > 1) {
    const i = load<u32>(cell(word.tree, 1));
    if (load<u32>(cell(word.rank, i)) == NO_RANK) break;
    const length = load<u32>(cell(word.span, i));
    const j = i + length;
    const merged = length + load<u32>(cell(word.span, j));
    store<u32>(cell(word.id, i), merge_result(pair_at(i)));
    store<u32>(cell(word.span, i), merged);
    store<u32>(cell(word.span, i + merged - 1), merged);
    store<u32>(cell(word.rank, j), NO_RANK);
    replay(j);
    rank_pair(i);
    replay(i);
    if (i > 0) {
      const before = i - load<u32>(cell(word.span, i - 1));
      rank_pair(before);
      replay(before);
    }
  }

  for (let i: u32 = 0; i < n; i += load<u32>(cell(word.span, i))) ids_add(load<u32>(cell(word.id, i)));
}

/** Index in the merge table of the symbol at cell i and the one behind it, or -1. */
function pair_at(i: u32): i32 {
  const next = i + load<u32>(cell(word.span, i));
  return next < word.n ? find_merge(load<u32>(cell(word.id, i)), load<u32>(cell(word.id, next))) : -1;
}

function rank_pair(i: u32): void {
  const merge = pair_at(i);
  store<u32>(cell(word.rank, i), merge < 0 ? NO_RANK : merge_rank(merge));
}

/** The cell that wins below a node. */
@inline
function winner(node: u32): u32 {
  return node >= word.n ? node - word.n : load<u32>(cell(word.tree, node));
}

/** Lets the two halves of a node meet: the lower rank wins, the left cell among equals. */
function play(node: u32): void {
  const a = winner(node << 1);
  const b = winner((node << 1) + 1);
  const rank_a = load<u32>(cell(word.rank, a));
  const rank_b = load<u32>(cell(word.rank, b));
  const b_wins = rank_b < rank_a || (rank_b == rank_a && b < a);
  store<u32>(cell(word.tree, node), b_wins ? b : a);
}

/** Every match of cell i again, up to the root. */
function replay(i: u32): void {
  for (let node = (i + word.n) >> 1; node > 0; node >>= 1) play(node);
}
