/**
 * The selector of spec/FIRMWARE.md, as the breadboard has it: what boards/common/selector.c does on a chip, read from the same flash.
 *
 *     wish ─► confirmed by the newest record ─► the other slot ─► null: nothing can be started
 */
import type { UpdateRegion } from "../../boards/board.ts";
import {
  FREC_BYTES,
  FREC_CONFIRMED,
  FREC_CRC,
  FREC_MAGIC,
  FREC_SECTORS,
  FREC_SEQ,
  FW_ADDRESS,
  FW_HEADER_BYTES,
  FW_HEADER_CRC,
  FW_HEADER_SIZE,
  FW_MAGIC_HIGH,
  FW_MAGIC_LOW,
  FW_MARK,
  FW_MARK_TKFW,
  FW_PAYLOAD,
  FW_PAYLOAD_CRC,
  FW_SLOTS,
} from "../../spec/firmware.ts";

const MAGIC = FW_MAGIC_HIGH * 65536 + FW_MAGIC_LOW;

/** @param flash from its first byte. @param base address of that byte. @param wish the slot to try, null: none */
export function selectSlot(flash: Uint8Array, region: UpdateRegion, base: number, wish: number | null): number | null {
  const first = confirmedSlot(flash, region);
  const order = [...(wish === null ? [] : [wish]), first, 1 - first];
  return order.find((slot) => imageIn(flash, region, base, slot) !== null) ?? null;
}

/** The slot that the newest valid record names, 0 without one. */
export function confirmedSlot(flash: Uint8Array, { offset, sectorBytes }: UpdateRegion): number {
  let newest = 0;
  let slot = 0;
  for (let at = offset; at < offset + FREC_SECTORS * sectorBytes; at += FREC_BYTES) {
    const cell = new DataView(flash.buffer, flash.byteOffset + at, FREC_BYTES);
    const seq = cell.getUint32(FREC_SEQ, true);
    const confirmed = cell.getUint32(FREC_CONFIRMED, true);
    if (cell.getUint32(0, true) !== FREC_MAGIC || seq <= newest || confirmed >= FW_SLOTS) continue;
    if (crc32(flash.subarray(at, at + FREC_CRC)) !== cell.getUint32(FREC_CRC, true)) continue;
    newest = seq;
    slot = confirmed;
  }
  return slot;
}

/** Header and payload of a slot's image when every byte of them is as it was built; else null. */
export function imageIn(flash: Uint8Array, region: UpdateRegion, base: number, slot: number): Uint8Array | null {
  const at = region.slots[slot];
  const header = new DataView(flash.buffer, flash.byteOffset + at, FW_HEADER_BYTES);
  const word = (offset: number): number => header.getUint32(offset, true);
  const isImage = word(0) === MAGIC && word(FW_MARK) === FW_MARK_TKFW && word(FW_ADDRESS) === base + at;
  const payload = word(FW_PAYLOAD);
  if (!isImage || header.getUint16(FW_HEADER_SIZE, true) !== FW_HEADER_BYTES) return null;
  if (payload > region.slotBytes - FW_HEADER_BYTES) return null;
  if (crc32(flash.subarray(at, at + FW_HEADER_CRC)) !== word(FW_HEADER_CRC)) return null;
  const image = flash.subarray(at, at + FW_HEADER_BYTES + payload);
  return crc32(image.subarray(FW_HEADER_BYTES)) === word(FW_PAYLOAD_CRC) ? image : null;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  return crc;
});

/** As in zlib. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}
