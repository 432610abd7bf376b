/** Names as text for the wire: the board's, and the model's from an image header. */
import { HDR_NAME, IMAGE_NAME_BYTES } from "../../spec/image.ts";
import { BOARD_NAME_MAX, INFO_NAME } from "../../spec/hal.ts";
import { board_info, flash_map } from "../hal.ts";
import { slot_offset } from "../store/geometry.ts";
import { slots_single } from "../store/slots.ts";

const QUESTION: u32 = 0x3f;

const board: usize = memory.data(32);
const model: usize = memory.data(32);

/** Reads the board's name. */
export function names_init(): void {
  for (let i = 0; i < BOARD_NAME_MAX; i += 4) store<u32>(board + i, board_info(INFO_NAME, i >> 2));
}

/** 32 bytes, padded with zeros. */
export function board_name(): usize {
  return board;
}

/** Reads the name of the model in a slot; its text is at the address returned, "" when the slot cannot be read. */
export function model_name(slot: u32): usize {
  const from = flash_map(slot_offset(slot, slots_single()) + HDR_NAME, IMAGE_NAME_BYTES);
  if (from == 0) memory.fill(model, 0, IMAGE_NAME_BYTES);
  else memory.copy(model, from, IMAGE_NAME_BYTES);
  make_utf8(model, IMAGE_NAME_BYTES);
  return model;
}

/** Bytes of a name before its zeros. */
export function name_bytes(name: usize): u32 {
  let n: u32 = 0;
  while (n < <u32>IMAGE_NAME_BYTES && load<u8>(name + n) != 0) n++;
  return n;
}

/** A CBOR text must be UTF-8: every byte that is no part of a well-formed character becomes a question mark. */
function make_utf8(text: usize, len: u32): void {
  for (let i: u32 = 0; i < len; ) {
    const n = character(text + i, len - i);
    if (n == 0) store<u8>(text + i, QUESTION);
    i += max<u32>(n, 1);
  }
}

/** Bytes of the well-formed UTF-8 character at `p`, 0 when there is none within `len` (RFC 3629). */
function character(p: usize, len: u32): u32 {
  const first: u32 = load<u8>(p);
  if (first < 0x80) return 1;
  const n: u32 = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || n > len) return 0;
  const second: u32 = load<u8>(p, 1);
  // Overlong forms, surrogates, beyond U+10FFFF
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i: u32 = 2; i < n; i++) if ((load<u8>(p + i) & 0xc0) != 0x80) return 0;
  return n;
}
