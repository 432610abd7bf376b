// NumPy's .npy format, version 1.0, written row by row: float32 (rows, cols), C order.
import type { FileHandle } from "node:fs/promises";

const HEADER_BYTES = 128;

export class NpyRows {
  readonly #file: FileHandle;
  readonly #cols: number;
  #rows = 0;
  #waiting: Float32Array[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, cols: number) {
    this.#file = file;
    this.#cols = cols;
  }

  static async create(file: FileHandle, cols: number): Promise<NpyRows> {
    // Without a position, so that the rows come behind it: a write at a position leaves the file's own where it was.
    await file.write(Buffer.alloc(HEADER_BYTES));
    return new NpyRows(file, cols);
  }

  add(row: Float32Array): void {
    this.#rows++;
    this.#waiting.push(row);
    if (this.#waiting.length < 64) return;
    this.#writing = this.#writing.then(() => this.#flush());
    // A full disk is finish()'s to tell.
    this.#writing.catch(() => {});
  }

  async #flush(): Promise<void> {
    const rows = this.#waiting;
    this.#waiting = [];
    const bytes = rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength));
    if (bytes.length > 0) await this.#file.appendFile(Buffer.concat(bytes));
  }

  /** Writes the rest and the header, whose shape is known only now. */
  async finish(): Promise<void> {
    await this.#writing;
    await this.#flush();
    const shape = `{'descr': '<f4', 'fortran_order': False, 'shape': (${this.#rows}, ${this.#cols}), }`;
    const header = Buffer.alloc(HEADER_BYTES, 0x20);
    header.write("\x93NUMPY\x01\x00", 0, "latin1");
    header.writeUInt16LE(HEADER_BYTES - 10, 8);
    header.write(shape, 10, "latin1");
    header[HEADER_BYTES - 1] = 0x0a;
    await this.#file.write(header, 0, HEADER_BYTES, 0);
  }
}
