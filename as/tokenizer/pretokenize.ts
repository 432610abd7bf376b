/**
 * Cuts the text (text.ts) into words (spec/IMAGE.md, "Pre-tokenizers"). A merge never crosses a word.
 *
 * The rules are regular expressions, but one character of look-ahead decides everything: what a word begins with, whether one character stands before
 * its run, and how far the run goes.
 */
import {
  CLASS_LETTER,
  CLASS_NUMBER,
  CLASS_OTHER,
  CLASS_SPACE,
  PRE_BYTES,
  PRE_DIGITS,
  PRE_GPT2,
  PRE_LLAMA3,
  PRE_QWEN2,
} from "../../spec/image.ts";
import { class_of } from "./table.ts";
import { decode_at, text, text_at } from "./text.ts";

const BLANK: u32 = 0x20;
const APOSTROPHE: u32 = 0x27;

@unmanaged
class Look {
  pre: u32 = 0;
  /** Behind the character last looked at. */
  next: u32 = 0;
}

const look = changetype<Look>(memory.data(offsetof<Look>(), 8));

/** Class of the character at position i; CLASS_SPACE + 1 at the end of the text. */
function class_at(i: u32): u32 {
  if (i >= text.end) return CLASS_SPACE + 1;
  if (look.pre != PRE_BYTES) {
    look.next = decode_at(i);
    return class_of(text.character);
  }
  look.next = i + 1;
  const byte = text_at(i);
  text.character = byte;
  if (byte >= 0x80 || (byte | 0x20) - 0x61 < 26) return CLASS_LETTER;
  if (byte - 0x30 < 10) return CLASS_NUMBER;
  return byte == BLANK || byte - 0x09 < 5 ? CLASS_SPACE : CLASS_OTHER;
}

/**
 * The word that starts at position i < text.end.
 * @returns the position behind its last byte
 */
export function word_end(pre: u32, i: u32): u32 {
  if (pre < <u32>PRE_BYTES) return text.end;
  look.pre = pre;
  const llama = pre == PRE_LLAMA3 || pre == PRE_QWEN2;
  let kind = class_at(i);
  const first = text.character;
  let last = i;
  i = look.next;
  if (first == APOSTROPHE && pre != PRE_BYTES) {
    const bytes = contraction(i, llama);
    if (bytes != 0) return i + bytes;
  }
  // One character may stand before a run: a space, in Llama 3's rule before letters any but newlines, letters and numbers.
  if (first == BLANK || (llama && (kind == CLASS_SPACE || kind == CLASS_OTHER) && !is_newline(first))) {
    const next = class_at(i);
    if (
      next == CLASS_LETTER ||
      (first == BLANK && (next == CLASS_OTHER || (next == CLASS_NUMBER && pre <= <u32>PRE_GPT2)))
    ) {
      kind = next;
      last = i;
      i = look.next;
    }
  }
  // Numbers of one word: GPT-2 takes all, Llama 3 three, the others one.
  let more: u32 = kind != CLASS_NUMBER || pre == PRE_GPT2 ? u32.MAX_VALUE : pre == PRE_LLAMA3 ? 2 : 0;
  const after_first = i;
  let after_newline: u32 = is_newline(first) ? i : 0;
  for (; more > 0 && class_at(i) == kind; more--) {
    last = i;
    i = look.next;
    if (is_newline(text.character)) after_newline = i;
  }
  if (kind == CLASS_SPACE) {
    // \s*[\r\n]+ goes as far as the last newline.
    if (llama && after_newline != 0) return after_newline;
    // \s+(?!\S) backs off by one character, \s+ takes a single one. Numbers that stand apart begin another text.
    if (i < text.end && i > after_first && (pre != PRE_DIGITS || class_at(i) != CLASS_NUMBER)) return last;
  } else if (kind == CLASS_OTHER && llama) {
    while (i < text.end && is_newline(text_at(i))) i++;
  }
  return i;
}

@inline
function is_newline(character: u32): bool {
  return character == 0x0a || character == 0x0d;
}

/**
 * What follows an apostrophe: s, t, m, d, re, ve or ll; `fold`: in either case, where Unicode counts the long s as an s.
 * @returns its bytes, 0 for anything else
 */
function contraction(i: u32, fold: bool): u32 {
  if (class_at(i) != CLASS_LETTER) return 0;
  if (fold && text.character == 0x17f) return 2;
  const bit: u32 = fold ? 0x20 : 0;
  const a = text.character | bit;
  if (a == 0x73 || a == 0x74 || a == 0x6d || a == 0x64) return 1;
  if (i + 1 == text.end) return 0;
  const b = text_at(i + 1) | bit;
  return (b == 0x65 && (a == 0x72 || a == 0x76)) || (b == 0x6c && a == 0x6c) ? 2 : 0;
}
