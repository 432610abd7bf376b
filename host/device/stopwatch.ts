// How long something takes at the device: by its own clock where it is simulated, and then also what its CPU did meanwhile.
import type { BoardFigures } from "../generation.ts";
import { type CpuReading, type Transport, wallSeconds } from "../transports/transport.ts";

export class Stopwatch {
  readonly #transport: Transport;
  readonly #started: number;
  readonly #wall = wallSeconds();
  readonly #before: CpuReading | undefined;

  /** Starts it. */
  constructor(transport: Transport) {
    this.#transport = transport;
    this.#started = transport.seconds();
    this.#before = transport.cpu?.();
  }

  seconds(): number {
    return this.#transport.seconds() - this.#started;
  }

  /** Empty where nobody counts cycles. */
  board(): { board?: BoardFigures } {
    const now = this.#transport.cpu?.();
    if (now === undefined || this.#before === undefined) return {};
    const { cycles, waitCycles } = this.#before;
    const seconds = this.seconds();
    return {
      board: {
        seconds,
        cycles: now.cycles - cycles,
        waitCycles: now.waitCycles - waitCycles,
        origin: now.origin,
        timesReal: seconds / (wallSeconds() - this.#wall),
      },
    };
  }
}
