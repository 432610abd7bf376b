/**
 * How a turn becomes ids: the items of the CHAT section (spec/IMAGE.md), with the user's text encoded in their middle.
 * Without the section a first turn is [BOS] text, a following one is text.
 */
import {
  CHAT_FIRST_COUNT,
  CHAT_ITEMS,
  CHAT_NEXT_COUNT,
  CHAT_TEXT,
  IMAGE_BAD_TOKENIZER,
  IMAGE_OK,
} from "../../spec/image.ts";
import { encode } from "./encode.ts";
import { ids_add } from "./ids.ts";
import { NO_ID } from "./table.ts";

@unmanaged
class Chat {
  /** Address of the items, u32[first + next]; 0: the model has no CHAT section. */
  items: usize = 0;
  first: u32 = 0;
  next: u32 = 0;
}

const chat = changetype<Chat>(memory.data(offsetof<Chat>(), 8));

/**
 * Opens the section at `base` (4-byte aligned); base 0: there is none.
 * @returns 0 or IMAGE_BAD_TOKENIZER (counts beyond the section, ids that do not exist); after an error there is no template
 */
export function chat_open(base: usize, bytes: u32, vocab_size: u32): i32 {
  chat.items = 0;
  if (base == 0) return IMAGE_OK;
  if (bytes < <u32>CHAT_ITEMS) return IMAGE_BAD_TOKENIZER;
  chat.first = load<u32>(base, CHAT_FIRST_COUNT);
  chat.next = load<u32>(base, CHAT_NEXT_COUNT);
  const count = <u64>chat.first + chat.next;
  if (count > <u64>((bytes - CHAT_ITEMS) >> 2)) return IMAGE_BAD_TOKENIZER;
  for (let i: u32 = 0; i < <u32>count; i++) {
    const item = load<u32>(base + ((<usize>i) << 2), CHAT_ITEMS);
    if (item >= vocab_size && item != <u32>CHAT_TEXT) return IMAGE_BAD_TOKENIZER;
  }
  chat.items = base + CHAT_ITEMS;
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
  if (chat.items == 0) {
    if (first && bos != NO_ID) ids_add(bos);
    return encode(text, len, scratch, scratch_bytes);
  }
  let fits = true;
  let i: u32 = first ? 0 : chat.first;
  const end = first ? chat.first : chat.first + chat.next;
  for (; i < end; i++) {
    const item = load<u32>(chat.items + ((<usize>i) << 2));
    if (item != <u32>CHAT_TEXT) ids_add(item);
    else fits = encode(text, len, scratch, scratch_bytes) && fits;
  }
  return fits;
}
