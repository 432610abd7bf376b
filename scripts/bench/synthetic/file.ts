/** A large file written from front to back: bytes gather in blocks, and one block goes to disk while the next is made. It has its name only when it is whole. */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { throwIfAborted } from "../../../host/errors.ts";

const BLOCK_BYTES = 8 << 20;

export class StreamFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #signal: AbortSignal | undefined;
  #block = new Uint8Array(BLOCK_BYTES);
  #spare = new Uint8Array(BLOCK_BYTES);
  #used = 0;
  #writing: Promise<unknown> = Promise.resolve();
  /** Bytes so far. */
  bytes = 0;

  private constructor(path: string, file: FileHandle, signal?: AbortSignal) {
    this.#path = path;
    this.#file = file;
    this.#signal = signal;
  }

  /** @param make writes the content; when it throws, nothing is left of the file */
  static async write(path: string, make: (file: StreamFile) => Promise<void>, signal?: AbortSignal): Promise<void> {
    const part = `${path}.part`;
    const stream = new StreamFile(path, await open(part, "w"), signal);
    try {
      await make(stream);
      await stream.#flush();
      await stream.#writing;
      await stream.#file.close();
      await rename(part, path);
    } catch (error) {
      await stream.#writing.catch(() => {});
      await stream.#file.close().catch(() => {});
      await rm(part, { force: true });
      throw error;
    }
  }

  /** Room for `bytes` bytes (at most a block) that the caller fills before the next call. */
  async room(bytes: number): Promise<Uint8Array> {
    if (this.#used + bytes > BLOCK_BYTES) await this.#flush();
    const room = this.#block.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    this.bytes += bytes;
    return room;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const part = bytes.subarray(at, at + BLOCK_BYTES);
      (await this.room(part.length)).set(part);
    }
  }

  /** Zeros up to a multiple of `step`. */
  async align(step: number): Promise<void> {
    const missing = -this.bytes % step;
    if (missing !== 0) (await this.room(step + missing)).fill(0);
  }

  async #flush(): Promise<void> {
    await this.#writing;
    throwIfAborted(this.#signal);
    const full = this.#block.subarray(0, this.#used);
    this.#writing = writeAll(this.#file, full);
    // Whoever awaits it hears of a failure; until then it is not "unhandled".
    this.#writing.catch(() => {});
    [this.#block, this.#spare] = [this.#spare, this.#block];
    this.#used = 0;
  }

  get path(): string {
    return this.#path;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
