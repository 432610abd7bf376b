// How long something takes at the device: by its own clock where it is simulated, and then also what its CPU did meanwhile.
import type { BoardFigures } from "../generation.ts";
import { type CpuReading, type Transport, wallSeconds } from "../transports/transport.ts";

export class Stopwatch {
  readonly #transport: Transport;
  readonly #started: number;
  readonly #silent: number;
  readonly #wall = wallSeconds();
  readonly #before: CpuReading | undefined;
  #first: { reading: CpuReading | undefined; tokens: number } | null = null;

  /** Starts it. */
  constructor(transport: Transport) {
    this.#transport = transport;
    this.#started = transport.seconds();
    this.#silent = transport.silentSeconds?.() ?? 0;
    this.#before = transport.cpu?.();
  }

  /** What the host takes to answer is part of it on a real line, and no matter of a simulated board. */
  seconds(): number {
    const silent = (this.#transport.silentSeconds?.() ?? 0) - this.#silent;
    return this.#transport.seconds() - this.#started - silent;
  }

  /** The first tokens came: what is counted from here on is tokens alone. @returns seconds until now */
  first(tokens: number): number {
    this.#first = { reading: this.#transport.cpu?.(), tokens };
    return this.seconds();
  }

  /** Empty where nobody counts cycles. @param tokens of the whole answer; left out: no answer is measured */
  board(tokens = 0): { board?: BoardFigures } {
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
        energy: this.#energy(now, tokens),
      },
    };
  }
  #energy(now: CpuReading, tokens: number): BoardFigures["energy"] {
    const { reading, tokens: first } = this.#first ?? { reading: undefined, tokens: 0 };
    if (reading === undefined || tokens <= first) return null;
    const energy = now.energySince(reading);
    if (energy === null) return null;
    const { mj, kind, profile } = energy;
    return { mjPerToken: mj / (tokens - first), kind, profile };
  }
}
