/**
 * CRC-32 as in zlib (IEEE 802.3: reflected, polynomial 0xEDB88320, start and end inverted). One bit at a time: it guards
 * 60-byte records only, a table would cost more SRAM than it saves time.
 */

/** CRC-32 of `len` bytes at `ptr`. */
export function crc32(ptr: usize, len: u32): u32 {
  let crc: u32 = 0xffffffff;
  for (let i: u32 = 0; i < len; i++) {
    crc ^= load<u8>(ptr + i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
  }
  return ~crc;
}
