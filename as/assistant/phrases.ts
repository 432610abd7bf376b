/** Phrases of the table in a normalised text: words with one space between them (words_normalise of words.ts). */
import { PHRASE_BYTES, PHRASE_CLASS, PHRASE_LEN, WORD_ALIAS } from "../../spec/tools.ts";
import { phrase_text, phrases_begin, phrases_end } from "./table.ts";

const SPACE: u32 = 0x20;
const PLURAL: u32 = 0x73; // s

@unmanaged
class Search {
  /** End of the text. */
  end: usize;
  /** Behind the phrase that was found last. */
  found_end: usize;
}

const search = changetype<Search>(memory.data(offsetof<Search>(), 8));

/** A text that ends at `end` is to be searched. */
export function search_begin(end: usize): void {
  search.end = end;
}

/**
 * The first phrase in the table's order (the longest of the first class) that stands at a word.
 * @param at where the word begins, or the end of the text
 * @param classes bit WORD_*: which ones
 * @returns the phrase's address, 0: none
 */
export function find(at: usize, classes: u32): usize {
  return find_before(search.end, at, classes);
}

/** The same in a text that ends at `end`. */
export function find_before(end: usize, at: usize, classes: u32): usize {
  for (let p = phrases_begin(); p < phrases_end(); p += PHRASE_BYTES) {
    const cls = <u32>load<u8>(p, PHRASE_CLASS);
    if (((classes >> cls) & 1) == 0) continue;
    const len = <usize>load<u8>(p, PHRASE_LEN);
    const text = phrase_text(p);
    if (len > end - at || !same(at, text, len)) continue;
    let to = at + len;
    const has_plural = cls == WORD_ALIAS && load<u8>(to - 1) != PLURAL;
    if (has_plural && to < end && load<u8>(to) == PLURAL) to++;
    if (to != end && load<u8>(to) != SPACE) continue;
    search.found_end = to;
    return p;
  }
  return 0;
}

function same(a: usize, b: usize, len: usize): bool {
  for (let i: usize = 0; i < len; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** Whether two phrases have the same text. */
export function same_text(p: usize, q: usize): bool {
  const len = <usize>load<u8>(p, PHRASE_LEN);
  return len == <usize>load<u8>(q, PHRASE_LEN) && same(phrase_text(p), phrase_text(q), len);
}

/** Behind the phrase that find() found. */
export function found_end(): usize {
  return search.found_end;
}

/** End of the word at `at`. */
export function word_end(at: usize): usize {
  while (at != search.end && load<u8>(at) != SPACE) at++;
  return at;
}

/** The word behind the one that ends at `end`; at the end of the text there is none, and its end is where it would be. */
export function word_behind(end: usize): usize {
  return end == search.end ? end : end + 1;
}
