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
import type { RomCodec } from "./codec.ts";
import type { Failure } from "./commands.ts";

/** The whole SPI flash of a board. Erase and program take their time in the board's clock before they return. */
export interface RomFlash {
  readonly bytes: number;
  read(address: number, length: number): Uint8Array;
  /** Whole sectors. @returns false when the flash could not do it */
  erase(address: number, length: number): boolean;
  /** Within one page. @returns false when the flash could not do it */
  program(address: number, bytes: Uint8Array): boolean;
}

export const SECTOR = 4096;
const PAGE = 256;

export class FlashWriter {
  readonly #flash: RomFlash;
  readonly #inflater: ReturnType<RomCodec["inflater"]> | null;
  #at: number;
  #erasedTo: number;
  /** Bytes still to come, uncompressed. */
  #remaining: number;

  /** @param inflater null: the bytes come as they are */
  constructor(flash: RomFlash, offset: number, bytes: number, inflater: ReturnType<RomCodec["inflater"]> | null) {
    this.#flash = flash;
    this.#at = offset;
    this.#erasedTo = offset - (offset % SECTOR);
    this.#remaining = bytes;
    this.#inflater = inflater;
  }

  get compressed(): boolean {
    return this.#inflater !== null;
  }

  get remaining(): number {
    return this.#remaining;
  }

  /** Erases ahead: everything that the download will need. */
  eraseAll(): Failure | null {
    return this.#eraseTo(this.#at + this.#remaining);
  }

  /** What came with one _DATA command. Plain blocks are padded to the size of a block; the padding is not written. */
  take(block: Uint8Array): Failure | null {
    if (this.#inflater === null) return this.#write(block.subarray(0, this.#remaining));
    let plain: Uint8Array;
    try {
      plain = this.#inflater.push(block);
    } catch {
      return "inflate";
    }
    return plain.length > this.#remaining ? "too-much" : this.#write(plain);
  }

  #write(bytes: Uint8Array): Failure | null {
    const failure = this.#eraseTo(this.#at + bytes.length);
    if (failure !== null) return failure;
    for (let done = 0; done < bytes.length; ) {
      const piece = bytes.subarray(done, done + PAGE - (this.#at % PAGE));
      if (!this.#flash.program(this.#at, piece)) return "flash";
      this.#at += piece.length;
      this.#remaining -= piece.length;
      done += piece.length;
    }
    return null;
  }

  #eraseTo(end: number): Failure | null {
    for (; this.#erasedTo < end; this.#erasedTo += SECTOR)
      if (!this.#flash.erase(this.#erasedTo, SECTOR)) return "flash";
    return null;
  }
}
