// sim:BOARD: a simulated board in this process, behind serialport's own stream. The only file of the host that knows the simulator.
import { SerialPortStream } from "@serialport/stream";
import type { Board } from "../../boards/board.ts";
import {
  type BootOptions,
  bootRomOf,
  cyclesOrigin,
  LiveBoard,
  openFlashFile,
  openLine,
  type Running,
  SimBoard,
  SimError,
  servePty,
  serveTcp,
} from "../../firmware-sim/index.ts";
import { loadBoard, loadDeviceWasm, loadFirmware } from "../assets.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { lineBinding } from "./line_binding.ts";
import { DEFAULT_BAUD, streamTransport } from "./serial.ts";
import type { CpuReading, CyclesOrigin, Transport } from "./transport.ts";

export interface SimOptions {
  /** Keeps the flash in this file; without it flash is blank and forgotten. */
  flashFile?: string;
  /** 1: real time; "max": as fast as this machine can (default). */
  speed?: 1 | "max";
  seed?: number;
  /** The board went off by itself. */
  onOff?: (error: Error | null) => void;
  /**
   * Strapped into its boot ROM, or for booting from flash. Then the flash file holds the whole flash, and the device module starts only
   * where flash holds `firmware`; a board with two slots for it (spec/FIRMWARE.md) boots by its selector from "flash", which is filled with
   * `firmware` when it is blank. Left out: the module starts, and the file holds the model partition.
   */
  boot?: "rom" | "flash";
  /** What counts as the board's firmware; without it the release that ships for it, if there is one. */
  firmware?: readonly FirmwareSegment[];
  /** The chip is protected against reading. With `boot`. */
  protected?: boolean;
  /** The CPU begins with this, at power-on, reset and a jump. With `boot`. */
  onBoot?: (running: Running) => void;
}

export type { Running };

export interface RunningSim {
  board: Board;
  /** The board itself: pins, power, faults, time. */
  sim: SimBoard;
  live: LiveBoard;
  /** How the cycles of its core are known. */
  cyclesOrigin: CyclesOrigin;
  close(): void;
}

/** Powers a simulated board on. @throws TritkitError E_UNKNOWN_BOARD, E_SIM_* */
export async function startSim(boardName: string, options: SimOptions = {}): Promise<RunningSim> {
  const board = await loadBoard(boardName);
  return translated(async () => {
    const hasSlots = board.flash.update !== null && options.boot === "flash";
    const boot = hasSlots ? undefined : await bootOptions(board, options);
    const slots = hasSlots ? { onBoot: options.onBoot } : undefined;
    const need = boot === undefined && slots === undefined ? "partition" : "flash";
    const wasm = await loadDeviceWasm(board);
    const file = options.flashFile === undefined ? null : await openFlashFile(options.flashFile, board, need);
    const sim = SimBoard.create({ board, wasm, flash: file?.content, seed: options.seed, cpu: "metered", boot, slots });
    file?.attach(sim);
    if (hasSlots) await deliver(sim, board, options);
    const live = new LiveBoard(sim, { speed: options.speed, onOff: options.onOff });
    return {
      board,
      sim,
      live,
      cyclesOrigin: readingOf(sim).origin,
      close() {
        live.close();
        file?.close();
      },
    };
  });
}

/** A board with two slots whose flash is blank where firmware lies gets the one that it is delivered with, if there is one. */
async function deliver(sim: SimBoard, board: Board, options: SimOptions): Promise<void> {
  const { base, partition } = board.flash;
  if (sim.flashBus.read(base, partition.offset).some((byte) => byte !== 0xff)) return;
  const firmware = options.firmware ?? (await shippedFirmware(board)) ?? [];
  for (const { address, bytes } of firmware) sim.flashBus.program(address, bytes);
}

async function bootOptions(board: Board, options: SimOptions): Promise<BootOptions | undefined> {
  const { boot, onBoot } = options;
  if (boot === undefined) return undefined;
  // Before a flash file is made for it.
  bootRomOf(board);
  const firmware = options.firmware ?? (await shippedFirmware(board));
  return { from: boot, firmware, onBoot, protected: options.protected };
}

async function shippedFirmware(board: Board): Promise<readonly FirmwareSegment[] | null> {
  try {
    return (await loadFirmware(board)).segments;
  } catch (error) {
    if (error instanceof TritkitError && error.code === "E_NO_FIRMWARE") return null;
    throw error;
  }
}

/** A line to a running simulated board, through serialport's stream. */
export async function openSimLine({ live, board }: RunningSim, onClose: () => void = () => {}): Promise<Transport> {
  return translated(async () => {
    const line = openLine(live, DEFAULT_BAUD);
    const port = new SerialPortStream({
      binding: lineBinding(line),
      path: `sim:${board.name}`,
      baudRate: DEFAULT_BAUD,
      autoOpen: false,
    });
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
    const transport = streamTransport(`sim:${board.name}`, port, true);
    let lines = { dtr: false, rts: false };
    return {
      ...transport,
      setParity: async (parity) => line.setParity(parity),
      async setSignals(changes) {
        lines = { ...lines, ...changes };
        line.setModemLines(lines);
      },
      seconds: () => live.board.now / 1e9,
      cpu: () => readingOf(live.board),
      close: async () => {
        await transport.close();
        onClose();
      },
    };
  });
}

function readingOf({ meter }: SimBoard): CpuReading {
  if (meter === null) throw new Error("a board of startSim is metered");
  const { cycles, wait } = meter.totals();
  return { cycles: cycles + wait.flash, waitCycles: wait.flash, origin: cyclesOrigin(meter.table) };
}

/** A simulated board of its own for one transport: it lives as long as the line. */
export async function openSim(boardName: string, options: SimOptions = {}): Promise<Transport> {
  const running = await startSim(boardName, options);
  return openSimLine(running, () => running.close());
}

export interface ServedPort {
  /** What a user gives to --port. */
  port: string;
  close(): Promise<void>;
}

/** Lets other programs reach the board: a pseudo-terminal, or a TCP port on loopback (0: any free one). */
export async function serveSim({ live }: RunningSim, port: "pty" | { tcp: number }): Promise<ServedPort> {
  return translated(async () => {
    if (port === "pty") {
      const { path, close } = await servePty(live);
      return { port: path, close };
    }
    const served = await serveTcp(live, port.tcp);
    return { port: `tcp://${served.host}:${served.port}`, close: () => served.close() };
  });
}

const HINTS: Record<string, string> = {
  E_SIM_ROM:
    "So far those of STM32 chips and of the ESP32-S3 and -C3 are; leave --boot out to start the board as it is delivered.",
  E_SIM_FLASH: "Give another --flash file, or delete this one.",
  E_SIM_PORT: "Choose another port.",
  E_SIM_PORT_MISSING: "Install the optional package @lydell/node-pty, or use --port tcp:PORT.",
};

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SimError)) throw error;
    const message = `${error.message.replace(/\.$/, "")}.`;
    const status = ["E_SIM_FLASH", "E_SIM_ROM"].includes(error.code) ? EXIT_USAGE : 1;
    throw new TritkitError(error.code, message[0].toUpperCase() + message.slice(1), HINTS[error.code] ?? "", status, {
      cause: error,
    });
  }
}
