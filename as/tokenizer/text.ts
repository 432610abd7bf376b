/**
 * The text that is being encoded, `end` bytes from `base` on, and the character last looked at. What stands around a user's text (the space of
 * ADD_SPACE_PREFIX, literals of a chat template) is joined with it in memory first: encode.ts.
 */
@unmanaged
class Text {
  base: usize = 0;
  end: u32 = 0;
  /** Of the last decode(): U+FFFD for a byte that begins no character. */
  character: u32 = 0;
}

export const text = changetype<Text>(memory.data(offsetof<Text>(), 8));

@inline
export function text_at(i: u32): u32 {
  return <u32>load<u8>(text.base + <usize>i);
}

/**
 * Looks at the UTF-8 character at position i < text.end. A byte at which no well-formed one begins (Unicode, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF) is a character of its own.
 * @returns the position behind it
 */
export function decode_at(i: u32): u32 {
  const first = text_at(i++);
  text.character = first;
  if (first < 0x80) return i;
  text.character = 0xfffd;
  if (first < 0xc2 || first > 0xf4) return i;
  const more: u32 = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  if (text.end - i < more) return i;
  let character = first & (0x3f >> more);
  for (let k: u32 = 0; k < more; k++) {
    const byte = text_at(i + k);
    if ((byte & 0xc0) != 0x80) return i;
    character = (character << 6) | (byte & 0x3f);
  }
  // Overlong forms of two bytes begin with C0 and C1.
  if (more > 1 && character < (more == 2 ? <u32>0x800 : 0x10000)) return i;
  if (character - 0xd800 < 0x800 || character > 0x10ffff) return i;
  text.character = character;
  return i + more;
}
