/**
 * A download into flash, between FLASH_BEGIN (or FLASH_DEFL_BEGIN) and its end: what both loaders do with the bytes.
 *
 *     ROM    erases the whole range at once when the download begins
 *     stub   erases a sector when the first byte for it comes
 *
 * Source: esptool documentation, "Serial Protocol", section "Writing Data". NOR flash: whatever shares a sector with the range is
 * lost with it.
 *
 * NOT IMPLEMENTED: 64 KiB block erases (a chip is faster with them), encrypted downloads.
 */
import type { Failure } from "./commands.ts";
import { InflateError, type InflateState, inflate, inflateState } from "./inflate.ts";

/** The whole SPI flash of a board; addresses count from its first byte. Erase and program take their time before they return. */
export interface RomFlash {
  readonly bytes: number;
  read(address: number, length: number): Uint8Array;
  /** One sector. @returns false when the flash could not do it */
  erase(address: number, length: number): boolean;
  /** Within one page. @returns false when the flash could not do it */
  program(address: number, bytes: Uint8Array): boolean;
}

export const SECTOR = 4096;
const PAGE = 256;

/** Plain data. */
export interface Download {
  /** Where the next byte goes. */
  at: number;
  /** End of the sectors that are erased. */
  erasedTo: number;
  /** Bytes still to come, uncompressed. */
  remaining: number;
  /** null: the bytes come as they are. */
  stream: InflateState | null;
}

export function beginDownload(address: number, bytes: number, compressed: boolean): Download {
  const erasedTo = address - (address % SECTOR);
  return { at: address, erasedTo, remaining: bytes, stream: compressed ? inflateState() : null };
}

/** Erases everything that the download will need. */
export function eraseAhead(flash: RomFlash, download: Download): Failure | null {
  return eraseTo(flash, download, download.at + download.remaining);
}

/** Writes what came with one _DATA command. The last plain block is padded to the size of a block; the padding is not written. */
export function writeBlock(flash: RomFlash, download: Download, block: Uint8Array): Failure | null {
  if (download.stream === null) return write(flash, download, block.subarray(0, download.remaining));
  let plain: Uint8Array;
  try {
    plain = inflate(download.stream, block);
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    return "inflate";
  }
  return plain.length > download.remaining ? "too-much" : write(flash, download, plain);
}

function write(flash: RomFlash, download: Download, bytes: Uint8Array): Failure | null {
  const failure = eraseTo(flash, download, download.at + bytes.length);
  if (failure !== null) return failure;
  for (let done = 0; done < bytes.length; ) {
    const piece = bytes.subarray(done, done + PAGE - (download.at % PAGE));
    if (!flash.program(download.at, piece)) return "flash";
    download.at += piece.length;
    download.remaining -= piece.length;
    done += piece.length;
  }
  return null;
}

function eraseTo(flash: RomFlash, download: Download, end: number): Failure | null {
  for (; download.erasedTo < end; download.erasedTo += SECTOR)
    if (!flash.erase(download.erasedTo, SECTOR)) return "flash";
  return null;
}
