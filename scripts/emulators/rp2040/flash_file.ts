/**
 * The 2 MiB of a Pico's flash in a file. Every erase and program is written to it as it begins, before the chip goes on, so that SIGKILL at any
 * moment is a power cut between two operations; a torn operation is what --cut is for.
 *
 * NOT IMPLEMENTED: fsync (the file survives the process, not the machine), a lock against two emulators on one file.
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { FLASH_BYTES, Rp2040Error } from "./chip.ts";

export interface FlashFile {
  readonly content: Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  close(): void;
}

/** Opens the file, or makes a blank one. @throws Rp2040Error E_RP2040_FILE when it cannot be used or is not 2 MiB long */
export function openFlashFile(path: string): FlashFile {
  try {
    if (!existsSync(path)) writeFileSync(path, new Uint8Array(FLASH_BYTES).fill(0xff), { flag: "wx" });
    const content = new Uint8Array(readFileSync(path));
    if (content.length !== FLASH_BYTES) throw new Error(`it has ${content.length} bytes, not ${FLASH_BYTES}`);
    const file = openSync(path, "r+");
    return {
      content,
      write: (offset, bytes) => {
        writeSync(file, bytes, 0, bytes.length, offset);
      },
      close: () => closeSync(file),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Rp2040Error("E_RP2040_FILE", `flash file ${path}: ${reason}`, { cause });
  }
}
