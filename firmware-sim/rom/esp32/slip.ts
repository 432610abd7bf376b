/**
 * SLIP framing (RFC 1055) as the boot loaders of Espressif's chips use it: every frame begins and ends with END.
 * Source: esptool documentation, "Serial Protocol", section "Low Level Protocol".
 *
 *     C0 | payload: C0 -> DB DC, DB -> DB DD | C0
 *
 *     byte         outside a frame     inside a frame              after DB
 *     C0           frame begins        frame ends; empty: begins   frame is dropped
 *     DB           dropped             escape begins               frame is dropped
 *     DC, DD       dropped             payload                     C0, DB
 *     any other    dropped             payload                     frame is dropped
 *
 * An END that follows an END begins a frame (the empty one between them is ignored): after noise the next frame is good.
 * NOT IMPLEMENTED: a stub of a certain build falls out of step there until it is reset; chips differ, this one is kind.
 */
const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** One frame on the line. */
export function slipFrame(payload: Uint8Array): Uint8Array {
  const line = [END];
  for (const byte of payload) {
    if (byte === END) line.push(ESC, ESC_END);
    else if (byte === ESC) line.push(ESC, ESC_ESC);
    else line.push(byte);
  }
  line.push(END);
  return Uint8Array.from(line);
}

export class SlipReader {
  #state: "outside" | "inside" | "escape" = "outside";
  #length = 0;
  readonly #payload: Uint8Array;

  /** @param room the longest payload; a longer frame is dropped */
  constructor(room: number) {
    this.#payload = new Uint8Array(room);
  }

  /** Frames that `bytes` complete. */
  push(bytes: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const byte of bytes) {
      const frame = this.#take(byte);
      if (frame !== null) frames.push(frame);
    }
    return frames;
  }

  reset(): void {
    this.#state = "outside";
    this.#length = 0;
  }

  #take(byte: number): Uint8Array | null {
    if (this.#state === "escape") {
      const plain = byte === ESC_END ? END : byte === ESC_ESC ? ESC : null;
      if (plain === null) this.reset();
      else this.#put(plain);
    } else if (byte === END) {
      const complete = this.#state === "inside" && this.#length > 0;
      const frame = complete ? this.#payload.slice(0, this.#length) : null;
      this.#state = complete ? "outside" : "inside";
      this.#length = 0;
      return frame;
    } else if (this.#state === "inside") {
      if (byte === ESC) this.#state = "escape";
      else this.#put(byte);
    }
    return null;
  }

  #put(byte: number): void {
    this.#state = "inside";
    if (this.#length === this.#payload.length) this.reset();
    else this.#payload[this.#length++] = byte;
  }
}
