/**
 * What the engine build exports for text: answers (generate.ts), and text to ids and back for tools. engine.ts re-exports
 * it. After `open` comes gen_reset(). Nothing here grows the memory.
 */
import {
  gen_begin,
  gen_context_count,
  gen_context_ids,
  gen_count,
  gen_pos,
  gen_prefill_done,
  gen_prefill_total,
  gen_prompt_tokens,
  gen_reset,
  gen_slides,
  gen_state,
  gen_step,
  gen_stop,
  gen_token,
  gen_why,
} from "./generate.ts";
import { PART_BPE, part_of, run } from "./memory/run_state.ts";
import { decode, token_text, token_text_len } from "./tokenizer/decode.ts";
import { encode } from "./tokenizer/encode.ts";
import { ids, ids_begin } from "./tokenizer/ids.ts";

export {
  gen_begin,
  gen_context_count,
  gen_context_ids,
  gen_count,
  gen_pos,
  gen_prefill_done,
  gen_prefill_total,
  gen_prompt_tokens,
  gen_reset,
  gen_slides,
  gen_state,
  gen_step,
  gen_stop,
  gen_token,
  gen_why,
  token_text,
  token_text_len,
};

/**
 * Ids of a text, without BOS and template.
 * @param text `len` bytes
 * @param out receives u32[], at most `room` ids
 * @returns their number, or -1 when they do not fit (nothing is written) or a word exceeds the scratch
 */
export function text_encode(text: usize, len: u32, out: usize, room: u32): i32 {
  ids_begin(0, 0);
  if (!encode_text(text, len) || ids.n > room) return -1;
  ids_begin(out, 0);
  encode_text(text, len);
  return <i32>ids.n;
}

function encode_text(text: usize, len: u32): bool {
  const scratch = part_of(run, PART_BPE);
  return encode(text, len, scratch.address, scratch.bytes);
}

/**
 * Text of `count` ids that were encoded from a text's start.
 * @param out receives at most `room` bytes
 * @returns bytes of the text, which may be more
 */
export function text_decode(list: usize, count: u32, out: usize, room: u32): u32 {
  return decode(list, count, out, room);
}
