/**
 * Reading words (spec/TOOLS.md): a text becomes words, kind tokens and slots, with what stands behind them. The model sees the first, calls.ts asks for the second.
 *
 *     "Turn on the Lamps!"   words_normalise   turn on the lamps   words_next   turn | on | the | <|light|>       mentioned(light): tool 0
 */
import {
  KINDS,
  PHRASE_BYTES,
  PHRASE_CLASS,
  PHRASE_TOOL,
  PHRASE_VALUE,
  SLOT_CLASSES,
  SLOT_TOKENS,
  SLOT_WORD,
  TOK_KIND,
  TOK_SLOT,
  TOOL_NOBODY,
  WORD_ALIAS,
  WORD_VALUE,
} from "../../spec/tools.ts";
import { find, found_end, same_text, search_begin, word_behind, word_end } from "./phrases.ts";
import { quantity, quantity_class, quantity_end, quantity_fahrenheit, quantity_value } from "./quantity.ts";
import { kind_of, phrases_end } from "./table.ts";

/** Of an item that is a word. */
export const NO_TOKEN: u32 = 0xffffffff;

@unmanaged
class Reading {
  /** The next word, and the end of the text. */
  at: usize;
  end: usize;
  /** Behind what was recognised last; words before it stay words. */
  plain: usize;
  /** The item read last: TOK_* of a special token, or NO_TOKEN and a word. */
  token: u32;
  word: usize;
  word_bytes: u32;
}

const reading = changetype<Reading>(memory.data(offsetof<Reading>(), 8));
/** u8[2 * KINDS]: the tool that each kind token means in this turn. */
@lazy
const tools: usize = memory.data(2 * KINDS, 4);
/** u8[SLOT_CLASSES]: slots of each class in this turn. */
@lazy
const counts: usize = memory.data(SLOT_CLASSES, 4);
/** i32[SLOT_CLASSES * SLOT_TOKENS]: their values; of words the address of the phrase. */
@lazy
const slots: usize = memory.data(SLOT_CLASSES * SLOT_TOKENS * 4, 4);
/** bool[SLOT_CLASSES * SLOT_TOKENS]: whether they were said in degrees Fahrenheit. */
@lazy
const fahrenheit: usize = memory.data(SLOT_CLASSES * SLOT_TOKENS, 4);

/** Begins to read `bytes` bytes of normalised text. */
export function words_begin(text: usize, bytes: u32): void {
  reading.at = text;
  reading.end = text + <usize>bytes;
  reading.plain = 0;
  search_begin(reading.end);
  memory.fill(tools, <u8>TOOL_NOBODY, 2 * KINDS);
  memory.fill(counts, 0, SLOT_CLASSES);
}

/** Reads the next item; false: there is none. */
export function words_next(): bool {
  const r = reading;
  const at = r.at;
  if (at == r.end) return false;
  r.token = at < r.plain ? NO_TOKEN : meaning(at);
  r.at = r.plain;
  if (r.token == NO_TOKEN) {
    const end = word_end(at);
    r.word = at;
    r.word_bytes = <u32>(end - at);
    r.at = word_behind(end);
  }
  return true;
}

/** TOK_* of what stands at a word up to reading.plain; NO_TOKEN: the word means nothing, or what is there up to reading.plain is one too many. */
function meaning(at: usize): u32 {
  let phrase = find(at, 1 << WORD_ALIAS);
  if (phrase != 0) {
    reading.plain = word_behind(found_end());
    return kind_token(load<u32>(phrase, PHRASE_VALUE));
  }
  if (quantity(at)) {
    reading.plain = quantity_end();
    return slot_token(quantity_class(), quantity_value(), quantity_fahrenheit());
  }
  phrase = find(at, 1 << WORD_VALUE);
  if (phrase == 0) return NO_TOKEN;
  reading.plain = word_behind(found_end());
  return slot_token(SLOT_WORD, <i32>phrase, false);
}

/** The token of a tool in this turn, NO_TOKEN when two others of its kind were mentioned. */
function kind_token(tool: u32): u32 {
  for (let k = kind_of(tool); k < 2 * KINDS; k += KINDS) {
    const known = mentioned(k);
    if (known == TOOL_NOBODY) store<u8>(tools + <usize>k, tool);
    else if (known != tool) continue;
    return TOK_KIND + k;
  }
  return NO_TOKEN;
}

/** The next slot of a class, NO_TOKEN when there is none left. */
function slot_token(cls: u32, value: i32, in_fahrenheit: bool): u32 {
  const n = slots_of(cls);
  if (n == SLOT_TOKENS) return NO_TOKEN;
  store<u8>(counts + <usize>cls, n + 1);
  const slot = cls * SLOT_TOKENS + n;
  store<i32>(slots + ((<usize>slot) << 2), value);
  store<bool>(fahrenheit + <usize>slot, in_fahrenheit);
  return TOK_SLOT + slot;
}

/** The item: TOK_* of a special token, or NO_TOKEN and a word. */
export function item_token(): u32 {
  return reading.token;
}

export function item_word(): usize {
  return reading.word;
}

export function item_bytes(): u32 {
  return reading.word_bytes;
}

/** Tool that this turn means by kind token TOK_KIND + k, or TOOL_NOBODY. */
export function mentioned(k: u32): u32 {
  return load<u8>(tools + <usize>k);
}

/** Slots of a class that this turn has. */
export function slots_of(cls: u32): u32 {
  return load<u8>(counts + <usize>cls);
}

/** Value of slot TOK_SLOT + i of this turn. */
export function slot_value(i: u32): i32 {
  return load<i32>(slots + ((<usize>i) << 2));
}

/** Whether slot TOK_SLOT + i was said in degrees Fahrenheit: as a temperature its value is right, as a difference it is 32 F too low. */
export function slot_fahrenheit(i: u32): bool {
  return load<bool>(fahrenheit + <usize>i);
}

/** Address of the value that the word in slot TOK_SLOT + i means for a tool; 0: it means none. */
export function word_value(i: u32, tool: u32): usize {
  const said = <usize>slot_value(i);
  for (let p = said; p < phrases_end() && load<u8>(p, PHRASE_CLASS) == WORD_VALUE; p += PHRASE_BYTES) {
    if (load<u8>(p, PHRASE_TOOL) == tool && same_text(p, said)) return p + PHRASE_VALUE;
  }
  return 0;
}
