/**
 * Simulated time: whole nanoseconds since the board was made. It moves only when somebody moves it; it never looks at
 * the wall. 2^53 ns are 104 days.
 *
 * What computing takes, `CpuCost` says: meter/ counts cycles; the flat cost, for tests to which time does not matter, is 1 us a HAL call and 1 us a
 * poll(), and nothing for the instructions in between.
 */
import type { Device } from "./wasm_host.ts";

/** Nanoseconds in a microsecond, the unit of the HAL and of the boards' tables. */
export const US = 1000;
const S = 1_000_000_000;

export class Clock {
  #now = 0;

  /** Nanoseconds. */
  get now(): number {
    return this.#now;
  }

  /** @param ns whole, not negative */
  advance(ns: number): void {
    this.#now += ns;
  }

  /** A time that has passed already is no error. */
  advanceTo(at: number): void {
    if (at > this.#now) this.#now = at;
  }

  /** For restoring a snapshot, the one way back. */
  set(at: number): void {
    this.#now = at;
  }
}

/** Duration of a byte on an asynchronous line, start and stop bit included: 10 bits (11 with parity), whole nanoseconds. */
export function byteTime(baud: number, bits = 10): number {
  return Math.round((bits * S) / baud);
}

/** What the CPU's work costs, in nanoseconds since the last time it was asked. */
export interface CpuCost {
  /** Asked at the beginning of every HAL call. */
  call(): number;
  /** Asked when poll() or boot() has returned. */
  poll(): number;
  /** The HAL copied so many bytes between the module and a peripheral: part of the next answer. */
  bytes(count: number): void;
  /** An instance of the module begins to run. */
  attach(core: Device): void;
  /** What is cached of flash is no longer true: after a reset, and when flash was written. */
  flush(): void;
  /** For snapshots: plain data. */
  state: unknown;
}

export const FLAT_COST: CpuCost = {
  call: () => US,
  poll: () => US,
  bytes: () => {},
  attach: () => {},
  flush: () => {},
  state: null,
};
