/**
 * The unigram model: of all ways to write a word as pieces the one whose costs (-log probability) have the smallest sum, found from left to right
 * (Viterbi). https://github.com/google/sentencepiece, src/unigram_model.cc, EncodeOptimized.
 *
 *     position    0    1    2   ...  n       scratch, 16 bytes each: the best way to write the word up to here
 *     cost       u64                         in 2^-SCORE_FRAC, NOT_REACHED before a piece ends here
 *     token      u32                         its last piece
 *     from       u32                         where that piece begins; on the way back: where the next one ends
 */
import { TOK_BYTE_FALLBACK, TOK_FLOAT_SUMS, TOK_FUSE_UNK } from "../../spec/image.ts";
import { ids_add } from "./ids.ts";
import { byte_id, NO_ID, range_begin, range_narrow, range_token, tokenizer } from "./table.ts";
import { decode_at, text_at } from "./text.ts";

const NODE_BYTES: usize = 16;
const TOKEN: usize = 8;
const FROM: usize = 12;
const NOT_REACHED: u64 = u64.MAX_VALUE;
/** Significant bits of a float. */
const FLOAT_BITS: u64 = 24;

/**
 * Adds the ids of a word to `ids`.
 * @param scratch (stop - first + 1) * 16 bytes
 */
export function unigram_word(first: u32, stop: u32, scratch: usize): void {
  const nodes = scratch - <usize>first * NODE_BYTES;
  for (let i = first; i <= stop; i++) store<u64>(node(nodes, i), NOT_REACHED);
  store<u64>(scratch, 0);
  for (let i = first; i < stop; ) {
    const next = decode_at(i);
    if (!reach_pieces(nodes, i, next, stop)) reach(nodes, i, next, tokenizer.unk, true);
    i = next;
  }
  // The links lead back; turned round, they lead from piece to piece.
  let end = stop;
  for (let i = stop; i > first; ) {
    const from = load<u32>(node(nodes, i), FROM);
    store<u32>(node(nodes, i), end, FROM);
    end = i;
    i = from;
  }
  let after_unknown = false;
  for (let i = first; i < stop; ) {
    const to = node(nodes, end);
    const token = load<u32>(to, TOKEN);
    const unknown = token == tokenizer.unk;
    if (unknown && (tokenizer.flags & TOK_BYTE_FALLBACK) != 0) {
      for (; i < end; i++) add(byte_id(text_at(i)));
    } else if (!unknown || !after_unknown || (tokenizer.flags & TOK_FUSE_UNK) == 0) add(token);
    after_unknown = unknown;
    i = end;
    end = load<u32>(to, FROM);
  }
}

function add(id: u32): void {
  if (id != NO_ID) ids_add(id);
}

@inline
function node(nodes: usize, i: u32): usize {
  return nodes + <usize>i * NODE_BYTES;
}

/**
 * Tries every piece that begins at position i.
 * @param next end of the character at i
 * @returns whether that character alone is a piece
 */
function reach_pieces(nodes: usize, i: u32, next: u32, stop: u32): bool {
  let alone = false;
  range_begin();
  for (let at = i; at < stop; ) {
    at = range_narrow(at);
    if (at == 0) break;
    const token = range_token();
    if (token == NO_ID) continue;
    reach(nodes, i, at, token, false);
    if (at == next) alone = true;
  }
  return alone;
}

/** A piece from `from` to `end`: kept when the way over it is better than the one found before, not when it is as good. */
function reach(nodes: usize, from: u32, end: u32, token: u32, unknown: bool): void {
  const to = node(nodes, end);
  const cost = token == NO_ID ? 0 : load<u32>(tokenizer.merges + ((<usize>token) << 2));
  const sum = load<u64>(node(nodes, from)) + cost;
  const kept = (tokenizer.flags & TOK_FLOAT_SUMS) != 0 ? rounded(sum) : sum;
  // SentencePiece compares doubles with floats, but rounds first for the unknown piece.
  if ((unknown ? kept : sum) >= load<u64>(to)) return;
  store<u64>(to, kept);
  store<u32>(to, token, TOKEN);
  store<u32>(to, from, FROM);
}

/** To the nearest float, the even one of two. */
function rounded(sum: u64): u64 {
  const bits = 64 - clz<u64>(sum);
  if (bits <= FLOAT_BITS) return sum;
  const shift = bits - FLOAT_BITS;
  const half = ((<u64>1) << (shift - 1)) - 1;
  return ((sum + half + ((sum >> shift) & 1)) >> shift) << shift;
}
