/**
 * Entry of the `tokenizer` build: the device's tokenizer without a model, for the host (host/engine/text_codec.ts). The converter compiles chat templates
 * with it and the float engine reads and writes text, both with the code that runs on a board.
 *
 * Pointers are addresses in the module's memory; `reserve` may grow it.
 */
import { token_text, token_text_len } from "./tokenizer/decode.ts";
import { encode, SCRATCH_BYTES_PER_BYTE } from "./tokenizer/encode.ts";
import { ids, ids_begin } from "./tokenizer/ids.ts";
import { tokenizer_open } from "./tokenizer/table.ts";

export { token_text, token_text_len, tokenizer_open };

const PAGE: u64 = 65536;

/** New memory, on a page of its own; 0: there is no more. */
export function reserve(bytes: u32): usize {
  const address = <u64>memory.size() * PAGE;
  if (memory.grow(<i32>((<u64>bytes + PAGE - 1) / PAGE)) < 0) return 0;
  return <usize>address;
}

/** Bytes of scratch that a text of `len` bytes needs at most: one word, and a copy with a space in front. */
export function scratch_bytes(len: u32): u32 {
  return ((len + 2) * (SCRATCH_BYTES_PER_BYTE + 1) + 3) & ~3;
}

/**
 * Ids of a text.
 * @param text `len` bytes
 * @param scratch scratch_bytes(len) bytes, 4-byte aligned
 * @param out receives u32[]: room for len + 1 ids
 * @returns their number
 */
export function text_ids(text: usize, len: u32, scratch: usize, out: usize): u32 {
  ids_begin(out, 0);
  encode(text, len, scratch, scratch_bytes(len));
  return ids.n;
}
