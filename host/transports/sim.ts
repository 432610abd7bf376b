// sim:BOARD: a simulated board in this process, behind serialport's own stream. The only file of the host that knows the simulator.
import { SerialPortStream } from "@serialport/stream";
import type { Board } from "../../boards/board.ts";
import { channelTrouble } from "../../boards/pins.ts";
import {
  type Activity,
  activityBetween,
  activityOfBoard,
  type BootOptions,
  bootRomOf,
  Commands,
  type CostOrigin,
  cyclesOrigin,
  Drive,
  ENERGY_EVENTS,
  ENERGY_PROFILES,
  type Energy,
  type EnergyKind,
  type EnergyProfile,
  energyOf,
  energyProfile,
  FAULT_KINDS,
  type Fault,
  FaultPanel,
  LiveBoard,
  openFlashFile,
  openLine,
  parseFault,
  REPORT_FILES,
  Recorder,
  type Running,
  reportFiles,
  SimBoard,
  SimError,
  servePty,
  serveTcp,
  summaryRows,
} from "../../firmware-sim/index.ts";
import { loadBoard, loadDeviceWasm, loadFirmware } from "../assets.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { lineBinding } from "./line_binding.ts";
import { DEFAULT_BAUD, streamTransport } from "./serial.ts";
import type { CpuReading, CyclesOrigin, PinEvent, Told, Transport } from "./transport.ts";

const PJ_PER_MJ = 1e9;
const NS = 1e9;

export interface SimOptions {
  /** Keeps the flash in this file; without it flash is blank and forgotten. */
  flashFile?: string;
  /** 1: real time; "max": as fast as this machine can (default). */
  speed?: 1 | "max";
  seed?: number;
  /** What ADC channels read, 0..65535; 0 where nothing is said. */
  sensors?: readonly (readonly [channel: number, raw: number])[];
  /** Listens to the board. */
  recorder?: Recorder;
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

export type { Activity, CostOrigin, Energy, EnergyKind, EnergyProfile, Running };
/** Energy: what a board did, times cited constants by the name that a board or a report gives. */
export {
  activityBetween,
  activityOfBoard,
  Commands,
  cyclesOrigin,
  Drive,
  ENERGY_EVENTS,
  ENERGY_PROFILES,
  energyOf,
  energyProfile,
  FAULT_KINDS,
  type Fault,
  FaultPanel,
  parseFault,
  REPORT_FILES,
  Recorder,
  reportFiles,
  SimBoard,
  summaryRows,
};

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
  const { board, sim, close } = await makeSim(boardName, options);
  return translated(async () => {
    const live = new LiveBoard(sim, { speed: options.speed, onOff: options.onOff });
    return {
      ...{ board, sim, live },
      cyclesOrigin: readingOf(sim).origin,
      close() {
        live.close();
        close();
      },
    };
  });
}

/** A simulated board without power, as `options` want it. @throws as startSim */
export async function makeSim(
  boardName: string,
  options: SimOptions,
): Promise<{ board: Board; sim: SimBoard; close(): void }> {
  const board = await loadBoard(boardName);
  for (const [channel] of options.sensors ?? []) {
    const trouble = channelTrouble(board, channel);
    if (trouble !== null) throw new TritkitError("E_SIM_SENSOR", `${trouble}.`, "", EXIT_USAGE);
  }
  return translated(async () => {
    const hasSlots = board.flash.update !== null && options.boot === "flash";
    const boot = hasSlots ? undefined : await bootOptions(board, options);
    const slots = hasSlots ? { onBoot: options.onBoot } : undefined;
    const need = boot === undefined && slots === undefined ? "partition" : "flash";
    const wasm = await loadDeviceWasm(board);
    const file = options.flashFile === undefined ? null : await openFlashFile(options.flashFile, board, need);
    const { seed, recorder } = options;
    const partition = file?.content;
    const watcher = recorder;
    const sim = SimBoard.create({ board, wasm, flash: partition, seed, cpu: "metered", watcher, boot, slots });
    recorder?.attach(sim);
    file?.attach(sim);
    for (const [channel, raw] of options.sensors ?? []) sim.adc.set(channel, raw);
    if (hasSlots) await deliver(sim, board, options);
    return { board, sim, close: () => file?.close() };
  });
}

