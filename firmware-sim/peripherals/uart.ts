/**
 * UART: 8N1 or 8E1, with the finite buffers of a real one. One end is the module's (HAL), the other the host's cable.
 *
 *                         ┌──────────────────┐
 *     uart_read   <───────│ rx_buffer  RX    │<─── host:  hostWrite(bytes)
 *     uart_write  ───────>│ tx_buffer  TX    │───> host:  onHostData(bytes, at)
 *     uart_baud   ───────>│ BAUD      PARITY │     host's own speed: setHostBaud(n), setHostParity(p)
 *                         └──────────────────┘
 *
 *     a byte from the host completes while       it goes to
 *     rx_buffer has room                         rx_buffer
 *     rx_buffer is full                          lost, OVERRUNS + 1
 *     flash is busy, rx_while_flash_busy false   lost, DEAF + 1
 *     speed or parity differ                     rx_buffer, as the waveform reads in the wrong frames (bus/wire.ts)
 *     the board has no power                     lost
 *
 * A byte takes 10 bits of time in either direction, 11 with parity. A byte in tx_buffer keeps its place until its stop bit has left.
 * `noise` stands for what the cable picks up (faults/line_noise.ts).
 *
 * Bytes reach the host's listeners when the breadboard calls `deliver`, never in the middle of the module's work.
 *
 * NOT IMPLEMENTED: RTS/CTS/DTR, odd parity, break, the FIFO and the shim's ring as two things, a receive interrupt's latency.
 */
import { HAL_EINVAL } from "../../spec/hal.ts";
import { type Frame, frameOf, type Parity, Wire, type WireState } from "../bus/wire.ts";
import type { Clock } from "../clock.ts";

export interface UartConfig {
  readonly default_baud: number;
  readonly max_baud: number;
  readonly rx_buffer: number;
  readonly tx_buffer: number;
}

/** What went through and what went wrong since the board was made. */
export interface UartCounters {
  received: number;
  /** Put on the line. */
  sent: number;
  overruns: number;
  framingErrors: number;
  parityErrors: number;
  /** Bytes lost because the UART was deaf. */
  deaf: number;
}

export interface UartState {
  baud: number;
  parity: Parity;
  measuring: boolean;
  rx: number[];
  room: number;
  counters: UartCounters;
  /** false: the receiver stands still, because flash is busy or there is no power. */
  listening: boolean;
  hostBaud: number | null;
  hostParity: Parity;
  toBoard: WireState;
  toHost: WireState;
}

/** Bytes that were put on the line, one behind the other, when the first of them begins, and how long each takes. */
export interface LineBytes {
  readonly to: "board" | "host";
  readonly bytes: Uint8Array;
  /** ns. */
  readonly from: number;
  readonly frame: Frame;
}

/** What arrives of a byte that was sent. */
export type LineNoise = (byte: number, to: "board" | "host", at: number) => number;

export type HostListener = (bytes: Uint8Array, at: number) => void;

const MIN_BAUD = 300;
/** A sleeping CPU is woken at this level of the receive FIFO, or when the line falls silent (as a PL011 or 16550 does). */
const RX_TRIGGER = 16;

export class Uart {
  #baud: number;
  #parity: Parity = "none";
  /** The first byte's speed is being measured. */
  #measuring = false;
  #rx: number[] = [];
  #counters: UartCounters = { received: 0, sent: 0, overruns: 0, framingErrors: 0, parityErrors: 0, deaf: 0 };
  #listening = false;
  /** Bytes that the receiver holds: the firmware's buffer, unless a boot ROM brought its own. */
  #room: number;
  /** null: the host's end finds the speed by itself. Belongs to the cable: no reset touches it. */
  #hostBaud: number | null = null;
  /** Counts where #hostBaud does. */
  #hostParity: Parity = "none";
  /** null: a clean line. Belongs to the cable. */
  noise: LineNoise | null = null;
  readonly #toBoard = new Wire();
  readonly #toHost = new Wire();
  readonly #config: UartConfig;
  readonly #clock: Clock;
  readonly #listeners = new Set<HostListener>();
  readonly #lookers = new Set<(bytes: LineBytes) => void>();

  constructor(config: UartConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#baud = config.default_baud;
    this.#room = config.rx_buffer;
  }

  // -- the module's end --

