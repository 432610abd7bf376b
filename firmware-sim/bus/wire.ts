/**
 * One direction of a serial cable: 8 data bits, no or even parity, 1 stop bit, idle high, least significant bit first.
 *
 *     ──┐     ┌─────┬─────┬ ─ ┬─────┬─────┬───
 *       │start│ d0  │ d1  │   │ d7  │stop │ idle      8N1: one byte = 10 bits
 *       └─────┴─────┴─────┴ ─ ┴─────┘     └
 *     ──┐     ┌─────┬─────┬ ─ ┬─────┬─────┬─────┬───
 *       │start│ d0  │ d1  │   │ d7  │even │stop │ idle      8E1: one byte = 11 bits
 *       └─────┴─────┴─────┴ ─ ┴─────┴─────┘     └
 *
 * The sender puts bytes on it in *its* frames; they follow each other without a gap. The receiver samples in frames of its
 * own: when the two differ it sees what a real UART would see of that waveform: other bytes, more or fewer of them, stop bits
 * that are low (framing errors), parity that is wrong. About 5 % of difference in speed pass unharmed, as on real lines.
 *
 * NOT IMPLEMENTED: odd parity, 7 data bits, break, flow control lines, noise.
 */
import { byteTime } from "../clock.ts";

export type Parity = "none" | "even";

/** How one end of the cable sends and samples a byte. */
export interface Frame {
  /** Duration of a byte, start and stop bit included, ns. */
  readonly ns: number;
  readonly bits: 10 | 11;
}

export function frameOf(baud: number, parity: Parity): Frame {
  const bits = parity === "even" ? 11 : 10;
  return { ns: byteTime(baud, bits), bits };
}

/** Bytes that left the sender back to back. */
interface Burst {
  bytes: number[];
  /** How many of them the receiver is done with. */
  taken: number;
  /** Beginning of the first byte's start bit, ns. */
  start: number;
  frame: Frame;
  /** The receiver finds speed and parity by itself. */
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
  parityError: boolean;
}

export interface Received {
  bytes: number[];
  framingErrors: number;
  parityErrors: number;
  /** When the last of `bytes` was complete, ns. */
  at: number;
}

export class Wire {
  state: WireState = { bursts: [], freeAt: 0, readyAt: 0 };

  /**
   * Puts bytes behind those that are on the line already.
   * @param auto true: any receiver understands them (for a sender that cannot say how fast it is)
   */
  send(bytes: ArrayLike<number>, now: number, frame: Frame, auto: boolean): void {
    if (bytes.length === 0) return;
    const { bursts, freeAt } = this.state;
    const start = Math.max(now, freeAt);
    const last = bursts.at(-1);
    if (last !== undefined && start === freeAt && same(last.frame, frame) && last.auto === auto)
      for (let i = 0; i < bytes.length; i++) last.bytes.push(bytes[i]);
    else bursts.push({ bytes: Array.from(bytes), taken: 0, start, frame, auto });
    this.state.freeAt = start + bytes.length * frame.ns;
  }

  /** Bytes that have not left the sender entirely. */
  unsent(now: number): number {
    let count = 0;
    for (const burst of this.state.bursts) {
      const sent = Math.floor((now - burst.start) / burst.frame.ns);
      count += burst.bytes.length - Math.min(Math.max(sent, 0), burst.bytes.length);
    }
    return count;
  }

  /** When `n` more bytes will have left the sender, at the latest when all have, ns. */
  sentAt(n: number, now: number): number {
    let missing = n;
    for (const burst of this.state.bursts) {
      const sent = Math.min(Math.max(Math.floor((now - burst.start) / burst.frame.ns), 0), burst.bytes.length);
      const rest = burst.bytes.length - sent;
      if (rest >= missing) return burst.start + (sent + missing) * burst.frame.ns;
      missing -= rest;
    }
    return this.state.freeAt;
  }

  /** True when the receiver is done with everything that was sent. */
  get empty(): boolean {
    return this.state.bursts.length === 0;
  }

  /** Takes what the receiver, which expects `frame`, has completed by `until`. */
  receive(until: number, frame: Frame): Received {
    const received: Received = { bytes: [], framingErrors: 0, parityErrors: 0, at: 0 };
    for (;;) {
      this.#dropSeen();
      const burst = this.state.bursts[0];
      if (burst === undefined) return received;
      if (this.#inStep(burst, frame)) {
        const done = Math.min(Math.floor((until - burst.start) / burst.frame.ns), burst.bytes.length);
        if (done <= burst.taken) return received;
        for (let i = burst.taken; i < done; i++) received.bytes.push(burst.bytes[i]);
        received.at = burst.start + done * burst.frame.ns;
        burst.taken = done;
        this.state.readyAt = Math.max(this.state.readyAt, received.at);
        continue;
      }
      const next = this.#sample(frame);
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
      if (next.parityError) received.parityErrors++;
      this.state.readyAt = next.at - Math.floor(frame.ns / (2 * frame.bits)); // from the middle of the stop bit on
    }
  }

