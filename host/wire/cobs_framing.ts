// COBS framing (spec/WIRE.md, framing B; Cheshire and Baker, "Consistent Overhead Byte Stuffing"): 00 | COBS(message | crc16) | 00.
// 98 % efficient where the console framing reaches 72 %; a zero always starts afresh, so damage never costs the next frame.
import { MTU, SMP_HEADER_BYTES } from "../../spec/wire.ts";
import { crc16 } from "./crc16.ts";
import type { Decoder, FrameSink, Framing } from "./framing.ts";

const ENCODED_MAX = MTU + 2 + Math.ceil((MTU + 2) / 254) + 1;

/** COBS without delimiters. */
export function cobsEncode(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + Math.floor(data.length / 254) + 1);
  let code = 0;
  let at = 1;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0) out[at++] = data[i];
    const run = at - code;
    if (data[i] === 0 || (run === 255 && i + 1 < data.length)) {
      out[code] = run;
      code = at++;
    }
  }
  out[code] = at - code;
  return out.subarray(0, at);
}

/** Inverse of cobsEncode, or null when a code points outside or a zero stands inside. */
export function cobsDecode(data: Uint8Array): Uint8Array | null {
  const out = new Uint8Array(data.length);
  let at = 0;
  for (let i = 0; i < data.length; ) {
    const code = data[i];
    if (code === 0 || i + code > data.length) return null;
    for (let j = 1; j < code; j++) {
      if (data[i + j] === 0) return null;
      out[at++] = data[i + j];
    }
    i += code;
    if (code < 255 && i < data.length) out[at++] = 0;
  }
  return out.subarray(0, at);
}

function encode(message: Uint8Array): Uint8Array {
  const body = Buffer.alloc(message.length + 2);
  body.set(message);
  body.writeUInt16BE(crc16(message), message.length);
  return Buffer.concat([Buffer.of(0), cobsEncode(body), Buffer.of(0)]);
}

class CobsDecoder implements Decoder {
  damaged = 0;
  readonly #sink: FrameSink;
  readonly #buffer = new Uint8Array(ENCODED_MAX);
  #length = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (byte !== 0) {
        // One past the end marks an overlong frame; it is dropped at the next zero.
        if (this.#length < ENCODED_MAX) this.#buffer[this.#length] = byte;
        if (this.#length <= ENCODED_MAX) this.#length++;
        continue;
      }
      if (this.#length > 0) this.#end();
      this.#length = 0;
    }
  }

  #end(): void {
    const body = this.#length > ENCODED_MAX ? null : cobsDecode(this.#buffer.subarray(0, this.#length));
    if (body === null || body.length < SMP_HEADER_BYTES + 2) {
      this.damaged++;
      return;
    }
    const message = body.slice(0, -2);
    const crc = (body[body.length - 2] << 8) | body[body.length - 1];
    // The CRC starts at 0 and is blind to zeros in front (a damaged delimiter makes one): the header's own length is not.
    const length = SMP_HEADER_BYTES + ((message[2] << 8) | message[3]);
    if (crc16(message) !== crc || length !== message.length) this.damaged++;
    else this.#sink.frame(message);
  }
}

export const cobsFraming: Framing = {
  name: "cobs",
  encode,
  decoder: (sink) => new CobsDecoder(sink),
};