  /** @returns at most `max` received bytes */
  read(max: number): number[] {
    this.sync();
    return this.#rx.splice(0, Math.max(max, 0));
  }

  /** Received bytes that wait to be read. */
  get available(): number {
    this.sync();
    return this.#rx.length;
  }

  /** Bytes that `write` would take. */
  get room(): number {
    return this.#config.tx_buffer - this.#toHost.unsent(this.#clock.now);
  }

  /** @returns how many of `bytes` the transmitter took */
  write(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.room);
    this.#counters.sent += taken.length;
    this.#send("host", this.#toHost, taken, this.#frame);
    return taken.length;
  }

  /** A boot ROM's buffer in the place of the firmware's, until the next reset. */
  bufferOf(bytes: number): void {
    this.#room = bytes;
  }

  /** Of the received bytes only the first `n` were kept: nobody came to read the others in time. */
  loseBehind(n: number): void {
    this.sync();
    this.#counters.overruns += Math.max(this.#rx.length - n, 0);
    this.#rx.length = Math.min(this.#rx.length, n);
  }

  get baud(): number {
    return this.#baud;
  }

  /** The caller has waited for `txEmptyAt`. @returns 0, or HAL_EINVAL for a speed the board cannot do */
  setBaud(baud: number): number {
    if (baud < MIN_BAUD || baud > this.#config.max_baud) return HAL_EINVAL;
    this.sync();
    this.#baud = baud;
    this.#toBoard.restartReceiver(this.#clock.now);
    return 0;
  }

  /** Of both directions from now on. */
  setParity(parity: Parity): void {
    this.sync();
    this.#parity = parity;
    this.#toBoard.restartReceiver(this.#clock.now);
  }

  /**
   * For a boot ROM that finds the host's speed by the first byte: takes that byte in whatever frame it came. From the first
   * call until it has come the receiver takes nothing else.
   * @returns the byte and its speed (the UART's own where no speed is on the wire), null while it has not come
   */
  measure(): { byte: number; baud: number } | null {
    this.#measuring = true;
    const first = this.#toBoard.measure(this.#clock.now);
    if (first === null) return null;
    this.#measuring = false;
    return { byte: first.byte, baud: first.baud ?? this.#baud };
  }

  // -- the breadboard's end; all times in ns, Infinity: nothing will happen --

  /** Brings the receiver up to now. */
  sync(): void {
    if (this.#measuring) return;
    const { bytes, framingErrors, parityErrors, at } = this.#toBoard.receive(this.#clock.now, this.#frame);
    const { noise } = this;
    if (noise !== null) for (let i = 0; i < bytes.length; i++) bytes[i] = noise(bytes[i], "board", at);
    if (!this.#listening) {
      this.#counters.deaf += bytes.length;
      return;
    }
    const room = this.#room - this.#rx.length;
    for (let i = 0; i < bytes.length && i < room; i++) this.#rx.push(bytes[i]);
    this.#counters.received += bytes.length;
    this.#counters.overruns += Math.max(bytes.length - room, 0);
    this.#counters.framingErrors += framingErrors;
    this.#counters.parityErrors += parityErrors;
  }

  /** Between two calls nothing is received. */
  setListening(listening: boolean): void {
    this.sync();
    this.#listening = listening;
  }

  rxAt(): number {
    if (this.#measuring) return this.#toBoard.measurableAt();
    return this.#toBoard.arrivalAt(1, this.#frame);
  }

  /** When the receiver would wake a sleeping CPU. */
  rxInterruptAt(): number {
    if (this.#measuring) return this.#toBoard.measurableAt();
    return this.#toBoard.arrivalAt(RX_TRIGGER, this.#frame);
  }

  /** When the full transmitter will have room for a byte again. */
  txRoomAt(): number {
    return this.room > 0 ? Number.POSITIVE_INFINITY : this.#toHost.sentAt(1, this.#clock.now);
  }

  /** When the last byte has left; now, or earlier, for an idle transmitter. */
  txEmptyAt(): number {
    return this.#toHost.state.freeAt;
  }

  /** When the host has received what the module sent so far. */
  hostAt(): number {
    return this.#toHost.arrivalAt(Number.POSITIVE_INFINITY, this.#hostFrame);
  }

  /** The last byte has left the transmitter. */
  get sent(): boolean {
    return this.txEmptyAt() <= this.#clock.now;
  }

  /** Nothing is on the line in either direction. */
  get quiet(): boolean {
    return this.#toBoard.empty && this.#toHost.empty;
  }

  /** Reset: default speed, no parity, empty buffer. What the host has put on the line keeps coming; what the board sent breaks off. */
  reset(): void {
    this.#measuring = false;
    this.sync();
    this.#baud = this.#config.default_baud;
    this.#parity = "none";
    this.#room = this.#config.rx_buffer;
    this.#rx = [];
    this.#listening = true;
    this.#toBoard.restartReceiver(this.#clock.now);
    if (this.txEmptyAt() > this.#clock.now) this.#toHost.clear(this.#clock.now);
  }

  powerOff(): void {
    this.reset();
    this.#toBoard.clear(this.#clock.now);
    this.#listening = false;
  }

  // -- the host's end --

  /** Puts bytes on the line; they arrive one after the other as simulated time passes. */
  hostWrite(bytes: Uint8Array): void {
    if (!this.#listening) {
      this.#counters.deaf += bytes.length;
      return;
    }
    this.#send("board", this.#toBoard, bytes, this.#hostFrame);
  }

  /** @param looker gets what is put on the line, as its sender meant it. @returns ends the subscription */
  onLine(looker: (bytes: LineBytes) => void): () => void {
    this.#lookers.add(looker);
    return () => this.#lookers.delete(looker);
  }

  /** @param listener gets bytes and the time, ns, at which the last of them was complete. @returns ends the subscription */
  onHostData(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param baud of the host's end from the next byte on; null: it finds the board's speed by itself */
  setHostBaud(baud: number | null): void {
    this.deliver(this.#clock.now);
    this.#hostBaud = baud;
    this.#toHost.restartReceiver(this.#clock.now);
  }

  /** Parity of the host's end from the next byte on, while it has a speed of its own. */
  setHostParity(parity: Parity): void {
    this.deliver(this.#clock.now);
    this.#hostParity = parity;
    this.#toHost.restartReceiver(this.#clock.now);
  }

  /** Hands the listeners what the host's end has received by `until`. @returns true when there was something */
  deliver(until: number): boolean {
    const { bytes, at } = this.#toHost.receive(until, this.#hostFrame);
    if (bytes.length === 0) return false;
    const { noise } = this;
    const chunk = Uint8Array.from(bytes, noise === null ? (byte) => byte : (byte) => noise(byte, "host", at));
    for (const listener of this.#listeners) listener(chunk, at);
    return true;
  }

  get counters(): Readonly<UartCounters> {
    this.sync();
    return this.#counters;
  }

  get state(): UartState {
    return structuredClone({
      baud: this.#baud,
      parity: this.#parity,
      measuring: this.#measuring,
      rx: this.#rx,
      room: this.#room,
      counters: this.#counters,
      listening: this.#listening,
      hostBaud: this.#hostBaud,
      hostParity: this.#hostParity,
      toBoard: this.#toBoard.state,
      toHost: this.#toHost.state,
    });
  }

  set state(state: UartState) {
    const copy = structuredClone(state);
    this.#baud = copy.baud;
    this.#parity = copy.parity;
    this.#measuring = copy.measuring;
    this.#rx = copy.rx;
    this.#room = copy.room;
    this.#counters = copy.counters;
    this.#listening = copy.listening;
    this.#hostBaud = copy.hostBaud;
    this.#hostParity = copy.hostParity;
    this.#toBoard.state = copy.toBoard;
    this.#toHost.state = copy.toHost;
  }

  #send(to: LineBytes["to"], wire: Wire, bytes: Uint8Array, frame: Frame): void {
    const { now } = this.#clock;
    const from = Math.max(now, wire.state.freeAt);
    wire.send(bytes, now, frame, this.#hostBaud === null);
    if (bytes.length === 0) return;
    for (const looker of this.#lookers) looker({ to, bytes: bytes.slice(), from, frame });
  }

  get #frame(): Frame {
    return frameOf(this.#baud, this.#parity);
  }

  get #hostFrame(): Frame {
    return this.#hostBaud === null ? this.#frame : frameOf(this.#hostBaud, this.#hostParity);
  }
}