  /** When the receiver will have its `n`th byte from now, or the last of a burst; Infinity when nothing is on the line. */
  arrivalAt(n: number, frame: Frame): number {
    this.#dropSeen();
    const burst = this.state.bursts[0];
    if (burst === undefined) return Number.POSITIVE_INFINITY;
    if (this.#inStep(burst, frame)) return burst.start + Math.min(burst.taken + n, burst.bytes.length) * burst.frame.ns;
    return this.#sample(frame)?.at ?? this.state.freeAt;
  }

  /**
   * Takes the first byte whatever its speed, once it is complete, as a receiver does that measures how long its bits are.
   * @returns the byte and its bits a second, null when the sender's speed is not on the wire
   */
  measure(until: number): { byte: number; baud: number | null } | null {
    this.#dropSeen();
    const burst = this.state.bursts[0];
    if (burst === undefined) return null;
    const { bytes, taken, start, frame, auto } = burst;
    const end = start + (taken + 1) * frame.ns;
    if (end > until) return null;
    burst.taken++;
    this.state.readyAt = Math.max(this.state.readyAt, end);
    return { byte: bytes[taken], baud: auto ? null : Math.round((frame.bits * 1e9) / frame.ns) };
  }

  /** When `measure` will have something, Infinity when nothing is on the line. */
  measurableAt(): number {
    this.#dropSeen();
    const burst = this.state.bursts[0];
    return burst === undefined ? Number.POSITIVE_INFINITY : burst.start + (burst.taken + 1) * burst.frame.ns;
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
  #inStep(burst: Burst, frame: Frame): boolean {
    if (burst.auto) return true;
    return same(burst.frame, frame) && burst.start + burst.taken * burst.frame.ns >= this.state.readyAt;
  }

  /** Forgets bytes that ended before the receiver looks again. */
  #dropSeen(): void {
    const { bursts, readyAt } = this.state;
    while (bursts.length > 0) {
      const burst = bursts[0];
      if (!burst.auto) {
        const seen = Math.floor((readyAt - burst.start) / burst.frame.ns);
        burst.taken = Math.max(burst.taken, Math.min(seen, burst.bytes.length));
      }
      if (burst.taken < burst.bytes.length) return;
      bursts.shift();
    }
  }

  /** The next byte that a receiver of another frame makes of the waveform, or null when no start bit is in sight. */
  #sample({ ns, bits }: Frame): Reception | null {
    let from = this.state.readyAt;
    for (;;) {
      const edge = this.#fallingEdge(from);
      if (edge === null) return null;
      const bit = (k: number): number => this.#level(edge + Math.floor(((2 * k + 1) * ns) / (2 * bits)));
      if (bit(0) === 1) {
        from = edge + 1; // a glitch, shorter than half a bit
        continue;
      }
      let byte = 0;
      for (let k = 0; k < 8; k++) byte |= bit(k + 1) << k;
      const parityError = bits === 11 && bit(9) !== evenParity(byte);
      return { at: edge + ns, byte, framingError: bit(bits - 1) === 0, parityError };
    }
  }

  /** First time at or after `from` at which the level goes from high to low, or null. */
  #fallingEdge(from: number): number | null {
    for (const { bytes, taken, start, frame } of this.state.bursts) {
      const first = Math.max(taken, Math.floor((from - start) / frame.ns));
      for (let j = first; j < bytes.length; j++) {
        let before = 1;
        for (let k = 0; k < frame.bits; k++) {
          const level = frameBit(bytes[j], k, frame);
          const at = start + j * frame.ns + Math.ceil((k * frame.ns) / frame.bits);
          if (before === 1 && level === 0 && at >= from) return at;
          before = level;
        }
      }
    }
    return null;
  }

  #level(at: number): number {
    for (const { bytes, start, frame } of this.state.bursts) {
      const j = Math.floor((at - start) / frame.ns);
      if (j < 0 || j >= bytes.length) continue;
      return frameBit(bytes[j], Math.floor(((at - start - j * frame.ns) * frame.bits) / frame.ns), frame);
    }
    return 1;
  }
}

/** Bit k of a byte on the line: start, d0..d7, parity if there is one, stop. */
function frameBit(byte: number, k: number, { bits }: Frame): number {
  if (k === 0) return 0;
  if (k === bits - 1) return 1;
  return k === 9 ? evenParity(byte) : (byte >> (k - 1)) & 1;
}

/** What makes the number of ones even. */
function evenParity(byte: number): number {
  let ones = 0;
  for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1;
  return ones & 1;
}

function same(a: Frame, b: Frame): boolean {
  return a.ns === b.ns && a.bits === b.bits;
}
