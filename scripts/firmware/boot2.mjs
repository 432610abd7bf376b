/**
 * The CRC32 of the RP2040's boot2 (RP2040 Datasheet 2.8.1.3.1): the boot ROM runs the first 256 bytes of flash only when the last four are
 * the CRC of the others: polynomial 04C11DB7, initial FFFFFFFF, bits not reflected, result not inverted.
 */
import { loadHeaders } from "./elf.mjs";

const FLASH = 0x10000000;
const BYTES = 256;

/**
 * Puts the CRC into the ELF file, in place, and returns it.
 * @template {Uint8Array} T
 * @param {T} elf
 * @throws Error when there is no boot2 in it
 */
export function sealBoot2(elf) {
  const boot2 = loadHeaders(elf).find(({ address, bytes }) => address === FLASH && bytes >= BYTES);
  if (boot2 === undefined) throw new Error("the firmware has no boot2 of 256 bytes at 0x10000000");
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  view.setUint32(boot2.offset + BYTES - 4, crc32(elf.subarray(boot2.offset, boot2.offset + BYTES - 4)), true);
  return elf;
}

/** @param {Uint8Array} bytes */
export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
