/** A text in the form in which it is read: words in lower case with one space between them, nothing else (spec/TOOLS.md, "Reading words", 1). */

const SPACE: u32 = 0x20;
const APOSTROPHE: u32 = 0x27;

/**
 * Normalises in place.
 * @param text `len` bytes, any bytes
 * @returns bytes of the words and spaces, at most `len`
 */
export function words_normalise(text: usize, len: u32): u32 {
  const end = without_apostrophes(text, text + <usize>len);
  let to = text;
  let gap = false;
  let before: u32 = 0;
  for (let at = text; at != end; at++) {
    const c = <u32>load<u8>(at);
    if (is_in_word(c) || (is_before_digit(at, end) && (is_digit(before) ? joins_digits(c) : begins(c, before)))) {
      if (gap && to != text) store<u8>(to++, SPACE);
      gap = false;
      store<u8>(to++, c);
    } else gap = true;
    before = c;
  }
  return <u32>(to - text);
}

/** Lower case, and no `'` or U+2019 any more; returns the new end. */
function without_apostrophes(at: usize, end: usize): usize {
  let to = at;
  for (; at != end; at++) {
    let c = <u32>load<u8>(at);
    if (c == APOSTROPHE) continue;
    if (c == 0xe2 && end - at > 2 && load<u8>(at, 1) == 0x80 && load<u8>(at, 2) == 0x99) {
      at += 2;
      continue;
    }
    if (c - 0x41 < 26) c |= 0x20;
    store<u8>(to++, c);
  }
  return to;
}

@inline
function is_before_digit(at: usize, end: usize): bool {
  return at + 1 != end && is_digit(load<u8>(at, 1));
}

@inline
function is_digit(c: u32): bool {
  return c - 0x30 < 10;
}

/** Letters, digits, %, and every byte of what is not ASCII; all other bytes of ASCII separate. */
function is_in_word(c: u32): bool {
  return c >= 0x80 || is_digit(c) || c - 0x61 < 26 || c == 0x25;
}

/** The point of ".5". */
@inline
function begins(c: u32, before: u32): bool {
  return c == 0x2e && !is_in_word(before);
}

/** . , : / */
function joins_digits(c: u32): bool {
  return c == 0x2e || c == 0x2c || c == 0x3a || c == 0x2f;
}
