/**
 * Reads a GGUF header from front to back through a window, so that a file may be of any size and a length that it claims costs nothing before it is checked:
 * nothing is taken that lies beyond the file's end, or beyond the longest header that is believed.
 */
import type { FileHandle } from "node:fs/promises";
import { badGguf } from "./errors.ts";

/** Vocabularies of 260,000 tokens with their merges make headers of 15 MB. */
export const HEADER_MAX = 64 << 20;
const WINDOW = 1 << 20;

export class Cursor {
  readonly name: string;
  private readonly file: FileHandle;
  private readonly fileBytes: number;
  private window: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private view = new DataView(new ArrayBuffer(0));
  /** Of the window, in the file. */
  private start = 0;
  private at = 0;
  private readonly decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param name of the file, for messages */
  constructor(name: string, file: FileHandle, fileBytes: number) {
    this.name = name;
    this.file = file;
    this.fileBytes = fileBytes;
  }

  /** From the file's first byte. */
  get position(): number {
    return this.start + this.at;
  }

  /** Bytes that can still be asked for. */
  get left(): number {
    return Math.min(this.fileBytes, HEADER_MAX) - this.position;
  }

  /**
   * Makes `bytes` bytes ready for the readers below, which are plain calls: a header has some hundred thousand fields.
   * @param what is being read, for the message
   */
  async need(bytes: number, what: string): Promise<void> {
    if (this.at + bytes > this.window.length) await this.fill(bytes, what);
  }

  u32(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  u64(): bigint {
    this.at += 8;
    return this.view.getBigUint64(this.at - 8, true);
  }

  /** A copy. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    this.at += count;
    return this.window.slice(this.at - count, this.at);
  }

  /** A length of 64 bits and as many bytes of UTF-8. */
  async text(what: string, max: number): Promise<string> {
    await this.need(8, what);
    const length = this.u64();
    if (length > BigInt(Math.max(0, this.left))) throw badGguf(this.name, `says that ${what} has ${length} bytes`);
    if (length > max) throw badGguf(this.name, `says that ${what} has ${length} bytes, at most ${max} are read`);
    await this.need(Number(length), what);
    return this.decode(Number(length), what);
  }

  /** As `text` when all of it is ready, else null: most of a header are short texts, and waiting costs more than reading. */
  readyText(what: string): string | null {
    if (this.at + 8 > this.window.length) return null;
    const length = this.view.getBigUint64(this.at, true);
    if (length > BigInt(this.window.length - this.at - 8)) return null;
    this.at += 8;
    return this.decode(Number(length), what);
  }

  private decode(length: number, what: string): string {
    this.at += length;
    try {
      return this.decoder.decode(this.window.subarray(this.at - length, this.at));
    } catch {
      throw badGguf(this.name, `has ${what} that is no UTF-8`);
    }
  }

  private async fill(bytes: number, what: string): Promise<void> {
    if (bytes > this.left)
      throw this.fileBytes > HEADER_MAX
        ? badGguf(this.name, `has a header of more than ${HEADER_MAX} bytes`)
        : badGguf(this.name, `ends in ${what}`);
    const length = Math.min(Math.max(bytes, WINDOW), this.left);
    const next = new Uint8Array(length);
    const kept = this.window.length - this.at;
    next.set(this.window.subarray(this.at));
    this.start += this.at;
    this.at = 0;
    for (let done = kept; done < length; ) {
      const { bytesRead } = await this.file.read(next, done, length - done, this.start + done);
      if (bytesRead === 0) throw badGguf(this.name, `ends in ${what}`);
      done += bytesRead;
    }
    this.window = next;
    this.view = new DataView(next.buffer);
  }
}
