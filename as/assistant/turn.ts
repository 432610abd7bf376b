/**
 * A turn as ids (spec/TOOLS.md, "What the model sees"):
 *
 *     BOS, kinds of the table | the calls before | user, the user's words, board
 *     the same in every turn: cached
 */
import {
  CALL_UNSURE,
  KINDS,
  TOK_ASK,
  TOK_BOARD,
  TOK_CALL,
  TOK_KIND,
  TOK_SLOT,
  TOK_USER,
  TOK_VERB,
} from "../../spec/tools.ts";
import { encode_joined } from "../tokenizer/encode.ts";
import { ids_add } from "../tokenizer/ids.ts";
import { NO_ID } from "../tokenizer/table.ts";
import { token_base } from "./assistant.ts";
import { call_rc, call_slot, call_target, call_verb, calls_count, calls_unsure } from "./calls.ts";
import { kind_of, tools_count } from "./table.ts";
import { item_bytes, item_token, item_word, NO_TOKEN, words_begin, words_next } from "./words.ts";

/** What goes before a word. */
@lazy
const blank: usize = memory.data<u8>([0x20]);

/**
 * Adds a turn to `ids` (tokenizer/ids.ts). What the words mean is known afterwards (words.ts).
 * @param bos what a context starts with, or NO_ID
 * @param keep whether the calls of the answer before are a part of it
 * @param text `len` bytes, normalised
 * @param scratch as for encode()
 * @returns false when a word was too long, as encode() does
 */
export function assistant_turn(bos: u32, keep: bool, text: usize, len: u32, scratch: usize, scratch_bytes: u32): bool {
  assistant_prefix(bos);
  if (keep) previous();
  add(TOK_USER);
  let fits = true;
  words_begin(text, len);
  while (words_next()) {
    if (item_token() != NO_TOKEN) add(item_token());
    else fits = encode_joined(blank, 1, item_word(), item_bytes(), blank, 0, scratch, scratch_bytes) && fits;
  }
  add(TOK_BOARD);
  return fits;
}

/** What every turn begins with: at most 1 + KINDS ids. */
export function assistant_prefix(bos: u32): void {
  if (bos != NO_ID) ids_add(bos);
  let kinds: u32 = 0;
  for (let i: u32 = 0; i < tools_count(); i++) kinds |= 1 << kind_of(i);
  for (let kind: u32 = 0; kind < <u32>KINDS; kind++) if (((kinds >> kind) & 1) != 0) add(TOK_KIND + kind);
}

/** The calls of the answer before, or those of them of which it asked whether they were meant. */
function previous(): void {
  const asked = calls_unsure();
  if (asked) add(TOK_ASK);
  for (let i: u32 = 0; i < calls_count(); i++) {
    if (asked && call_rc(i) != CALL_UNSURE) continue;
    const target = call_target(i);
    add(TOK_CALL);
    add(TOK_VERB + call_verb(i));
    add(target - TOK_KIND - KINDS < <u32>KINDS ? target - KINDS : target);
    if (call_slot(i) != 0) add(call_slot(i));
  }
}

function add(token: u32): void {
  ids_add(token_base() + token);
}
