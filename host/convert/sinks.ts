/** Where an image is written: a file that appears only when it is whole, or memory. */
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TritkitError } from "../errors.ts";
import { FilePositions, inMemory, type Positions } from "../image/positions.ts";

export interface ImageSink {
  write(bytes: Uint8Array, position: number): Promise<void>;
  read(position: number, length: number): Promise<Uint8Array>;
  /** What has been written, for our own reader; to be closed before the image appears. */
  open(): Positions & { close(): void };
  /** The image is whole: make it appear. */
  finish(): Promise<void>;
  /** Leave nothing behind. */
  discard(): Promise<void>;
}

export class MemorySink implements ImageSink {
  readonly bytes: Uint8Array;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.bytes.set(bytes, position);
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    return this.bytes.subarray(position, position + length);
  }

  open(): Positions & { close(): void } {
    return { ...inMemory(this.bytes), close() {} };
  }

  async finish(): Promise<void> {}

  async discard(): Promise<void> {}
}

/** Writes beside `path` and renames at the end, so that `path` is the old file or the whole new one, never a part. */
export class FileSink implements ImageSink {
  private readonly path: string;
  private readonly temporary: string;
  private readonly file: FileHandle;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.path = path;
    this.temporary = temporary;
    this.file = file;
  }

  /** @throws TritkitError E_OUTPUT */
  static async create(path: string): Promise<FileSink> {
    const temporary = join(dirname(path), `.${process.pid}-${Date.now().toString(36)}.trit.part`);
    try {
      if ((await stat(path).catch(() => null))?.isDirectory()) throw new Error("it is a folder");
      return new FileSink(path, temporary, await open(temporary, "wx+"));
    } catch (error) {
      throw outputError(path, error);
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.file
        .write(bytes, done, bytes.length - done, position + done)
        .catch((error) => {
          throw outputError(this.path, error);
        });
      done += bytesWritten;
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.file.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) break; // Never written, at the end of the file: zeros.
      done += bytesRead;
    }
    return bytes;
  }

  open(): FilePositions {
    return new FilePositions(this.temporary);
  }

  async finish(): Promise<void> {
    try {
      await this.file.sync();
      await this.file.close();
      await rename(this.temporary, this.path);
    } catch (error) {
      throw outputError(this.path, error);
    }
  }

  async discard(): Promise<void> {
    await this.file.close().catch(() => {});
    await rm(this.temporary, { force: true });
  }
}

function outputError(path: string, cause: unknown): TritkitError {
  const reason = cause instanceof Error ? cause.message.split(",")[0] : String(cause);
  return new TritkitError(
    "E_OUTPUT",
    `${path} cannot be written: ${reason}.`,
    "Choose another place with -o.",
    undefined,
    { cause },
  );
}
