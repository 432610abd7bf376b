// What every framing offers: messages to bytes of the line and back. A decoder is a pure transform that never sees a port;
// damaged frames are dropped and counted, and whatever is no frame is log text.

export interface FrameSink {
  /** One SMP message whose CRC was right. The array belongs to the receiver. */
  frame(message: Uint8Array): void;
  /** Bytes of the line that belong to no frame. */
  text(bytes: Uint8Array): void;
}

export interface Decoder {
  push(chunk: Uint8Array): void;
  /** Frames dropped because of damage: bad characters, lengths or CRC. */
  readonly damaged: number;
}

export interface Framing {
  readonly name: "console" | "cobs";
  encode(message: Uint8Array): Uint8Array;
  decoder(sink: FrameSink): Decoder;
}
