/** Ids to bytes: the joined texts of the tokens (spec/IMAGE.md). */
import { TOK_ADD_SPACE_PREFIX, TOK_BYTE_LEVEL, TOK_TYPE_SPECIAL } from "../../spec/image.ts";
import { token_bytes, token_start, token_type, tokenizer } from "./table.ts";

/** Address of the bytes of a token; how many there are says token_text_len(). */
export function token_text(id: u32): usize {
  return id < tokenizer.vocab_size ? token_start(id) : 0;
}

/** Bytes of a token's text. Special tokens and ids that do not exist have none. */
export function token_text_len(id: u32): u32 {
  return id < tokenizer.vocab_size && token_type(id) != TOK_TYPE_SPECIAL ? token_bytes(id) : 0;
}

/**
 * The text of a whole list of ids that was encoded from a text's start: without the space that ADD_SPACE_PREFIX put
 * there. Answers are streamed token by token and keep it.
 * @param ids u32[count]
 * @param out receives at most `room` bytes; the rest is cut off
 * @returns bytes of the text, which may be more than `room`
 */
export function decode(ids: usize, count: u32, out: usize, room: u32): u32 {
  let drop = tokenizer.kind != TOK_BYTE_LEVEL && (tokenizer.flags & TOK_ADD_SPACE_PREFIX) != 0;
  let n: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const id = load<u32>(ids + ((<usize>i) << 2));
    let from = token_text(id);
    let bytes = token_text_len(id);
    if (bytes > 0 && drop) {
      drop = false;
      if (load<u8>(from) == 0x20) {
        from++;
        bytes--;
      }
    }
    if (n < room) memory.copy(out + <usize>n, from, <usize>min(bytes, room - n));
    n += bytes;
  }
  return n;
}
