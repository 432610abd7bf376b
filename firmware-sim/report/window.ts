/**
 * A stretch of simulated time as waveforms: which part of the network the CPU is in, the serial line bit by bit, the pins, the coprocessor.
 *
 *     from left out   the window opens with the coprocessor's first job for a model, on a board without one with the first position
 */
import type { PinChange } from "../peripherals/gpio.ts";
import type { PulseChange } from "../peripherals/pwm.ts";
import type { Tgemv } from "../peripherals/tgemv/tgemv.ts";
import { CoproWaves } from "./copro_waves.ts";
import type { Lines } from "./lines.ts";
import { PARTS, type Part } from "./parts.ts";
import { Vcd } from "./vcd.ts";

export interface WindowOptions {
  /** ns of the simulated clock. */
  readonly from?: number;
  /** ns; default 200 us. */
  readonly length?: number;
}

/** What changed at the pins, oldest first. */
export interface Pins {
  readonly pins: readonly PinChange[];
  readonly pulses: readonly PulseChange[];
}

interface Stretch {
  readonly part: Part;
  readonly from: number;
  readonly until: number;
  readonly depth: number;
}

const LENGTH = 200_000;
const LONG = 100_000_000;
/** Picoseconds in a nanosecond: clocks of coprocessors are no whole nanoseconds. */
const PS = 1000;

export class Window {
  readonly #length: number;
  #from: number | null;
  #isArmed = false;
  /** Clock of the coprocessor; null: the board has none. */
  #copro: { readonly hz: number; readonly waves: CoproWaves } | null = null;
  readonly #spans: Stretch[] = [];

  constructor({ from, length = LENGTH }: WindowOptions) {
    this.#from = from ?? null;
    this.#length = length;
  }

  /** ns; null: it has not opened. */
  get from(): number | null {
    return this.#from;
  }

  get until(): number | null {
    return this.#from === null ? null : this.#from + this.#length;
  }

  /** The board has a coprocessor of this clock: before anything else. */
  expectCopro(hz: number): void {
    this.#copro = { hz, waves: new CoproWaves() };
  }

  positionBegins(at: number): void {
    this.#isArmed = true;
    if (this.#copro === null) this.#from ??= at;
  }

  /** The coprocessor leaves idle; its state is that of this moment. @param at ns */
  chainBegins(at: number, unit: Tgemv): void {
    if (this.#copro === null) return;
    // Before the first position it only tries itself.
    if (this.#from === null && !this.#isArmed) return;
    // What led to it is worth seeing, too.
    this.#from ??= Math.max(at - this.#length / 20, 0);
    const until = this.#from + this.#length;
    // No chain takes longer than LONG: one that began before has ended when the window opens.
    if (at >= until || at < this.#from - LONG) return;
    const { hz, waves } = this.#copro;
    waves.chain(unit, Math.floor((this.#from * hz) / 1e9), Math.ceil((until * hz) / 1e9));
  }

  /** A function of the CPU has ended. */
  span(part: Part | null, from: number, until: number, depth: number): void {
    if (part === null || this.#from === null || until <= this.#from || from >= this.#from + this.#length) return;
    this.#spans.push({ part, from, until, depth });
  }

  /** null: the window never opened. */
  text(name: string, lines: Lines, { pins, pulses }: Pins): string | null {
    if (this.#from === null) return null;
    const [from, until] = [this.#from, this.#from + this.#length];
    const vcd = new Vcd(`${name}, simulated; times are those of its clock since it was made`);
    this.#parts(vcd);
    if (this.#copro !== null) {
      const { hz, waves } = this.#copro;
      waves.write(vcd, (cycle) => Math.round((cycle * 1e12) / hz));
    }
    line(vcd, lines, "board", "rx", from, until);
    line(vcd, lines, "host", "tx", from, until);
    for (const pin of pinsOf(pins)) {
      const signal = vcd.signal("pins", `gpio${pin}`, 1, null);
      for (const { at, level } of of(pin, pins)) vcd.change(at * PS, signal, level);
    }
    for (const pin of pinsOf(pulses)) {
      const duty = vcd.signal("pins", `duty${pin}`, 16, null);
      for (const change of of(pin, pulses)) vcd.change(change.at * PS, duty, change.duty);
      // A level, or a reset, ends the pulse.
      for (const { at } of of(pin, pins)) vcd.change(at * PS, duty, null);
    }
    return vcd.text(from * PS, until * PS);
  }

  /** A wire for each part, high while the CPU works on it: of functions inside one another the innermost counts. */
  #parts(vcd: Vcd): void {
    const wires = new Map(PARTS.map((part) => [part, vcd.signal("cpu", part.replaceAll(/\W+/g, "_").toLowerCase())]));
    const edges = this.#spans
      .flatMap((span) => [
        { at: span.from, span, begins: true },
        { at: span.until, span, begins: false },
      ])
      .sort((a, b) => a.at - b.at);
    const open = new Set<Stretch>();
    let high: Part | null = null;
    for (const { at, span, begins } of edges) {
      if (begins) open.add(span);
      else open.delete(span);
      const innermost = [...open].reduce(
        (best: Stretch | null, each) => (best !== null && best.depth >= each.depth ? best : each),
        null,
      );
      const part = innermost?.part ?? null;
      if (part === high) continue;
      if (high !== null) vcd.change(at * PS, wires.get(high) as number, 0);
      if (part !== null) vcd.change(at * PS, wires.get(part) as number, 1);
      high = part;
    }
  }
}

/** Ascending. */
function pinsOf(changes: readonly { readonly pin: number }[]): number[] {
  return [...new Set(changes.map(({ pin }) => pin))].sort((a, b) => a - b);
}

function of<T extends { readonly pin: number }>(pin: number, changes: readonly T[]): T[] {
  return changes.filter((change) => change.pin === pin);
}

/** A direction of the line: its level, and the byte that is under way. */
function line(vcd: Vcd, lines: Lines, to: "board" | "host", name: string, from: number, until: number): void {
  const level = vcd.signal("uart", name, 1, 1);
  const value = vcd.signal("uart", `${name}_byte`, 8, null);
  for (const { to: end, bytes, from: begins, frame } of lines.within(from, until)) {
    if (end !== to) continue;
    bytes.forEach((byte, i) => {
      const at = begins + i * frame.ns;
      if (at >= until || at + frame.ns <= from) return;
      // Start bit, data from bit 0 on, parity if there is one, stop bit.
      const parity = frame.bits === 11 ? [ones(byte) & 1] : [];
      const bits = [0, ...Array.from({ length: 8 }, (_, bit) => (byte >> bit) & 1), ...parity, 1];
      bits.forEach((bit, k) => {
        vcd.change(Math.round((at + (k * frame.ns) / frame.bits) * PS), level, bit);
      });
      vcd.change(at * PS, value, byte);
      vcd.change((at + frame.ns) * PS, value, null);
    });
  }
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}
