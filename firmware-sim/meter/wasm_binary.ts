/** Reading and writing WebAssembly's binary format (core specification 2.0, chapter 5), as far as instrument.ts needs it. */
import { SimError } from "../sim_error.ts";

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
} as const;

export const I32 = 0x7f;
export const PAGE = 65536;
const HEADER = 8; // magic and version

/** Where a section's content lies. */
export interface Section {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

export class Reader {
  at: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new SimError("E_SIM_LINK", "the device build ends in the middle");
    return this.bytes[this.at++];
  }

  /** Unsigned LEB128 of at most 32 bits. */
  leb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** Signed LEB128 of at most 32 bits; of a longer one the number is not exact. */
  signed(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      factor *= 128;
      if (byte < 128) return byte & 64 ? value - factor : value;
    }
  }

  /** `read` for each element of a vector. */
  each(read: (index: number) => void): void {
    const count = this.leb();
    for (let i = 0; i < count; i++) read(i);
  }

  text(): string {
    const length = this.leb();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
}

export function sectionsOf(wasm: Uint8Array): Section[] {
  const reader = new Reader(wasm, HEADER);
  const found: Section[] = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const length = reader.leb();
    found.push({ id, from: reader.at, to: reader.at + length });
    reader.at += length;
  }
  return found;
}

/** Bytes that grow. */
export class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  put(...bytes: number[]): this {
    this.#room(bytes.length);
    for (const byte of bytes) this.#bytes[this.#length++] = byte;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  leb(value: number): this {
    return this.put(...leb(value));
  }

  /** A section or a function's body: its length, then itself. */
  sized(content: Uint8Array): this {
    return this.leb(content.length).bytes(content);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + bytes));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Unsigned, below 2^32. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return bytes;
}

/** Of an i32, given as signed or unsigned. */
export function sleb(value: number): number[] {
  let rest = value | 0;
  const bytes: number[] = [];
  for (;;) {
    const low = rest & 127;
    rest >>= 7;
    if ((rest === 0 && !(low & 64)) || (rest === -1 && low & 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

export function text(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...leb(bytes.length), ...bytes];
}

/** Bytes in front of the first section. */
export function header(wasm: Uint8Array): Uint8Array {
  return wasm.subarray(0, HEADER);
}
