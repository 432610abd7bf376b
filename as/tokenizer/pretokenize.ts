/**
 * Cuts text into words, on bytes (spec/IMAGE.md, "Pre-tokenizers"). A merge never crosses a word.
 *
 * A text is `len` bytes at `text`; with `prefix` = 1 a space stands before its first byte that is not in memory
 * (ADD_SPACE_PREFIX), and positions count it: position 0 is that space, position 1 the first byte.
 */
import { PRE_BYTES } from "../../spec/image.ts";

/** Classes of PRE_BYTES: letters and everything above ASCII, digits, whitespace, the rest. */
const LETTER: u32 = 0;
const DIGIT: u32 = 1;
const SPACE: u32 = 2;
const PUNCTUATION: u32 = 3;

const BLANK: u32 = 0x20;

/** Byte at a position. */
@inline
export function text_at(text: usize, prefix: u32, i: u32): u32 {
  return i < prefix ? BLANK : <u32>load<u8>(text + <usize>(i - prefix));
}

/**
 * The word that starts at position i < end.
 * @param end positions in the text: len + prefix
 * @returns the position behind its last byte
 */
export function word_end(pre: u32, text: usize, prefix: u32, i: u32, end: u32): u32 {
  if (pre != PRE_BYTES) return end;
  const first = text_at(text, prefix, i);
  let kind = class_of(first);
  // " "? before L+, D or P+
  if (first == BLANK && i + 1 < end) {
    const next = class_of(text_at(text, prefix, i + 1));
    if (next != SPACE) {
      kind = next;
      i++;
    }
  }
  i++;
  if (kind == DIGIT) return i;
  const after_first = i;
  while (i < end && class_of(text_at(text, prefix, i)) == kind) i++;
  // S+(?!\S) backs off by one byte before a word; the last alternative, S+, takes the single one.
  if (kind == SPACE && i < end && i > after_first) i--;
  return i;
}

@inline
function class_of(byte: u32): u32 {
  if (byte >= 0x80 || (byte | 0x20) - 0x61 < 26) return LETTER;
  if (byte - 0x30 < 10) return DIGIT;
  return byte == BLANK || byte - 0x09 < 5 ? SPACE : PUNCTUATION;
}

/**
 * Length in bytes of the UTF-8 character at position i: 1..4; 1 also for a byte that begins no well-formed one
 * (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export function character_bytes(text: usize, prefix: u32, i: u32, end: u32): u32 {
  const first = text_at(text, prefix, i);
  if (first < 0xc2 || first > 0xf4) return 1;
  const bytes: u32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (end - i < bytes) return 1;
  const second = text_at(text, prefix, i + 1);
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 1;
  for (let k: u32 = 2; k < bytes; k++) if ((text_at(text, prefix, i + k) & 0xc0) != 0x80) return 1;
  return bytes;
}
