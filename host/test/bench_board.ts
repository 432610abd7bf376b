/**
 * A board on the test bench: the simulated board with the shipped device build, behind a Transport that needs no wall clock.
 * Whatever is written runs the board until it is idle again, so that the real flasher and chat of host/device do the same
 * in every run.
 *
 *     host/device ── Transport ── SimBoard.uart ── device-*.wasm
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Board, deviceWasmName, parseBoard } from "../../boards/board.ts";
import { SimBoard } from "../../firmware-sim/index.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { listModels, type SlotInfo } from "../device/models.ts";
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import type { Transport } from "../transports/transport.ts";

/** The two sectors of records before the slot area (spec/STORE.md). */
const RECORD_SECTORS = 2;
/** Longer than anything that the device does by itself. */
const SETTLE_US = 20_000_000;

export const image = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(ROOT, `spec/vectors/${name}.trit`)));

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function boardJson(name: string): Board {
  return JSON.parse(readFileSync(join(ROOT, "boards", `${name}.json`), "utf8"));
}

export interface Scale {
  /** Sectors become smaller by this. */
  divide?: number;
  /** Sectors of the partition that stay, from its start on; all without it. */
  sectors?: number;
}

/** A shipped board with smaller sectors and fewer of them; memory map, units, pages and rules stay. Checked by parseBoard. */
export function scaledBoard(name: string, { divide = 1, sectors }: Scale = {}): Board {
  const json = structuredClone(boardJson(name));
  const { flash } = json;
  const runs = flash.sectors.map(({ count, bytes }) => ({ count, bytes: bytes / divide }));
  const erase_us = flash.timing.erase_us.map((time) => ({ ...time, bytes: time.bytes / divide }));
  const bounds = [0];
  for (const { count, bytes } of runs) for (let i = 0; i < count; i++) bounds.push((bounds.at(-1) ?? 0) + bytes);
  const offset = flash.partition.offset / divide;
  const first = bounds.indexOf(offset);
  const end = sectors === undefined ? offset + flash.partition.bytes / divide : bounds[first + sectors];
  const partition = { offset, bytes: end - offset };
  const scaled = {
    ...flash,
    bytes: flash.bytes / divide,
    sectors: runs,
    timing: { ...flash.timing, erase_us },
    partition,
  };
  return parseBoard({ ...json, flash: scaled }, name);
}

export function deviceWasm(board: Board): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(ROOT, "dist/wasm", deviceWasmName(board))));
}

export interface Bench extends Transport {
  /** Bytes that went to the board so far. */
  readonly toBoard: number;
}

export interface BenchOptions {
  /** Called before a write reaches the board. */
  onWrite?: (bytes: Uint8Array) => void;
  /** The plug falls out after this many bytes, both directions counted. */
  unplugAfter?: number;
}

/** The host's end of the board's line. When power is cut, or the plug falls out, the line is lost. */
export function bench(sim: SimBoard, { onWrite, unplugAfter = Number.POSITIVE_INFINITY }: BenchOptions = {}): Bench {
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  let open = true;
  let toBoard = 0;
  let left = unplugAfter;
  const gone = () => new TritkitError("E_LINK_LOST", "bench is gone.", "", EXIT_LINK_LOST);
  const lose = () => {
    if (!open) return;
    open = false;
    stop();
    onClose(gone());
  };
  /** As many of `bytes` as still get through. */
  const through = (bytes: Uint8Array): Uint8Array => {
    if (left === Number.POSITIVE_INFINITY) return bytes;
    const passed = bytes.subarray(0, Math.max(left, 0));
    left -= bytes.length;
    return passed;
  };
  sim.uart.setHostBaud(null);
  const stop = sim.uart.onHostData((bytes) => {
    if (open) onData(through(bytes));
  });
  return {
    name: "bench",
    simulated: true,
    get toBoard() {
      return toBoard;
    },
    seconds: () => sim.now / 1e9,
    async write(bytes) {
      // The session expects no answer before write() has returned.
      await null;
      if (!open || sim.state === "off") {
        lose();
        throw gone();
      }
      onWrite?.(bytes);
      const passed = through(bytes);
      toBoard += passed.length;
      sim.uart.hostWrite(passed);
      const end = sim.run({ untilIdle: true, maxUs: SETTLE_US });
      if (end === "power-cut" || left <= 0) lose();
    },
    onData: (listener) => {
      onData = listener;
    },
    onClose: (listener) => {
      onClose = listener;
    },
    setBaud: async () => {},
    async close() {
      if (!open) return;
      open = false;
      stop();
      onClose();
    },
  };
}

/** Says hello in the mode after reset and stays in it; `work` has the line for itself. */
export async function withBench<T>(
  sim: SimBoard,
  work: (device: Device, transport: Bench) => Promise<T>,
  options?: BenchOptions,
): Promise<T> {
  const transport = bench(sim, options);
  const device = await Device.connect(transport, { baud: 0 });
  try {
    return await work(device, transport);
  } finally {
    await device.close();
  }
}

/** The bytes that a slot's model has in flash. */
export function slotBytes(sim: SimBoard, device: Device, info: SlotInfo): Uint8Array {
  const { partition, sectors } = sim.board.flash;
  let at = 0;
  let records = 0;
  let skip = RECORD_SECTORS;
  for (const { count, bytes } of sectors) {
    for (let i = 0; i < count && skip > 0; i++, at += bytes) {
      if (at < partition.offset) continue;
      records += bytes;
      skip--;
    }
  }
  const start = records + device.hello.slots[info.slot].offset;
  return sim.flash.image().subarray(start, start + info.bytes);
}

export const greedy = async (device: Device, prompt = "ab", maxTokens = 5): Promise<number[]> =>
  (await generateOnDevice(device, prompt, { maxTokens, temperature: 0 })).tokenIds;

export interface Seen {
  /** SHA-256 of the active model as the device says it, "" without one, and of what its slot holds in flash. */
  active: string;
  inFlash: string;
  answer: number[];
}

/** What a user would find on the board. */
export async function look(sim: SimBoard, device: Device): Promise<Seen> {
  const info = (await listModels(device)).find(({ state }) => state === "active" || state === "test");
  if (info === undefined) return { active: "", inFlash: "", answer: [] };
  return {
    active: Buffer.from(info.sha).toString("hex"),
    inFlash: sha256(slotBytes(sim, device, info)),
    answer: await greedy(device),
  };
}

export function newBoard(board: Board, wasm: Uint8Array, seed = 0): SimBoard {
  const sim = SimBoard.create({ board, wasm, seed });
  sim.powerOn();
  return sim;
}
