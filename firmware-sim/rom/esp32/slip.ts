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

/** Plain data. */
export interface SlipState {
  place: "outside" | "inside" | "escape";
  /** Of the frame so far. */
  payload: number[];
}

export class SlipReader {
  state: SlipState = { place: "outside", payload: [] };
  readonly #room: number;

  /** @param room the longest payload; a longer frame is dropped */
  constructor(room: number) {
    this.#room = room;
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
    this.state = { place: "outside", payload: [] };
  }

  #take(byte: number): Uint8Array | null {
    const { place, payload } = this.state;
    if (place === "escape") {
      const plain = byte === ESC_END ? END : byte === ESC_ESC ? ESC : null;
      if (plain === null) this.reset();
      else this.#put(plain);
    } else if (byte === END) {
      const complete = place === "inside" && payload.length > 0;
      this.state = { place: complete ? "outside" : "inside", payload: [] };
      return complete ? Uint8Array.from(payload) : null;
    } else if (place === "inside") {
      if (byte === ESC) this.state.place = "escape";
      else this.#put(byte);
    }
    return null;
  }

  #put(byte: number): void {
    this.state.place = "inside";
    if (this.state.payload.length === this.#room) this.reset();
    else this.state.payload.push(byte);
  }
}
