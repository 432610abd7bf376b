/**
 * PWM: pulse widths on pins, as the board's JSON says which can.
 *
 *                    ┌ GENERATOR ──────────────────┐
 *     pwm_write ──>  │ HZ    DUTY of channel 0     │──o the pins of channel 0
 *                    │       DUTY of channel 1 ... │──o the pins of channel 1 ...
 *                    └─────────────────────────────┘
 *
 *     pwm_write        the channel's other pins   the generator's other channels   answer
 *     a pin without                                                                HAL_EINVAL
 *     same HZ          carry no pulse             any                              0
 *     same HZ          one does                                                    HAL_EINVAL: it would change along
 *     another HZ       carry no pulse             carry no pulse                   0
 *     another HZ                                  one does                         HAL_EINVAL: its frequency would change
 *
 * A pin carries its pulse until it is written or read as GPIO, or its ADC channel is read (hal.ts); after a reset none does.
 *
 * NOT IMPLEMENTED: edges (a pulse is a duty and a frequency, and a listener is told when they change), the counter's resolution.
 */
import type { Pwm as PwmPins } from "../../boards/board.ts";
import { channelOf, generatorOf } from "../../boards/pins.ts";
import { HAL_ABSENT, HAL_EINVAL } from "../../spec/hal.ts";
import type { Clock } from "../clock.ts";

export interface Pulse {
  /** Of 65535. */
  readonly duty: number;
  readonly hz: number;
}

export interface PulseChange extends Pulse {
  /** ns. */
  readonly at: number;
  readonly pin: number;
}

export interface PwmState {
  /** Pins that carry one. */
  pulses: Map<number, Pulse>;
  /** The latest changes, oldest first, at most CHANGES_KEPT. */
  changes: PulseChange[];
}

const CHANGES_KEPT = 4096;
const DUTY_MAX = 65535;

export class Pwm {
  state: PwmState = { pulses: new Map(), changes: [] };
  readonly #pins: PwmPins | null;
  readonly #clock: Clock;
  readonly #listeners = new Set<(change: PulseChange) => void>();

  /** @param pins null: the board has none */
  constructor(pins: PwmPins | null, clock: Clock) {
    this.#pins = pins;
    this.#clock = clock;
  }

  reset(): void {
    this.state.pulses.clear();
  }

  /** @returns 0; HAL_ABSENT without PWM, HAL_EINVAL for a pin without and what the generator cannot */
  write(pin: number, duty: number, hz: number): number {
    const pins = this.#pins;
    if (pins === null) return HAL_ABSENT;
    const channel = channelOf(pins, pin);
    if (channel === null || duty < 0 || duty > DUTY_MAX || hz < pins.min_hz || hz > pins.max_hz) return HAL_EINVAL;
    for (const [other, pulse] of this.state.pulses) {
      const its = channelOf(pins, other) as number;
      if (other === pin || generatorOf(pins, its) !== generatorOf(pins, channel)) continue;
      if (its === channel || pulse.hz !== hz) return HAL_EINVAL;
    }
    this.#set(pin, { duty, hz });
    return 0;
  }

  /** The pin is something else from now on. */
  release(pin: number): void {
    this.state.pulses.delete(pin);
  }

  /** What the pin carries; null: no pulse. */
  pulse(pin: number): Pulse | null {
    return this.state.pulses.get(pin) ?? null;
  }

  /** The latest 4096 changes, oldest first. */
  get changes(): readonly PulseChange[] {
    return this.state.changes;
  }

  /** @returns a function that ends the subscription */
  onChange(listener: (change: PulseChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(pin: number, { duty, hz }: Pulse): void {
    const before = this.pulse(pin);
    if (before?.duty === duty && before.hz === hz) return;
    this.state.pulses.set(pin, { duty, hz });
    const change = { at: this.#clock.now, pin, duty, hz };
    this.state.changes.push(change);
    if (this.state.changes.length > CHANGES_KEPT) this.state.changes.shift();
    for (const listener of this.#listeners) listener(change);
  }
}
