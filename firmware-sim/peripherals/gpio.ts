/**
 * GPIO: the pins a board has, seen from outside.
 *
 *                   ┌────────┐
 *     gpio_write ──>│ OE OUT │──o pin 0
 *     gpio_read  <──│   IN   │──o ...        <── drive: a button, a wire from elsewhere
 *                   └────────┘──o pins-1
 *
 *     OE   OUT   driven   pin                 IN
 *     0    -     no       floats (reset)      1 (pulled up)
 *     0    -     0, 1     as driven           as driven
 *     1    0     any      low                 0
 *     1    1     any      high                1
 *     carries a pulse     pwm.ts says which   as driven
 *
 * gpio_read makes the pin an input (HAL.md): OE 0 from then on. Who drives a pin from outside goes on through a reset.
 *
 * NOT IMPLEMENTED: pull-downs, drive strength (two that drive against each other: the chip wins).
 */
import { HAL_ABSENT, HAL_EINVAL } from "../../spec/hal.ts";
import type { Clock } from "../clock.ts";

export interface PinChange {
  /** ns. */
  readonly at: number;
  readonly pin: number;
  /** null: the pin floats, after a reset. */
  readonly level: 0 | 1 | null;
}

export interface GpioState {
  /** One entry for each pin. */
  levels: (0 | 1 | "pulse" | null)[];
  /** What stands outside at each pin; null: nothing. */
  driven: (0 | 1 | null)[];
  /** The latest changes, oldest first, at most CHANGES_KEPT. */
  changes: PinChange[];
}

/** A board may blink for days. */
const CHANGES_KEPT = 4096;

export class Gpio {
  state: GpioState;
  readonly #clock: Clock;
  readonly #taken: readonly number[];
  readonly #listeners = new Set<(change: PinChange) => void>();

  /** @param taken pins that the HAL refuses */
  constructor(pins: number, taken: readonly number[], clock: Clock) {
    this.#clock = clock;
    this.#taken = taken;
    this.state = { levels: new Array(pins).fill(null), driven: new Array(pins).fill(null), changes: [] };
  }

  /** Every pin floats. */
  reset(): void {
    this.state.levels.forEach((_, pin) => {
      this.#set(pin, null);
    });
  }

  /** @returns 0; HAL_EINVAL for a pin the board lacks or needs itself, HAL_ABSENT without pins */
  write(pin: number, level: number): number {
    if (this.state.levels.length === 0) return HAL_ABSENT;
    if (!this.#has(pin)) return HAL_EINVAL;
    this.#set(pin, level === 0 ? 0 : 1);
    return 0;
  }

  /** @returns the level of the pin, which becomes an input, or HAL_EINVAL for one the board lacks or needs itself */
  read(pin: number): number {
    if (!this.#has(pin)) return HAL_EINVAL;
    this.#set(pin, null);
    return this.state.driven[pin] ?? 1;
  }

  /** Puts a level on the pin from outside; null: takes it away. Nothing for a pin the board lacks. */
  drive(pin: number, level: 0 | 1 | null): void {
    if (pin >= 0 && pin < this.state.driven.length) this.state.driven[pin] = level;
  }

  /** The pin carries a pulse from now on, until it is written or read. */
  pulse(pin: number): void {
    this.state.levels[pin] = "pulse";
  }

  /** As the chip drives it; null: floats, or carries a pulse. */
  level(pin: number): 0 | 1 | null {
    const level = this.state.levels[pin] ?? null;
    return level === "pulse" ? null : level;
  }

  /** The latest 4096 changes, oldest first. */
  get changes(): readonly PinChange[] {
    return this.state.changes;
  }

  /** @returns a function that ends the subscription */
  onChange(listener: (change: PinChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #has(pin: number): boolean {
    return pin >= 0 && pin < this.state.levels.length && !this.#taken.includes(pin);
  }

  #set(pin: number, level: 0 | 1 | null): void {
    if (this.state.levels[pin] === level) return;
    this.state.levels[pin] = level;
    const change = { at: this.#clock.now, pin, level };
    this.state.changes.push(change);
    if (this.state.changes.length > CHANGES_KEPT) this.state.changes.shift();
    for (const listener of this.#listeners) listener(change);
  }
}
