// Console framing of SMP (spec/WIRE.md, framing A): base64 lines that can share the wire with log text.
//
//   06 09 base64( len16 | message ... ) 0A        first line
//   04 14 base64( ...  message | crc16 ) 0A       following lines; len16 counts message + CRC
import {
  CONSOLE_BASE64_MAX,
  CONSOLE_FIRST_0,
  CONSOLE_FIRST_1,
  CONSOLE_LINE_MAX,
  CONSOLE_NEXT_0,
  CONSOLE_NEXT_1,
  MTU,
  SMP_HEADER_BYTES,
} from "../../spec/wire.ts";
import { crc16 } from "./crc16.ts";
import type { Decoder, FrameSink, Framing } from "./framing.ts";

const NEWLINE = 0x0a;
const RAW_PER_LINE = (CONSOLE_BASE64_MAX / 4) * 3;
const PACKET_MAX = 2 + MTU + 2;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function encode(message: Uint8Array): Uint8Array {
  const packet = Buffer.alloc(2 + message.length + 2);
  packet.writeUInt16BE(message.length + 2, 0);
  packet.set(message, 2);
  packet.writeUInt16BE(crc16(message), 2 + message.length);
  const lines: Buffer[] = [];
  for (let at = 0; at < packet.length; at += RAW_PER_LINE) {
    const start = at === 0 ? [CONSOLE_FIRST_0, CONSOLE_FIRST_1] : [CONSOLE_NEXT_0, CONSOLE_NEXT_1];
    const body = packet.subarray(at, at + RAW_PER_LINE).toString("base64");
    lines.push(Buffer.from(start), Buffer.from(`${body}\n`, "latin1"));
  }
  return Buffer.concat(lines);
}

/** Bytes of one base64 line, or null when it is none. */
function decodeLine(line: string): Buffer | null {
  if (line.length === 0 || line.length % 4 !== 0 || !BASE64.test(line)) return null;
  return Buffer.from(line, "base64");
}

class ConsoleDecoder implements Decoder {
  damaged = 0;
  readonly #sink: FrameSink;
  /** First byte of a possible line start, or -1. */
  #marker = -1;
  #line: number[] | null = null;
  #first = false;
  #packet: Buffer | null = null;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    const text: number[] = [];
    for (const byte of chunk) this.#byte(byte, text);
    if (text.length > 0) this.#sink.text(Uint8Array.from(text));
  }

  #byte(byte: number, text: number[]): void {
    if (this.#marker >= 0) {
      const marker = this.#marker;
      this.#marker = -1;
      const first = marker === CONSOLE_FIRST_0 && byte === CONSOLE_FIRST_1;
      if (first || (marker === CONSOLE_NEXT_0 && byte === CONSOLE_NEXT_1)) {
        if (this.#line !== null) this.#damage();
        this.#line = [];
        this.#first = first;
        return;
      }
      // Not a line start after all: the byte held back was text (or damage inside a line).
      if (this.#line === null) text.push(marker);
      else this.#damage();
    }
    if (byte === CONSOLE_FIRST_0 || byte === CONSOLE_NEXT_0) {
      this.#marker = byte;
      return;
    }
    if (this.#line === null) {
      text.push(byte);
      return;
    }
    if (byte === NEWLINE) this.#endLine(this.#line);
    else if (this.#line.push(byte) > CONSOLE_LINE_MAX) this.#damage();
  }

  #damage(): void {
    this.damaged++;
    this.#line = null;
    this.#packet = null;
  }

  #endLine(line: number[]): void {
    this.#line = null;
    if (!this.#first && this.#packet === null) return; // the rest of a frame whose start was lost: counted when it was
    const bytes = decodeLine(String.fromCharCode(...line).replace(/\r$/, ""));
    if (this.#first && this.#packet !== null) this.damaged++;
    this.#packet = bytes === null ? null : this.#first ? bytes : Buffer.concat([this.#packet as Buffer, bytes]);
    const packet = this.#packet;
    const total = packet === null || packet.length < 2 ? 0 : 2 + packet.readUInt16BE(0);
    if (packet === null || total < 2 + SMP_HEADER_BYTES + 2 || total > PACKET_MAX || packet.length > total) {
      this.#damage();
      return;
    }
    if (packet.length < total) return;
    this.#packet = null;
    const message = packet.subarray(2, total - 2);
    if (crc16(message) === packet.readUInt16BE(total - 2)) this.#sink.frame(Uint8Array.from(message));
    else this.#damage();
  }
}

export const consoleFraming: Framing = {
  name: "console",
  encode,
  decoder: (sink) => new ConsoleDecoder(sink),
};
