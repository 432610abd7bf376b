// CRC16-XMODEM: polynomial 0x1021, initial value 0, most significant bit first (spec/WIRE.md).
import { CRC16_POLY } from "../../spec/wire.ts";

const TABLE = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ CRC16_POLY : crc << 1;
  TABLE[byte] = crc;
}

/** CRC16-XMODEM of `bytes`, 0..65535. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte];
  return crc;
}
