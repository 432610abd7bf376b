/**
 * UF2, the USB Flashing Format (Microsoft, github.com/microsoft/uf2, README.md): a file of blocks that each say where
 * they go, so that a boot ROM can show a USB drive and program what is copied there. A block, little-endian:
 *
 *     0     4     8     12       16       20       24         28         32          508  512
 *     UF2\n 9E5D  flags address  payload  block    blocks of  family     data, 476   0AB1
 *           5157                 bytes    number   family     of chips               6F30
 *
 * The ROMs of RP2040 and RP2350 take payloads of 256 bytes on 256-byte boundaries, ignore blocks of other families, and
 * restart when all blocks of theirs have come (RP2040 Datasheet 2.8.4.2; RP2350 Datasheet 5.5.2 and 5.5.3).
 *
 * NOT IMPLEMENTED: file containers, MD5 and extension tags (their blocks are read, the tags ignored), images for RAM.
 */
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { joinSegments } from "./layout.ts";
import type { FirmwareSegment } from "./segments.ts";

export const UF2_BLOCK_BYTES = 512;
const MAGIC_0 = 0x0a324655;
const MAGIC_1 = 0x9e5d5157;
const MAGIC_END = 0x0ab16f30;
const FLAG_NOT_MAIN_FLASH = 0x00000001;
const FLAG_FILE_CONTAINER = 0x00001000;
const FLAG_FAMILY = 0x00002000;
const HEADER_BYTES = 32;
const DATA_BYTES = 476;
/** What the ROMs take, and nothing else. */
export const UF2_PAYLOAD_BYTES = 256;
/** What the ROMs erase at a time. */
const SECTOR_BYTES = 4096;

/** A chip whose boot ROM is a UF2 drive. */
export interface Uf2Chip {
  /** As utils/uf2families.json lists it: rp2040; rp2350-arm-s. */
  readonly family: number;
  /** "Board-ID" in the drive's INFO_UF2.TXT, which is also the name of the drive. */
  readonly boardId: string;
}

/** By the `chip` of the board's file. */
const UF2_CHIPS: Readonly<Record<string, Uf2Chip>> = {
  RP2040: { family: 0xe48bff56, boardId: "RPI-RP2" },
  RP2350: { family: 0xe48bff59, boardId: "RP2350" },
};

/** @throws TritkitError E_UNSUPPORTED for a chip that this file does not know, whatever its board's file says */
export function uf2Chip(chip: string): Uf2Chip {
  if (Object.hasOwn(UF2_CHIPS, chip)) return UF2_CHIPS[chip];
  const known = Object.keys(UF2_CHIPS).join(", ");
  throw new TritkitError("E_UNSUPPORTED", `tritkit does not know how ${chip} takes UF2 files.`, `It knows: ${known}.`);
}

/** Blocks of this family are programmed by an RP2350 where they say, beside those of its own. */
const FAMILY_ABSOLUTE = 0xe48bff57;
/**
 * picotool puts one such block in front of a file for the RP2350: it lies behind every real flash and works around
 * erratum RP2350-E10 (from memory). It is no firmware.
 */
const E10_ADDRESS = 0x10ffff00;
const E10_FILL = 0xef;

const damaged = (what: string): TritkitError =>
  new TritkitError("E_FIRMWARE_FILE", `The UF2 file is damaged: ${what}.`, "Build or download it again.");

interface Block {
  flags: number;
  family: number | null;
  address: number;
  number: number;
  total: number;
  payload: Uint8Array;
}

function readBlock(file: Uint8Array, index: number): Block {
  const view = new DataView(file.buffer, file.byteOffset + index * UF2_BLOCK_BYTES, UF2_BLOCK_BYTES);
  const word = (offset: number): number => view.getUint32(offset, true);
  if (word(0) !== MAGIC_0 || word(4) !== MAGIC_1 || word(508) !== MAGIC_END)
    throw damaged(`block ${index} has no UF2 marks`);
  const flags = word(8);
  const bytes = word(16);
  if (bytes > DATA_BYTES) throw damaged(`block ${index} claims ${bytes} bytes of data`);
  const start = index * UF2_BLOCK_BYTES + HEADER_BYTES;
  const family = (flags & FLAG_FAMILY) !== 0 ? word(28) : null;
  const payload = file.subarray(start, start + bytes);
  return { flags, family, address: word(12), number: word(20), total: word(24), payload };
}

