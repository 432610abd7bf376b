/** CRC16-XMODEM of frames (spec/WIRE.md): polynomial 0x1021 (x^16 + x^12 + x^5 + 1), start 0, not reflected. */

/** CRC of `len` bytes at `ptr`, a byte a step without a table. */
export function crc16(ptr: usize, len: u32): u32 {
  let crc: u32 = 0;
  for (let i: u32 = 0; i < len; i++) {
    // The polynomial has so few terms that eight shifts fold into these.
    let x = (crc >> 8) ^ load<u8>(ptr + i);
    x ^= x >> 4;
    crc = ((crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xffff;
  }
  return crc;
}
