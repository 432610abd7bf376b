/**
 * Hears on the serial line how many tokens a board has told its host, whatever the framing: the answers to `next` (spec/WIRE.md, TRITKIT 6),
 * found in the stream of bytes. So "until the next token" means the same for every firmware and every client.
 *
 *     console   06 09 base64 0A, 04 14 base64 0A ...      COBS   00 ... 00      both are looked for; a CRC decides
 *
 * NOT IMPLEMENTED: tokens that were made and not told yet.
 */
import {
  CONSOLE_FIRST_0,
  CONSOLE_FIRST_1,
  CONSOLE_NEXT_0,
  CONSOLE_NEXT_1,
  CRC16_POLY,
  GROUP_TRITKIT,
  MTU,
  OP_READ_RSP,
  SMP_HEADER_BYTES,
  TK_NEXT,
} from "../../spec/wire.ts";

const CRC_BYTES = 2;
const PIECE_MAX = 2 * MTU;

export class TokenTap {
  /** Tokens heard since the tap was made. */
  tokens = 0;
  /** Of the answer under way: its id, and one past the highest index that was heard. */
  #id = -1;
  #told = 0;
  /** Bytes since the last zero, and of the console's packet. */
  #cobs: number[] = [];
  #line: number[] = [];
  #packet: number[] = [];

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0) {
        this.#frame(cobsDecoded(this.#cobs));
        this.#cobs = [];
      } else if (this.#cobs.length < PIECE_MAX) this.#cobs.push(byte);
      if (byte === 0x0a) this.#endLine();
      else if (this.#line.length < PIECE_MAX) this.#line.push(byte);
    }
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = [];
    const first = find(line, CONSOLE_FIRST_0, CONSOLE_FIRST_1);
    const next = find(line, CONSOLE_NEXT_0, CONSOLE_NEXT_1);
    if (first < 0 && next < 0) return;
    const bytes = base64(line.slice(Math.max(first, next) + 2));
    this.#packet = first > next ? bytes : [...this.#packet, ...bytes];
    const length = (this.#packet[0] << 8) | this.#packet[1];
    if (this.#packet.length >= length + 2) {
      this.#frame(this.#packet.slice(2, 2 + length));
      this.#packet = [];
    } else if (this.#packet.length > PIECE_MAX) this.#packet = [];
  }

  /** @param body message and CRC; anything else is nothing */
  #frame(body: readonly number[]): void {
    const length = body.length - CRC_BYTES;
    if (length < SMP_HEADER_BYTES || crc16(body, length) !== ((body[length] << 8) | body[length + 1])) return;
    const isNext = (body[0] & 7) === OP_READ_RSP && ((body[4] << 8) | body[5]) === GROUP_TRITKIT && body[7] === TK_NEXT;
    if (!isNext || ((body[2] << 8) | body[3]) !== length - SMP_HEADER_BYTES) return;
    const reply = new Reply(body.slice(SMP_HEADER_BYTES, length)).read();
    if (reply === null) return;
    if (reply.id !== this.#id) {
      this.#id = reply.id;
      this.#told = 0;
    }
    // An answer that was asked for twice brings tokens again.
    const told = reply.off + reply.count;
    this.tokens += Math.max(told - this.#told, 0);
    this.#told = Math.max(this.#told, told);
  }
}

/** The keys `id`, `off` and `ids` at the beginning of a CBOR map (RFC 8949) that the device wrote. */
class Reply {
  readonly #bytes: readonly number[];
  #at = 0;

  constructor(bytes: readonly number[]) {
    this.#bytes = bytes;
  }

  read(): { id: number; off: number; count: number } | null {
    const found: Record<string, number> = {};
    const map = this.#head();
    if (map.type !== 5) return null;
    for (let i = 0; i < map.value; i++) {
      const key = this.#head();
      if (key.type !== 3) return null;
      const name = String.fromCharCode(...this.#bytes.slice(this.#at, this.#at + key.value));
      this.#at += key.value;
      const value = this.#head();
      if (value.type === 0 || (value.type === 4 && name === "ids")) found[name] = value.value;
      if (["id", "off", "ids"].every((each) => found[each] !== undefined))
        return { id: found.id, off: found.off, count: found.ids };
      if (value.type !== 0) return null;
    }
    return null;
  }

  #head(): { type: number; value: number } {
    const first = this.#bytes[this.#at++] ?? 0xff;
    const short = first & 31;
    if (short < 24) return { type: first >> 5, value: short };
    const length = 1 << (short - 24);
    if (length > 4) return { type: 7, value: 0 };
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + (this.#bytes[this.#at++] ?? 0);
    return { type: first >> 5, value };
  }
}

function find(line: readonly number[], a: number, b: number): number {
  for (let i = line.length - 2; i >= 0; i--) if (line[i] === a && line[i + 1] === b) return i;
  return -1;
}

function base64(line: readonly number[]): number[] {
  const text = String.fromCharCode(...line).trim();
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return [];
  return Array.from(atob(text), (char) => char.charCodeAt(0));
}

function cobsDecoded(data: readonly number[]): number[] {
  const out: number[] = [];
  for (let i = 0; i < data.length; ) {
    const code = data[i];
    if (i + code > data.length) return [];
    for (let j = 1; j < code; j++) out.push(data[i + j]);
    i += code;
    if (code < 255 && i < data.length) out.push(0);
  }
  return out;
}

function crc16(bytes: readonly number[], length: number): number {
  let crc = 0;
  for (let i = 0; i < length; i++) {
    crc ^= bytes[i] << 8;
    for (let k = 0; k < 8; k++) crc = crc & 0x8000 ? ((crc << 1) ^ CRC16_POLY) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
