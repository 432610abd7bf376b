/**
 * What the host's float engine borrows: texts to ids, turns, and the sampler, in an instance that opens no model. Logits come from
 * outside; the tokenizer and the draw of an id exist once. engine.ts re-exports it. Nothing here grows the memory.
 */
import { PART_BPE, part_of, run } from "./memory/run_state.ts";
import { sample, sampler_begin, sampler_open } from "./sampler/sampler.ts";
import { chat_open, encode_turn } from "./tokenizer/chat.ts";
import { ids, ids_begin } from "./tokenizer/ids.ts";
import { tokenizer_close, tokenizer_open } from "./tokenizer/table.ts";

/**
 * Opens a TOKENIZER and a CHAT section (spec/IMAGE.md), both 4-byte aligned and there for as long as they are used.
 * @param chat_at 0: no template
 * @returns 0, IMAGE_BAD_TOKENIZER or IMAGE_UNSUPPORTED; after an error no text becomes tokens
 */
export function texts_open(section: usize, bytes: u32, chat_at: usize, chat_bytes: u32, vocab_size: u32): i32 {
  let code = tokenizer_open(section, bytes, vocab_size);
  if (code == 0) code = chat_open(chat_at, chat_bytes, vocab_size);
  if (code != 0) tokenizer_close();
  return code;
}

/** The tokenizer's scratch, 4-byte aligned: SCRATCH_BYTES_PER_BYTE for each byte of the longest word. text_encode() uses it too. */
export function texts_scratch(address: usize, bytes: u32): void {
  const scratch = part_of(run, PART_BPE);
  scratch.address = address;
  scratch.bytes = bytes;
}

/**
 * Ids of a turn, with its template or BOS.
 * @param first whether it opens a context
 * @param bos what an untemplated context starts with, or NO_ID
 * @param out receives u32[], at most `room` ids
 * @returns their number, or -1 when they do not fit (nothing is written) or a word exceeds the scratch
 */
export function texts_turn(first: bool, bos: u32, text: usize, len: u32, out: usize, room: u32): i32 {
  ids_begin(0, 0);
  if (!add_turn(first, bos, text, len) || ids.n > room) return -1;
  ids_begin(out, 0);
  add_turn(first, bos, text, len);
  return <i32>ids.n;
}

function add_turn(first: bool, bos: u32, text: usize, len: u32): bool {
  const scratch = part_of(run, PART_BPE);
  return encode_turn(first, bos, text, len, scratch.address, scratch.bytes);
}

/**
 * Options of one answer, as gen_begin() takes them.
 * @param exp2 u16[256], EXP2 of spec/IMAGE.md
 * @param order,order_bytes scratch, 4-byte aligned, 4 bytes an id
 */
export function texts_sampler(
  vocab_size: u32,
  exp2: usize,
  order: usize,
  order_bytes: u32,
  temp: u32,
  topk: u32,
  topp: u32,
  rep: u32,
  seed: u32,
): void {
  sampler_open(vocab_size, exp2, order, order_bytes);
  sampler_begin(temp, topk, topp, rep, seed);
}

/**
 * The next id.
 * @param logits i32[vocab_size], 16 fraction bits; the repetition penalty changes them
 * @param context u32[count]: the ids whose last ones are penalised
 */
export function texts_sample(logits: usize, context: usize, count: u32): u32 {
  return sample(logits, context, count);
}
