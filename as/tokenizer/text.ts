/**
 * The text that is being encoded: up to three stretches of memory read as one, so that a literal of a chat template and
 * the user's words meet without a copy.
 *
 *     position   0         body      tail          end
 *                | head ...|  body ...|  tail ...  |
 *
 * A character never lies across a seam: what stands in an image (literals, the space of ADD_SPACE_PREFIX) is well-formed.
 */
@unmanaged
class Text {
  /** First positions of the second and third stretch, and the position behind the last one. */
  body: u32 = 0;
  tail: u32 = 0;
  end: u32 = 0;
  /** Address of a position i of each stretch, less i. */
  head_base: usize = 0;
  body_base: usize = 0;
  tail_base: usize = 0;
}

export const text = changetype<Text>(memory.data(offsetof<Text>(), 8));

/** What is encoded next: `body` between two literals, either of which may be empty. */
export function text_set(head: usize, head_len: u32, body: usize, len: u32, tail: usize, tail_len: u32): void {
  text.body = head_len;
  text.tail = head_len + len;
  text.end = text.tail + tail_len;
  text.head_base = head;
  text.body_base = body - <usize>text.body;
  text.tail_base = tail - <usize>text.tail;
}

/** Address of the byte at a position. */
export function address_at(i: u32): usize {
  return <usize>i + (i < text.body ? text.head_base : i < text.tail ? text.body_base : text.tail_base);
}

@inline
export function text_at(i: u32): u32 {
  return <u32>load<u8>(address_at(i));
}

/**
 * Length in bytes of the UTF-8 character at position i: 1..4; 1 also for a byte that begins no well-formed one
 * (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export function character_bytes(i: u32): u32 {
  const first = text_at(i);
  if (first < 0xc2 || first > 0xf4) return 1;
  const bytes: u32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.end - i < bytes) return 1;
  const second = text_at(i + 1);
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 1;
  for (let k: u32 = 2; k < bytes; k++) if ((text_at(i + k) & 0xc0) != 0x80) return 1;
  return bytes;
}
