/** Base64 (RFC 4648, padded), a character at a time: no table, no buffer. */

export const BASE64_PAD: u32 = 0x3d;
export const BASE64_BAD: u32 = 0xff;

/** The six bits of a character, BASE64_BAD for one outside the alphabet (the padding too). */
export function base64_value(c: u32): u32 {
  if (c - 0x41 < 26) return c - 0x41; // A-Z
  if (c - 0x61 < 26) return c - 0x61 + 26; // a-z
  if (c - 0x30 < 10) return c - 0x30 + 52; // 0-9
  if (c == 0x2b) return 62; // +
  if (c == 0x2f) return 63; // /
  return BASE64_BAD;
}

/** The character of six bits. */
export function base64_char(v: u32): u32 {
  if (v < 26) return v + 0x41;
  if (v < 52) return v - 26 + 0x61;
  if (v < 62) return v - 52 + 0x30;
  return v == 62 ? 0x2b : 0x2f;
}

/** Writes `len` bytes at `from` as base64 to `to`; returns the number of characters, 4 * ceil(len / 3). */
export function base64_encode(to: usize, from: usize, len: u32): u32 {
  const start = to;
  for (let i: u32 = 0; i < len; i += 3) {
    const left = len - i;
    let group = u32(load<u8>(from + i)) << 16;
    if (left > 1) group |= u32(load<u8>(from + i, 1)) << 8;
    if (left > 2) group |= load<u8>(from + i, 2);
    store<u8>(to, base64_char(group >> 18));
    store<u8>(to, base64_char((group >> 12) & 63), 1);
    store<u8>(to, left > 1 ? base64_char((group >> 6) & 63) : BASE64_PAD, 2);
    store<u8>(to, left > 2 ? base64_char(group & 63) : BASE64_PAD, 3);
    to += 4;
  }
  return u32(to - start);
}
