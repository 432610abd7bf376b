/**
 * A line to a simulated board on which the host's timers run by the board's clock: deadlines, keep-alive and resends happen
 * at exact simulated times, however busy this machine is. The line can damage and lose what it carries.
 */
import { mock } from "node:test";
import type { SimBoard } from "../../firmware-sim/index.ts";
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import type { Transport } from "../transports/transport.ts";
import { REAL_WORLD } from "../transports/world.ts";

export interface LineFaults {
  /** Uniform in [0, 1). */
  random: () => number;
  /** Probability that a bit arrives flipped. */
  bitErrors?: number;
  /** Probability that a piece of 1 to 64 bytes that the host reads or writes gets lost. */
  drops?: number;
}

export interface VirtualLine extends Transport {
  /** Bytes in either direction, as sent. */
  readonly sent: number;
  unplug(): void;
}

/** @param carries the speed that the host's end really has when it was told another one */
export function virtualLine(sim: SimBoard, faults?: LineFaults, carries = (baud: number) => baud): VirtualLine {
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  let open = true;
  let sent = 0;
  let lines = { dtr: false, rts: false };
  const spoil = (bytes: Uint8Array): Uint8Array => {
    if (faults === undefined) return bytes;
    const { random, bitErrors = 0, drops = 0 } = faults;
    const kept: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + 1 + Math.floor(random() * 64));
      if (random() >= drops) for (const byte of piece) kept.push(flip(byte, bitErrors, random));
      at += piece.length;
    }
    return Uint8Array.from(kept);
  };
  const gone = () => new TritkitError("E_LINK_LOST", "line is gone.", "", EXIT_LINK_LOST);
  const stop = sim.uart.onHostData((bytes) => {
    sent += bytes.length;
    const heard = spoil(bytes);
    if (heard.length > 0) onData(heard);
  });
  const end = (error?: Error) => {
    if (!open) return;
    open = false;
    stop();
    onClose(error);
  };
  sim.uart.setHostBaud(carries(sim.board.uart.default_baud));
  return {
    name: "line",
    simulated: true,
    // A world of its own: deadlines pass in the board's time here, and the host is as patient as with a chip.
    world: { ...REAL_WORLD },
    get sent() {
      return sent;
    },
    seconds: () => sim.now / 1e9,
    async write(bytes) {
      if (!open) throw gone();
      sent += bytes.length;
      sim.uart.hostWrite(spoil(bytes));
    },
    onData: (listener) => {
      onData = listener;
    },
    onClose: (listener) => {
      onClose = listener;
    },
    async setBaud(baud) {
      sim.uart.setHostBaud(carries(baud));
    },
    async setParity(parity) {
      sim.uart.setHostParity(parity);
    },
    async setSignals(changes) {
      lines = { ...lines, ...changes };
      sim.setModemLines(lines);
    },
    close: async () => end(),
    unplug: () => end(gone()),
  };
}

function flip(byte: number, probability: number, random: () => number): number {
  let damaged = byte;
  for (let bit = 0; probability > 0 && bit < 8; bit++) if (random() < probability) damaged ^= 1 << bit;
  return damaged;
}

const STEP_MS = 1;

/** Runs the board and the host's timers, millisecond by millisecond, until `work` is done. @throws what `work` throws */
export async function inBoardTime<T>(sim: SimBoard, work: () => Promise<T>, limitSeconds = 600): Promise<T> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  try {
    let settled = false;
    const result = work().finally(() => {
      settled = true;
    });
    result.catch(() => {});
    const start = sim.now;
    const end = start + limitSeconds * 1e9;
    let ticked = 0;
    while (!settled) {
      if (sim.now > end) throw new Error(`not done after ${limitSeconds} simulated seconds`);
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) break;
      // A step of the board may take longer: an erase, a nap of the firmware.
      if (sim.state === "on") sim.run({ maxUs: STEP_MS * 1000 });
      else sim.sleepUntil(sim.now + STEP_MS * 1e6);
      const ms = Math.floor((sim.now - start) / 1e6) - ticked;
      if (ms > 0) mock.timers.tick(ms);
      ticked += ms;
    }
    return await result;
  } finally {
    mock.timers.reset();
  }
}

/** Lets simulated time pass. Only inside inBoardTime. */
export const pass = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
