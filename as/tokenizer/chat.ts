/**
 * How a turn becomes ids: the items of the CHAT section (spec/IMAGE.md), with the user's text encoded in their middle.
 * Without the section a first turn is [BOS] text, a following one is text.
 */
import {
  CHAT_FIRST_COUNT,
  CHAT_ITEMS,
  CHAT_JOINED,
  CHAT_JOINED_WORDS,
  CHAT_NEXT_COUNT,
  CHAT_TEXT,
  CHAT_TRIM,
  IMAGE_BAD_TOKENIZER,
  IMAGE_OK,
} from "../../spec/image.ts";
import { encode, encode_joined } from "./encode.ts";
import { ids_add } from "./ids.ts";
import { NO_ID } from "./table.ts";

@unmanaged
class Chat {
  /** Address of the section, literals included; 0: the model has none. */
  base: usize = 0;
  /** Words of a first turn's items, and of both turns'. */
  first: u32 = 0;
  end: u32 = 0;
}

const chat = changetype<Chat>(memory.data(offsetof<Chat>(), 8));

@inline
function word(base: usize, i: u32): u32 {
  return load<u32>(base + ((<usize>i) << 2), CHAT_ITEMS);
}

/**
 * Opens the section at `base` (4-byte aligned); base 0: there is none.
 * @returns 0 or IMAGE_BAD_TOKENIZER (counts beyond the section, ids that do not exist); after an error there is no template
 */
export function chat_open(base: usize, bytes: u32, vocab_size: u32): i32 {
  chat.base = 0;
  if (base == 0) return IMAGE_OK;
  if (bytes < <u32>CHAT_ITEMS) return IMAGE_BAD_TOKENIZER;
  const first = load<u32>(base, CHAT_FIRST_COUNT);
  const end = <u64>first + load<u32>(base, CHAT_NEXT_COUNT);
  if (end > <u64>((bytes - CHAT_ITEMS) >> 2)) return IMAGE_BAD_TOKENIZER;
  for (let i: u32 = 0; i < <u32>end; i++) {
    const item = word(base, i);
    if (item == <u32>CHAT_JOINED) {
      // An item lies in one turn, its literals in the section.
      if (i + CHAT_JOINED_WORDS >= (i < first ? first : <u32>end)) return IMAGE_BAD_TOKENIZER;
      if (<u64>word(base, i + 2) + word(base, i + 3) > bytes) return IMAGE_BAD_TOKENIZER;
      if (<u64>word(base, i + 4) + word(base, i + 5) > bytes) return IMAGE_BAD_TOKENIZER;
      i += CHAT_JOINED_WORDS;
    } else if (item >= vocab_size && item != <u32>CHAT_TEXT) return IMAGE_BAD_TOKENIZER;
  }
  chat.base = base;
  chat.first = first;
  chat.end = <u32>end;
  return IMAGE_OK;
}

/**
 * Adds a turn to `ids` (ids.ts).
 * @param first whether it opens a context
 * @param bos what an untemplated context starts with, or NO_ID
 * @param scratch see encode()
 * @returns false when a word was too long, as encode() does
 */
export function encode_turn(first: bool, bos: u32, text: usize, len: u32, scratch: usize, scratch_bytes: u32): bool {
  const base = chat.base;
  if (base == 0) {
    if (first && bos != NO_ID) ids_add(bos);
    return encode(text, len, scratch, scratch_bytes);
  }
  let fits = true;
  let i: u32 = first ? 0 : chat.first;
  const end = first ? chat.first : chat.end;
  for (; i < end; i++) {
    const item = word(base, i);
    if (item == <u32>CHAT_TEXT) fits = encode(text, len, scratch, scratch_bytes) && fits;
    else if (item == <u32>CHAT_JOINED) {
      let body = text;
      let bytes = len;
      if ((word(base, i + 1) & CHAT_TRIM) != 0) {
        while (bytes > 0 && is_space(body)) {
          body++;
          bytes--;
        }
        while (bytes > 0 && is_space(body + <usize>bytes - 1)) bytes--;
      }
      const head = base + <usize>word(base, i + 2);
      const tail = base + <usize>word(base, i + 4);
      fits =
        encode_joined(head, word(base, i + 3), body, bytes, tail, word(base, i + 5), scratch, scratch_bytes) && fits;
      i += CHAT_JOINED_WORDS;
    } else ids_add(item);
  }
  return fits;
}

@inline
function is_space(at: usize): bool {
  const byte = <u32>load<u8>(at);
  return byte == 0x20 || byte - 0x09 < 5;
}
