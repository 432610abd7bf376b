// How long something takes at the device: by its own clock where it is simulated, and then also what its CPU did meanwhile.
import type { BoardFigures } from "../generation.ts";
import { type CpuReading, type Transport, wallSeconds } from "../transports/transport.ts";

/** A moment at the device. */
interface Moment {
  readonly seconds: number;
  readonly silentSeconds: number;
  readonly cpu: CpuReading | undefined;
}

function momentOf(transport: Transport): Moment {
  return {
    seconds: transport.seconds(),
    silentSeconds: transport.silentSeconds?.() ?? 0,
    cpu: transport.cpu?.(),
  };
}

export class Stopwatch {
  readonly #transport: Transport;
  readonly #started: Moment;
  readonly #wall = wallSeconds();
  #first: { reading: CpuReading | undefined; tokens: number } | null = null;

  /** Starts it. */
  constructor(transport: Transport) {
    this.#transport = transport;
    this.#started = momentOf(transport);
  }

  /** Until what the device said last. What the host takes to answer is part of it on a real line, and no matter of a simulated board. */
  seconds(): number {
    const { seconds, silentSeconds } = this.#now();
    return seconds - this.#started.seconds - (silentSeconds - this.#started.silentSeconds);
  }

  /** The first tokens came: what is counted from here on is tokens alone. @returns seconds until now */
  first(tokens: number): number {
    this.#first = { reading: this.#now().cpu, tokens };
    return this.seconds();
  }

  /** Empty where nobody counts cycles. @param tokens of the whole answer; left out: no answer is measured */
  board(tokens = 0): { board?: BoardFigures } {
    const { cpu: now } = this.#now();
    const { cpu: before } = this.#started;
    if (now === undefined || before === undefined) return {};
    const seconds = this.seconds();
    return {
      board: {
        seconds,
        cycles: now.cycles - before.cycles,
        waitCycles: now.waitCycles - before.waitCycles,
        origin: now.origin,
        timesReal: seconds / (wallSeconds() - this.#wall),
        energy: this.#energy(now, tokens),
      },
    };
  }

  #now(): Moment {
    const told = this.#transport.told?.() ?? null;
    return told !== null && told.seconds > this.#started.seconds ? told : momentOf(this.#transport);
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
