/** Cuts the text (text.ts) into words (spec/IMAGE.md, "Pre-tokenizers"). A merge never crosses a word. */
import { PRE_BYTES } from "../../spec/image.ts";
import { text, text_at } from "./text.ts";

/** Classes of PRE_BYTES: letters and everything above ASCII, digits, whitespace, the rest. */
const LETTER: u32 = 0;
const DIGIT: u32 = 1;
const SPACE: u32 = 2;
const PUNCTUATION: u32 = 3;

const BLANK: u32 = 0x20;

/**
 * The word that starts at position i < text.end.
 * @returns the position behind its last byte
 */
export function word_end(pre: u32, i: u32): u32 {
  const end = text.end;
  if (pre != PRE_BYTES) return end;
  const first = text_at(i);
  let kind = class_of(first);
  // " "? before L+, D or P+
  if (first == BLANK && i + 1 < end) {
    const next = class_of(text_at(i + 1));
    if (next != SPACE) {
      kind = next;
      i++;
    }
  }
  i++;
  if (kind == DIGIT) return i;
  const after_first = i;
  while (i < end && class_of(text_at(i)) == kind) i++;
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
