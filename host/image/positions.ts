/**
 * Bytes by position, wherever they are: in memory, or in a file that need not fit there. Reading is synchronous, so that one reader of images serves both;
 * whoever reads whole models from a file does it in pieces of its own (host/engine/load.ts).
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { TritkitError } from "../errors.ts";

export interface Positions {
  /** Bytes there are. */
  readonly size: number;
  /** `length` bytes from `offset` on, which lie inside. A window, or a copy: not to be written. */
  read(offset: number, length: number): Uint8Array;
}

export function inMemory(bytes: Uint8Array): Positions {
  // A plain Uint8Array even of a Buffer, whose slice() would not copy.
  return {
    size: bytes.length,
    read: (offset, length) => new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length),
  };
}

/** One read of a file does not take more than 2 GiB. */
const READ_MAX = 2 ** 30;

export class FilePositions implements Positions {
  readonly path: string;
  readonly size: number;
  readonly fd: number;

  /** @throws Node's errors, e.g. ENOENT */
  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, "r");
    try {
      const found = fstatSync(this.fd);
      // A folder can be opened; what fails is reading it.
      if (found.isDirectory()) throw Object.assign(new Error(`EISDIR: ${path} is a folder`), { code: "EISDIR", path });
      this.size = found.size;
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.fd, bytes, done, Math.min(READ_MAX, length - done), offset + done);
      if (count === 0) throw shorter(this.path);
      done += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}

export function shorter(path: string): TritkitError {
  const message = `${path} became shorter while it was read.`;
  return new TritkitError("E_FILE_CHANGED", message, "Run the command again when nothing writes the file.");
}
