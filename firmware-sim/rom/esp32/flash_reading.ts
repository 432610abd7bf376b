/**
 * READ_FLASH of the stub: packets without any header, each acknowledged by the host with the number of bytes that it has, and
 * at the end the MD5 of all of them.
 * Source: esptool documentation, "Serial Protocol", section "Reading Flash".
 *
 *     stub ── packet ──> host          one packet under way at a time, whatever the host allows (as esp-flasher-stub does)
 *     stub <── u32 ───── host
 *       ...
 *     stub ── MD5 ─────> host
 */
export class FlashReading {
  readonly bytes: Uint8Array;
  readonly #size: number;
  #sent = 0;
  #packet: Uint8Array = new Uint8Array();

  constructor(bytes: Uint8Array, packetBytes: number) {
    this.bytes = bytes;
    this.#size = packetBytes;
  }

  /** What goes out after "packet". */
  get packet(): Uint8Array {
    return this.#packet;
  }

  first(): "packet" | "end" {
    return this.#next();
  }

  /** An acknowledgement that is none ends the reading. */
  acknowledged(frame: Uint8Array): "packet" | "end" {
    return frame.length === 4 ? this.#next() : "end";
  }

  #next(): "packet" | "end" {
    if (this.#sent === this.bytes.length) return "end";
    this.#packet = this.bytes.subarray(this.#sent, this.#sent + this.#size);
    this.#sent += this.#packet.length;
    return "packet";
  }
}
