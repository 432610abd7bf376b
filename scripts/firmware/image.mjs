/**
 * Firmware that can replace itself (spec/FIRMWARE.md): the header that linking left room for, the file that travels over the wire, and what a
 * boot ROM is given: selector, blank records, slot 0.
 *
 *     0 ....... 31 | 32 ................. 75 | 76 .. 255 | 256 ........ | 40 bytes
 *     MCUboot        mark, CRCs, board         0xFF        payload        TLV with the SHA-256 of all before
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { loadHeaders, loadSegments } from "./elf.mjs";

/** spec/firmware.ts has these too; a test compares what is made here with what the host reads. */
const HEADER_BYTES = 256;
const MAGIC = 0x96f3b83d;
const ROM_FIXED = 0x100;
const MARK = 0x57464b54; // TKFW
const PAYLOAD_CRC = 36;
const BOARD = 40;
const BOARD_BYTES = 32;
const HEADER_CRC = 72;
const TLV_MAGIC = 0x6907;
const TLV_SHA256 = 0x10;

/**
 * @typedef {object} Made
 * @property {string} board
 * @property {string} version major.minor.revision
 * @property {number} address of the slot
 */

/**
 * @param {Made} made
 * @param {Uint8Array} payload
 * @returns {Buffer} 256 bytes
 */
export function firmwareHeader({ board, version, address }, payload) {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (numbers === undefined || numbers[0] > 255 || numbers[1] > 255 || numbers[2] > 65535)
    throw new Error(`${version} is no version that fits an image's header`);
  if (Buffer.byteLength(board) > BOARD_BYTES) throw new Error(`${board} is too long a name`);
  const header = Buffer.alloc(HEADER_BYTES, 0xff);
  header.fill(0, 0, HEADER_CRC);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(address, 4);
  header.writeUInt16LE(HEADER_BYTES, 8);
  header.writeUInt32LE(payload.length, 12);
  header.writeUInt32LE(ROM_FIXED, 16);
  header.writeUInt8(numbers[0], 20);
  header.writeUInt8(numbers[1], 21);
  header.writeUInt16LE(numbers[2], 22);
  header.writeUInt32LE(MARK, 32);
  header.writeUInt32LE(crc32(payload), PAYLOAD_CRC);
  header.write(board, BOARD, "utf8");
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_CRC)), HEADER_CRC);
  return header;
}

/**
 * What is uploaded: header, payload, trailer.
 * @param {Made} made
 * @param {Uint8Array} payload what is linked behind the header
 */
export function firmwareFile(made, payload) {
  const image = Buffer.concat([firmwareHeader(made, payload), payload]);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt16LE(TLV_MAGIC, 0);
  trailer.writeUInt16LE(40, 2);
  trailer.writeUInt16LE(TLV_SHA256, 4);
  trailer.writeUInt16LE(32, 6);
  return new Uint8Array(Buffer.concat([image, trailer, createHash("sha256").update(image).digest()]));
}

/**
 * Fills the header into an ELF file whose first segment is a slot, in place, and returns the file to upload.
 * @param {Uint8Array} elf
 * @param {Made} made
 */
export function sealFirmware(elf, made) {
  const slot = loadSegments(elf).find(({ address }) => address === made.address);
  if (slot === undefined) throw new Error(`the firmware has nothing at 0x${made.address.toString(16)}`);
  const file = firmwareFile(made, slot.bytes.subarray(HEADER_BYTES));
  const header = loadHeaders(elf).find(({ address, bytes }) => address === made.address && bytes >= HEADER_BYTES);
  if (header === undefined) throw new Error("the firmware has no room for its header");
  elf.set(file.subarray(0, HEADER_BYTES), header.offset);
  return file;
}

/**
 * What a boot ROM writes: one piece from the start of flash to the end of slot 0. Its records are blank, so that what an earlier life of the
 * board recorded cannot make the selector start something else.
 * @param {number} base of flash
 * @param {Uint8Array} selector
 * @param {number} slot0 offset of slot 0
 * @param {Uint8Array} file
 */
export function deliveredFlash(base, selector, slot0, file) {
  const bytes = new Uint8Array(slot0 + file.length).fill(0xff);
  bytes.set(selector);
  bytes.set(file, slot0);
  return { address: base, bytes };
}