/** A board that counts its cycles, switched on by nobody yet. @param content of its model partition. @throws TritkitError E_SIM_* */
export async function meteredBoard(board: Board, content: Uint8Array): Promise<SimBoard> {
  return translated(async () =>
    SimBoard.create({ board, wasm: await loadDeviceWasm(board), flash: content, cpu: "metered", seed: 1 }),
  );
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
export async function openSimLine(
  { live, board }: Omit<RunningSim, "cyclesOrigin">,
  onClose: () => void = () => {},
): Promise<Transport> {
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
    const told = toldBy(live.board, () => live.silent);
    return {
      ...transport,
      setParity: async (parity) => line.setParity(parity),
      async setSignals(changes) {
        lines = { ...lines, ...changes };
        line.setModemLines(lines);
      },
      seconds: () => live.board.now / 1e9,
      silentSeconds: () => live.silent / 1e9,
      cpu: () => readingOf(live.board),
      told,
      onPins: (listener) => onPins(live.board, listener),
      close: async () => {
        await transport.close();
        onClose();
      },
    };
  });
}

/** What each reading was taken of: energy is a matter of two. */
const activities = new WeakMap<CpuReading, Activity>();

export function readingOf(sim: SimBoard): CpuReading {
  const { meter } = sim;
  const activity = activityOfBoard(sim);
  if (meter === null || activity === null) throw new Error("a board of startSim is metered");
  const { cycles, waitCycles } = meter.reading();
  const reading: CpuReading = {
    ...{ cycles, waitCycles: Math.round(waitCycles), origin: cyclesOrigin(meter.table) },
    energySince(before) {
      const { energy: profile } = sim.board;
      const from = activities.get(before);
      if (profile === null || from === undefined) return null;
      const { pj, kind } = energyOf(activityBetween(from, activity), energyProfile(profile));
      return { mj: pj / PJ_PER_MJ, kind, profile };
    },
  };
  activities.set(reading, activity);
  return reading;
}

/** Listens to a metered board from now on. @param silent ns, as Transport.silentSeconds. @returns Transport.told of it */
export function toldBy(sim: SimBoard, silent: () => number = () => 0): () => Told | null {
  let told: Told | null = null;
  sim.uart.onLine(({ to, bytes, from, frame }) => {
    if (to !== "host") return;
    const end = from + bytes.length * frame.ns;
    told = { seconds: end / NS, silentSeconds: silent() / NS, cpu: readingOf(sim) };
  });
  return () => told;
}

/** As Transport.onPins, of a board. */
export function onPins({ board, gpio, pwm }: SimBoard, listener: (event: PinEvent) => void): () => void {
  const common = (at: number, pin: number) => ({
    seconds: at / NS,
    ...(pin === board.gpio.led ? { led: true as const } : {}),
  });
  const levels = gpio.onChange(({ at, pin, level }) => listener({ event: "pin", pin, level, ...common(at, pin) }));
  const pulses = pwm.onChange(({ at, pin, duty, hz }) => listener({ event: "pwm", pin, duty, hz, ...common(at, pin) }));
  return () => {
    levels();
    pulses();
  };
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
  E_SIM_FAULT: "`tritkit sim --help` lists the faults, docs/scenarios.md what each does.",
  E_SIM_COMMAND: "help lists them.",
  E_SIM_PORT: "Choose another port.",
  E_SIM_PORT_MISSING: "Install the optional package @lydell/node-pty, or use --port tcp:PORT.",
};

function sentence(words: string): string {
  const text = `${words.replace(/\.$/, "")}.`;
  return text[0].toUpperCase() + text.slice(1);
}

export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SimError)) throw error;
    const status = ["E_SIM_FLASH", "E_SIM_ROM"].includes(error.code) ? EXIT_USAGE : 1;
    throw new TritkitError(error.code, sentence(error.message), HINTS[error.code] ?? "", status, {
      cause: error,
    });
  }
}
