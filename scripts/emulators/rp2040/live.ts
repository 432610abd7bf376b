/**
 * A Pico that runs by itself beside other programs, in slices between which the event loop turns; as a transport for the host's code, and what
 * main.ts puts on a TCP port.
 *
 * While it works or its line is busy, simulated time passes as fast as this machine can (about a sixth of the chip's speed); while it
 * sleeps, simulated time follows the wall clock, so that the firmware's own timeouts are not over in no time.
 */
import { DEFAULT_BAUD } from "../../../host/transports/serial.ts";
import type { Transport } from "../../../host/transports/transport.ts";
import { type Rp2040, Rp2040Error } from "./chip.ts";

/** Cycles of a slice: at the emulator's 22 million instructions a second, some milliseconds. */
const SLICE = 100_000;
const CYCLES_A_MS = 125_000;
const LOOK_MS = 20;
/** Longer than any start: the firmware checks its models' digests, 0.4 s for one of 300 KiB. */
const LONGEST_START = 10_000 * CYCLES_A_MS;

/**
 * Runs a Pico until its firmware sleeps for the first time. The host gives a device a few seconds of wall clock to say hello, in which an
 * emulated one may not have started.
 * @throws Rp2040Error what the firmware does wrong
 */
export function startUp(pico: Rp2040): void {
  pico.run({ cycles: LONGEST_START, until: () => pico.idle });
}

export class LivePico {
  readonly pico: Rp2040;
  readonly #onEnd: (error: Rp2040Error | null) => void;
  readonly #listener: (bytes: Uint8Array) => void;
  #cancel: (() => void) | null = null;
  #asleepSince: number | null = null;
  #closed = false;

  /** @param onEnd power was cut (null), or the chip cannot go on */
  constructor(
    pico: Rp2040,
    onData: (bytes: Uint8Array) => void,
    onEnd: (error: Rp2040Error | null) => void = () => {},
  ) {
    this.pico = pico;
    this.#listener = onData;
    this.#onEnd = onEnd;
    pico.onData((bytes) => this.#listener(bytes));
    this.#schedule(0);
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.pico.write(bytes);
    this.#schedule(0);
  }

  /** Goes on no more; the chip stays as it is. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    this.#cancel?.();
    const run = (): void => this.#slice();
    if (ms === 0) {
      const soon = setImmediate(run);
      this.#cancel = () => clearImmediate(soon);
    } else {
      const later = setTimeout(run, ms);
      this.#cancel = () => clearTimeout(later);
    }
  }

  #slice(): void {
    if (this.#closed) return;
    let error: Rp2040Error | null = null;
    try {
      if (this.pico.run({ cycles: this.#cycles() }) !== "power cut") {
        if (!this.pico.idle) this.#asleepSince = null;
        else this.#asleepSince ??= performance.now();
        this.#schedule(this.#asleepSince === null ? 0 : LOOK_MS);
        return;
      }
    } catch (thrown) {
      if (!(thrown instanceof Rp2040Error)) throw thrown;
      error = thrown;
    }
    this.close();
    this.#onEnd(error);
  }

  #cycles(): number {
    if (this.#asleepSince === null || !this.pico.idle) return SLICE;
    const now = performance.now();
    const cycles = (now - this.#asleepSince) * CYCLES_A_MS;
    this.#asleepSince = now;
    return Math.max(1, Math.min(Math.round(cycles), 50 * CYCLES_A_MS));
  }
}

/** The UART of a Pico in this process, started up; `pico` runs until the transport is closed. */
export function picoTransport(pico: Rp2040): Transport {
  pico.setLineBaud(DEFAULT_BAUD);
  startUp(pico);
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  const live = new LivePico(
    pico,
    (bytes) => onData(bytes),
    (error) => onClose(error ?? new Error("power was cut")),
  );
  return {
    name: "rp2040js",
    simulated: true,
    seconds: () => pico.seconds,
    async write(bytes) {
      live.write(bytes);
    },
    onData(listener) {
      onData = listener;
    },
    onClose(listener) {
      onClose = listener;
    },
    async setBaud(baud) {
      pico.setLineBaud(baud);
    },
    async close() {
      live.close();
      onClose();
    },
  };
}
