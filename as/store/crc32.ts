/**
 * CRC-32 as in zlib (IEEE 802.3: reflected, polynomial 0xEDB88320, start and end inverted). One bit at a time: it guards
 * 60-byte records and a table of tools, a table of its own would cost more SRAM than it saves time.
 */

/** CRC-32 of `len` bytes at `ptr`. */
export function crc32(ptr: usize, len: u32): u32 {
  return crc32_on(0, ptr, len);
}

/** CRC-32 of `len` bytes at `ptr` behind bytes whose CRC-32 is `crc`. */
export function crc32_on(crc: u32, ptr: usize, len: u32): u32 {
  crc = ~crc;
  for (let i: u32 = 0; i < len; i++) {
    crc ^= load<u8>(ptr + i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
  }
  return ~crc;
}
