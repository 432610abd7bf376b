/**
 * One direction of a serial cable: 8 data bits, no parity, 1 stop bit, idle high, least significant bit first.
 *
 *     ──┐     ┌─────┬─────┬ ─ ┬─────┬─────┬───
 *       │start│ d0  │ d1  │   │ d7  │stop │ idle      one byte = 10 bits
 *       └─────┴─────┴─────┴ ─ ┴─────┘     └
 *
 * The sender puts bytes on it with the duration of *its* byte; they follow each other without a gap. The receiver samples
 * with the duration of its own: when the two differ it sees what a real UART would see of that waveform: other bytes,
 * more or fewer of them, and stop bits that are low (framing errors). About 5 % of difference pass unharmed, as on real lines.
 *
 * NOT IMPLEMENTED: parity, 7 data bits, break, flow control lines, noise.
 */

/** Bytes that left the sender back to back. */
interface Burst {
  bytes: number[];
  /** How many of them the receiver is done with. */
  taken: number;
  /** Beginning of the first byte's start bit, ns. */
  start: number;
  /** Duration of a byte, ns. */
  byteNs: number;
  /** The receiver finds the speed by itself. */
  auto: boolean;
}

export interface WireState {
  bursts: Burst[];
  /** When the last byte's stop bit ends, ns. */
  freeAt: number;
  /** The receiver looks for a start bit from here on, ns. */
  readyAt: number;
}

/** A byte as the receiver gets it. */
interface Reception {
  at: number;
  byte: number;
  framingError: boolean;
}

export interface Received {
  bytes: number[];
  framingErrors: number;
  /** When the last of `bytes` was complete, ns. */
  at: number;
}

export class Wire {
  state: WireState = { bursts: [], freeAt: 0, readyAt: 0 };

  /**
   * Puts bytes behind those that are on the line already.
   * @param auto true: any receiver understands them (for a sender that cannot say how fast it is)
   */
  send(bytes: ArrayLike<number>, now: number, byteNs: number, auto: boolean): void {
    if (bytes.length === 0) return;
    const { bursts, freeAt } = this.state;
    const start = Math.max(now, freeAt);
    const last = bursts.at(-1);
    if (last !== undefined && start === freeAt && last.byteNs === byteNs && last.auto === auto)
      for (let i = 0; i < bytes.length; i++) last.bytes.push(bytes[i]);
    else bursts.push({ bytes: Array.from(bytes), taken: 0, start, byteNs, auto });
    this.state.freeAt = start + bytes.length * byteNs;
  }

  /** Bytes that have not left the sender entirely. */
  unsent(now: number): number {
    let count = 0;
    for (const burst of this.state.bursts) {
      const sent = Math.floor((now - burst.start) / burst.byteNs);
      count += burst.bytes.length - Math.min(Math.max(sent, 0), burst.bytes.length);
    }
    return count;
  }

  /** When `n` more bytes will have left the sender, at the latest when all have, ns. */
  sentAt(n: number, now: number): number {
    let missing = n;
    for (const burst of this.state.bursts) {
      const sent = Math.min(Math.max(Math.floor((now - burst.start) / burst.byteNs), 0), burst.bytes.length);
      const rest = burst.bytes.length - sent;
      if (rest >= missing) return burst.start + (sent + missing) * burst.byteNs;
      missing -= rest;
    }
    return this.state.freeAt;
  }

  /** True when the receiver is done with everything that was sent. */
  get empty(): boolean {
    return this.state.bursts.length === 0;
  }

  /** Takes what the receiver, whose byte lasts `byteNs`, has completed by `until`. */
  receive(until: number, byteNs: number): Received {
    const received: Received = { bytes: [], framingErrors: 0, at: 0 };
    for (;;) {
      this.#dropSeen();
      const burst = this.state.bursts[0];
      if (burst === undefined) return received;
      if (this.#inStep(burst, byteNs)) {
        const done = Math.min(Math.floor((until - burst.start) / burst.byteNs), burst.bytes.length);
        if (done <= burst.taken) return received;
        for (let i = burst.taken; i < done; i++) received.bytes.push(burst.bytes[i]);
        received.at = burst.start + done * burst.byteNs;
        burst.taken = done;
        this.state.readyAt = Math.max(this.state.readyAt, received.at);
        continue;
      }
      const next = this.#sample(byteNs);
      if (next === null) {
        // Only high level is left in what was sent so far: nothing to see before it ends.
        if (until < this.state.freeAt) return received;
        this.state.bursts = [];
        return received;
      }
      if (next.at > until) return received;
      received.bytes.push(next.byte);
      received.at = next.at;
      if (next.framingError) received.framingErrors++;
      this.state.readyAt = next.at - Math.floor(byteNs / 20); // from the middle of the stop bit on
    }
  }

