// A serial line to a simulated board for a host that lives in simulated time with it (firmware-sim/control/drive.ts): every deadline of the
// session passes there, every random choice is the drive's. What a scenario talks through, and a command whose report is to be the same in every run.
import type { Board } from "../../boards/board.ts";
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import { DEFAULT_BAUD } from "./serial.ts";
import { Drive, makeSim, onPins, readingOf, type SimOptions, toldBy, translated } from "./sim.ts";
import type { Transport } from "./transport.ts";

/** A board and a host in simulated time. */
export interface DrivenSim {
  readonly board: Board;
  readonly transport: Transport;
  /** Lets time pass until `work` is settled; the work must wait for nothing but the transport. */
  run<T>(work: Promise<T>): Promise<T>;
  close(): void;
}

/** Longer than anybody waits, ns: a day of simulated time. */
const LONG = 86_400e9;

/** Powers a board on whose time passes only while `run` waits. @throws as startSim */
export async function startDriven(boardName: string, options: SimOptions): Promise<DrivenSim> {
  const { board, sim, close } = await makeSim(boardName, options);
  await translated(async () => sim.powerOn());
  const drive = new Drive(sim, { seed: options.seed, speed: options.speed });
  const late = () => new TritkitError("E_LINK_TIMEOUT", `${board.name} was silent for a day.`, "", EXIT_LINK_LOST);
  return {
    ...{ board, close },
    transport: openDriven(drive, DEFAULT_BAUD),
    run: (work) => translated(() => drive.settle(work, sim.now + LONG, late)),
  };
}

/** @param baud of the host's end at first */
export function openDriven(drive: Drive, baud: number): Transport {
  const { uart, board } = drive.board;
  const name = `sim:${board.name}`;
  let open = true;
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  uart.setHostBaud(baud);
  uart.setHostParity("none");
  const stop = uart.onHostData((bytes) => onData(bytes));
  return {
    name,
    simulated: true,
    world: drive,
    seconds: () => drive.board.now / 1e9,
    ...(drive.board.meter === null ? {} : { cpu: () => readingOf(drive.board), told: toldBy(drive.board) }),
    onPins: (listener) => onPins(drive.board, listener),
    async write(bytes) {
      if (!open) throw new TritkitError("E_LINK_LOST", `${name} is closed.`, "", EXIT_LINK_LOST);
      // A board without power hears nothing, and its adapter does not know.
      uart.hostWrite(bytes);
    },
    onData(listener) {
      onData = listener;
    },
    onClose(listener) {
      onClose = listener;
    },
    async setBaud(next) {
      uart.setHostBaud(next);
    },
    async setParity(parity) {
      uart.setHostParity(parity);
    },
    async close() {
      if (!open) return;
      open = false;
      stop();
      onClose();
    },
  };
}
