/**
 * TIMER: the microsecond counter and the watchdog's bell rope.
 *
 *              ┌─────────┐
 *     clock ──>│ COUNT   │──> ticks()          microseconds since reset, modulo 2^32
 *     reset ──>│         │
 *     feed  ──>│ WDT     │
 *              └─────────┘
 *
 *     register   reset   access   meaning
 *     COUNT      0       r        (now - reset) / 1 us, as u32
 *     FEEDS      0       r        how often the watchdog was fed since reset (simulator only)
 *
 * NOT IMPLEMENTED: a watchdog that bites, alarms, a crystal that is off by some ppm.
 */
import { type Clock, US } from "../clock.ts";

export interface TimerState {
  /** When the counter was 0, ns. */
  zero: number;
  feeds: number;
}

export class Timer {
  state: TimerState = { zero: 0, feeds: 0 };
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  reset(): void {
    this.state = { zero: this.#clock.now, feeds: 0 };
  }

  /** u32. */
  ticks(): number {
    return Math.floor((this.#clock.now - this.state.zero) / US) % 2 ** 32;
  }

  feed(): void {
    this.state.feeds++;
  }
}