  /** When the receiver will have its `n`th byte from now, or the last of a burst; Infinity when nothing is on the line. */
  arrivalAt(n: number, byteNs: number): number {
    this.#dropSeen();
    const burst = this.state.bursts[0];
    if (burst === undefined) return Number.POSITIVE_INFINITY;
    if (this.#inStep(burst, byteNs)) return burst.start + Math.min(burst.taken + n, burst.bytes.length) * burst.byteNs;
    return this.#sample(byteNs)?.at ?? this.state.freeAt;
  }

  /** The receiver starts afresh: a byte under way is lost or misread. */
  restartReceiver(now: number): void {
    this.state.readyAt = Math.max(this.state.readyAt, now);
  }

  /** Cuts the line: what is under way is lost. */
  clear(now: number): void {
    this.state = { bursts: [], freeAt: now, readyAt: now };
  }

  /** Sender and receiver agree, and the receiver saw the next byte's start bit from its beginning. */
  #inStep(burst: Burst, byteNs: number): boolean {
    if (burst.auto) return true;
    return burst.byteNs === byteNs && burst.start + burst.taken * burst.byteNs >= this.state.readyAt;
  }

  /** Forgets bytes that ended before the receiver looks again. */
  #dropSeen(): void {
    const { bursts, readyAt } = this.state;
    while (bursts.length > 0) {
      const burst = bursts[0];
      if (!burst.auto) {
        const seen = Math.floor((readyAt - burst.start) / burst.byteNs);
        burst.taken = Math.max(burst.taken, Math.min(seen, burst.bytes.length));
      }
      if (burst.taken < burst.bytes.length) return;
      bursts.shift();
    }
  }

  /** The next byte that a receiver of another speed makes of the waveform, or null when no start bit is in sight. */
  #sample(byteNs: number): Reception | null {
    let from = this.state.readyAt;
    for (;;) {
      const edge = this.#fallingEdge(from);
      if (edge === null) return null;
      const bit = (k: number): number => this.#level(edge + Math.floor(((2 * k + 1) * byteNs) / 20));
      if (bit(0) === 1) {
        from = edge + 1; // a glitch, shorter than half a bit
        continue;
      }
      let byte = 0;
      for (let k = 0; k < 8; k++) byte |= bit(k + 1) << k;
      return { at: edge + byteNs, byte, framingError: bit(9) === 0 };
    }
  }

  /** First time at or after `from` at which the level goes from high to low, or null. */
  #fallingEdge(from: number): number | null {
    for (const { bytes, taken, start, byteNs } of this.state.bursts) {
      const first = Math.max(taken, Math.floor((from - start) / byteNs));
      for (let j = first; j < bytes.length; j++) {
        let before = 1;
        for (let k = 0; k < 10; k++) {
          const level = frameBit(bytes[j], k);
          const at = start + j * byteNs + Math.ceil((k * byteNs) / 10);
          if (before === 1 && level === 0 && at >= from) return at;
          before = level;
        }
      }
    }
    return null;
  }

  #level(at: number): number {
    for (const { bytes, start, byteNs } of this.state.bursts) {
      const j = Math.floor((at - start) / byteNs);
      if (j < 0 || j >= bytes.length) continue;
      return frameBit(bytes[j], Math.floor(((at - start - j * byteNs) * 10) / byteNs));
    }
    return 1;
  }
}

/** Bit k = 0..9 of a byte on the line: start, d0..d7, stop. */
function frameBit(byte: number, k: number): number {
  if (k === 0) return 0;
  return k === 9 ? 1 : (byte >> (k - 1)) & 1;
}