/**
 * What a boot ROM of `family` would program.
 * @throws TritkitError E_FIRMWARE_FILE (damaged, incomplete, or nothing that the ROM would take), E_FIRMWARE_BOARD (all of it
 *   is for other chips)
 */
export function readUf2(file: Uint8Array, family: number): FirmwareSegment[] {
  if (file.length === 0 || file.length % UF2_BLOCK_BYTES !== 0)
    throw damaged(`its ${file.length} bytes are no whole number of blocks of ${UF2_BLOCK_BYTES}`);
  const blocks = Array.from({ length: file.length / UF2_BLOCK_BYTES }, (_, index) => readBlock(file, index));
  const own = blocks.filter((block) => block.family === family);
  if (own.length === 0) {
    const others = [...new Set(blocks.map((block) => block.family))]
      .map((other) => (other === null ? "none" : `0x${other.toString(16)}`))
      .join(", ");
    const message = `The UF2 file is for another chip: its family is ${others}, the board's is 0x${family.toString(16)}.`;
    throw new TritkitError("E_FIRMWARE_BOARD", message, "Choose another file or another --board.", EXIT_REFUSED);
  }
  const seen = new Set<number>();
  for (const { total, number } of own) {
    if (total !== own.length) throw damaged(`it has ${own.length} of ${total} blocks`);
    if (number >= total || seen.has(number)) throw damaged(`block number ${number} comes out of turn`);
    seen.add(number);
  }
  const flashed = blocks.filter((block) => block.family === family || isAbsolute(block));
  const segments = flashed.filter(({ flags }) => (flags & FLAG_NOT_MAIN_FLASH) === 0);
  for (const { flags, address, payload } of segments) {
    if ((flags & FLAG_FILE_CONTAINER) !== 0) throw damaged("it holds files, not flash");
    if (payload.length !== UF2_PAYLOAD_BYTES || address % UF2_PAYLOAD_BYTES !== 0)
      throw damaged(`${payload.length} bytes for 0x${address.toString(16)} are no page of ${UF2_PAYLOAD_BYTES}`);
  }
  return joinSegments(segments.map(({ address, payload }) => ({ address, bytes: payload })));
}

function isAbsolute({ family, address, payload }: Block): boolean {
  if (family !== FAMILY_ABSOLUTE) return false;
  return address !== E10_ADDRESS || payload.some((byte) => byte !== E10_FILL);
}

/**
 * A file that programs `segments`. Every sector that one of them touches is there as a whole, 0xFF where nothing is said: the
 * ROM erases sectors, and the RP2040's loses data of sectors that come in parts (erratum RP2040-E14).
 */
export function writeUf2(segments: readonly FirmwareSegment[], family: number): Uint8Array {
  const sectors = new Map<number, Uint8Array>();
  for (const { address, bytes } of joinSegments(segments)) {
    for (let done = 0; done < bytes.length; ) {
      const at = address + done;
      const start = at - (at % SECTOR_BYTES);
      const piece = bytes.subarray(done, done + start + SECTOR_BYTES - at);
      const sector = sectors.get(start) ?? new Uint8Array(SECTOR_BYTES).fill(0xff);
      sector.set(piece, at - start);
      sectors.set(start, sector);
      done += piece.length;
    }
  }
  const total = (sectors.size * SECTOR_BYTES) / UF2_PAYLOAD_BYTES;
  const file = new Uint8Array(total * UF2_BLOCK_BYTES);
  let number = 0;
  for (const [start, sector] of [...sectors].sort(([a], [b]) => a - b)) {
    for (let offset = 0; offset < SECTOR_BYTES; offset += UF2_PAYLOAD_BYTES, number++) {
      const view = new DataView(file.buffer, number * UF2_BLOCK_BYTES, UF2_BLOCK_BYTES);
      const head = [MAGIC_0, MAGIC_1, FLAG_FAMILY, start + offset, UF2_PAYLOAD_BYTES, number, total, family];
      head.forEach((word, i) => {
        view.setUint32(4 * i, word, true);
      });
      file.set(sector.subarray(offset, offset + UF2_PAYLOAD_BYTES), number * UF2_BLOCK_BYTES + HEADER_BYTES);
      view.setUint32(508, MAGIC_END, true);
    }
  }
  return file;
}
