// A byte pipe to a device. Whatever the wire is, the session above sees only this.
import type { World } from "./world.ts";

export interface Transport {
  /** What a user typed to open it, for messages. */
  readonly name: string;
  /** True when the other end is our simulator in this process: time there is simulated. */
  readonly simulated: boolean;
  /** Seconds that pass at the device: the wall clock's, or simulated ones. Only differences mean anything. */
  seconds(): number;
  /** Time and chance at this end of the line; this machine's where it is left out. */
  readonly world?: World;
  /** Of those, the ones that passed at a simulated board only because this machine took them while the line was silent. Absent elsewhere. */
  silentSeconds?(): number;
  /** What the CPU of a simulated board has done up to now. Absent where nobody counts. */
  cpu?(): CpuReading;
  /**
   * When a simulated board had put the last byte that it sent on the line. The module's work between two looks at its line is one piece here: the
   * host hears of a token when the next one is computed already. null: it was silent so far. Absent elsewhere.
   */
  told?(): Told | null;
  /** What a simulated board does at its pins, as it does it. Absent elsewhere. @returns ends it */
  onPins?(listener: (event: PinEvent) => void): () => void;
  /** Hands bytes to the line; resolves when they were taken. Rejects with E_LINK_LOST once the line is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes as they come, in pieces of any size. One listener. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** The line is gone: the cable was pulled, the peer closed, or close() was called (then without an error). One listener. */
  onClose(listener: (error?: Error) => void): void;
  /** Changes the speed of the line; a pipe without a speed (TCP) does nothing. */
  setBaud(baud: number): Promise<void>;
  /** Of both directions from the next byte on; every line starts with "none". Absent where the line cannot say (TCP). */
  setParity?(parity: Parity): Promise<void>;
  /** Drives modem lines, true: asserted; one that is not named stays. A pseudo-terminal has none and does nothing. Absent on TCP. */
  setSignals?(signals: ModemSignals): Promise<void>;
  close(): Promise<void>;
}

/**
 * A pin changed, at so many simulated seconds; `led`: it is the board's own LED, which is on while a model works. level null: nobody drives it any
 * more. A duty is of 65535; a pulse ends with the pin's next level.
 */
export type PinEvent = { readonly pin: number; readonly seconds: number; readonly led?: true } & (
  | { readonly event: "pin"; readonly level: 0 | 1 | null }
  | { readonly event: "pwm"; readonly duty: number; readonly hz: number }
);

/** Of the same clocks as seconds(), silentSeconds() and cpu(). */
export interface Told {
  readonly seconds: number;
  readonly silentSeconds: number;
  readonly cpu: CpuReading;
}

export interface CpuReading {
  /** Cycles that it was busy, waiting for flash included; and the part that it waited. */
  readonly cycles: number;
  readonly waitCycles: number;
  /** How the cost of its instructions is known. What it waits for flash is always derived from the board's data. */
  readonly origin: CyclesOrigin;
  /** What the chip took since an earlier reading. null: its board names no energy profile. */
  energySince(before: CpuReading): ChipEnergy | null;
}

export interface ChipEnergy {
  readonly mj: number;
  /** How the weakest figure is known that counts. */
  readonly kind: "measured" | "datasheet" | "derived" | "assumed";
  /** Of firmware-sim/energy/profiles. */
  readonly profile: string;
}

/** calibrated: fitted to an emulated chip. derived: from another core's and the manual. estimated: compared with nothing. */
export type CyclesOrigin = "calibrated" | "derived" | "estimated";

export type Parity = "none" | "even";

export interface ModemSignals {
  dtr?: boolean;
  rts?: boolean;
}

export function wallSeconds(): number {
  return performance.now() / 1000;
}
