/**
 * A board is data. `parseBoard` turns the JSON of boards/<name>.json into a `Board` of which every field was checked;
 * the helpers below answer what is derived from it. Pure: the caller reads the file.
 */

import { checkBoard, sourceKey } from "./checks.ts";
import { BoardError, Fields } from "./fields.ts";
import {
  type Board,
  COPRO_UNITS,
  CORES,
  type Copro,
  type Flash,
  type Memory,
  ORIGINS,
  type Origin,
  type Psram,
  ROMS,
  type SectorRun,
  type Uart,
  VERIFIED_HOW,
  type Xip,
} from "./types.ts";
import { type BoardFiles, wholeBoard } from "./variant.ts";

export { BoardError } from "./fields.ts";
export type * from "./types.ts";

const U32_MAX = 2 ** 32 - 1;
/** One past the last address of a 32-bit chip. */
const ADDRESS_END = 2 ** 32;
const WASM_PAGE_BYTES = 65536;

function readMemory(fields: Fields): Memory {
  const memory = {
    base: fields.integer("base", 0, U32_MAX),
    end: fields.integer("end", 1, ADDRESS_END),
    reserve_base: fields.integer("reserve_base", 0, U32_MAX),
    reserve: fields.integer("reserve", 1, U32_MAX),
    sram: fields.list("sram", 1, (item) => ({
      name: item.text("name"),
      base: item.integer("base", 0, U32_MAX),
      bytes: item.integer("bytes", 1, U32_MAX),
    })),
  };
  fields.done();
  return memory;
}

function readUpdate(fields: Fields): Flash["update"] {
  const update = {
    offset: fields.integer("offset", 1, U32_MAX),
    slot_bytes: fields.integer("slot_bytes", 1, U32_MAX),
  };
  fields.done();
  return update;
}

function readXip(fields: Fields): Xip {
  const xip = {
    line_bytes: fields.powerOfTwo("line_bytes", 4096),
    cache_bytes: fields.powerOfTwo("cache_bytes", 1 << 24),
    ways: fields.powerOfTwo("ways", 64),
    overhead_cycles: fields.quantity("overhead_cycles"),
    following_cycles: fields.quantity("following_cycles"),
    cycles_per_byte: fields.quantity("cycles_per_byte"),
    code_bytes: fields.integer("code_bytes", 0, 1 << 24),
  };
  fields.done();
  return xip;
}

function readFlash(fields: Fields): Flash {
  const timing = fields.child("timing");
  const program = timing.child("program_us");
  const partition = fields.child("partition");
  const flash = {
    part: fields.text("part"),
    base: fields.integer("base", 0, U32_MAX),
    bytes: fields.integer("bytes", 1, ADDRESS_END),
    sectors: fields.list("sectors", 1, (item) => ({
      count: item.integer("count", 1, 1 << 20),
      bytes: item.integer("bytes", 1, U32_MAX),
    })),
    program_unit: fields.powerOfTwo("program_unit", 4096),
    page: fields.powerOfTwo("page", 65536),
    write_once: fields.flag("write_once"),
    erase_value: fields.integer("erase_value", 255, 255) as 255,
    timing: {
      erase_us: timing.list("erase_us", 1, (item) => ({
        bytes: item.integer("bytes", 1, U32_MAX),
        typ: item.integer("typ", 1, U32_MAX),
        max: item.integer("max", 1, U32_MAX),
      })),
      program_us: {
        typ: program.integer("typ", 1, U32_MAX),
        max: program.integer("max", 1, U32_MAX),
      },
      program_us_per: timing.powerOfTwo("program_us_per", 65536),
    },
    xip: fields.orNull("xip", () => readXip(fields.child("xip"))),
    endurance_cycles: fields.integer("endurance_cycles", 1, U32_MAX),
    stalls_cpu: fields.flag("stalls_cpu"),
    partition: {
      offset: partition.integer("offset", 0, U32_MAX),
      bytes: partition.integer("bytes", 1, U32_MAX),
    },
    update: fields.orNull("update", () => readUpdate(fields.child("update"))),
  };
  for (const part of [partition, program, timing, fields]) part.done();
  return flash;
}

function readUart(fields: Fields): Uart {
  const uart = {
    default_baud: fields.integer("default_baud", 300, 100_000_000),
    max_baud: fields.integer("max_baud", 300, 100_000_000),
    rx_buffer: fields.integer("rx_buffer", 1, 1 << 24),
    tx_buffer: fields.integer("tx_buffer", 1, 1 << 24),
    rx_while_flash_busy: fields.flag("rx_while_flash_busy"),
  };
  fields.done();
  return uart;
}

function readCpu(fields: Fields): Board["cpu"] {
  const cpu = {
    core: fields.oneOf("core", CORES),
    hz: fields.integer("hz", 1_000_000, U32_MAX),
    cores: fields.integer("cores", 1, 64),
  };
  fields.done();
  return cpu;
}

function readCopro(fields: Fields): Copro {
  const copro = {
    unit: fields.oneOf("unit", COPRO_UNITS),
    base: fields.integer("base", 0, U32_MAX),
    irq: fields.integer("irq", 0, 1023),
    hz: fields.integer("hz", 1_000_000, U32_MAX),
    slots: fields.powerOfTwo("slots", 8),
    capacity: fields.powerOfTwo("capacity", 65536),
    fifo: fields.powerOfTwo("fifo", 128),
    flash_cycles_per_beat: fields.quantity("flash_cycles_per_beat"),
    flash_setup_cycles: fields.integer("flash_setup_cycles", 0, 100_000),
  };
  fields.done();
  return copro;
}

function readPsram(fields: Fields): Psram {
  const psram = {
    part: fields.text("part"),
    base: fields.integer("base", 0, U32_MAX),
    bytes: fields.integer("bytes", 1, U32_MAX),
    hz: fields.integer("hz", 1_000_000, U32_MAX),
    bits_per_clock: fields.powerOfTwo("bits_per_clock", 64),
    setup_clocks: fields.integer("setup_clocks", 0, 1000),
    burst_bytes: fields.powerOfTwo("burst_bytes", 65536),
  };
  fields.done();
  return psram;
}

function readGpio(fields: Fields): Board["gpio"] {
  const pins = fields.integer("pins", 0, 1024);
  const led = fields.orNull("led", () => fields.integer("led", 0, 1023));
  const taken = fields.integers("taken", 0, 1023);
  fields.done();
  return { pins, led, taken };
}

function readPwm(fields: Fields): Board["pwm"] {
  const pwm = {
    pins: fields.integers("pins", 0, 1023),
    channels: fields.integers("channels", 0, 1023),
    per_generator: fields.integer("per_generator", 1, 64),
    min_hz: fields.integer("min_hz", 1, 65535),
    max_hz: fields.integer("max_hz", 1, 65535),
  };
  fields.done();
  return pwm;
}

function readAdc(fields: Fields): Board["adc"] {
  const adc = {
    channels: fields.integer("channels", 1, 64),
    bits: fields.integer("bits", 1, 32),
    vref_mv: fields.integer("vref_mv", 1, 10_000),
    pins: fields.orNull("pins", () => fields.integersOrNull("pins", 0, 1023)),
  };
  fields.done();
  return adc;
}

/**
 * Checks every field of a parsed board file.
 * @param json what JSON.parse returned
 * @param name the file's name without .json; the file must say the same name
 * @param boards the files beside it, for one that says only what it changes of another (variant.ts)
 * @throws BoardError with the field's path, for a missing, wrong or unknown field, or fields that contradict each other
 */
export function parseBoard(json: unknown, name: string, boards: BoardFiles = () => undefined): Board {
  const fields = new Fields(wholeBoard(json, boards), "");
  const board: Board = {
    name: fields.text("name"),
    title: fields.text("title"),
    chip: fields.text("chip"),
    rom: fields.orNull("rom", () => fields.oneOf("rom", ROMS)),
    cpu: readCpu(fields.child("cpu")),
    copro: fields.orNull("copro", () => readCopro(fields.child("copro"))),
    memory: readMemory(fields.child("memory")),
    psram: fields.orNull("psram", () => readPsram(fields.child("psram"))),
    flash: readFlash(fields.child("flash")),
    uart: readUart(fields.child("uart")),
    usb: fields.list("usb", 0, (item) => ({
      vid: item.integer("vid", 0, 0xffff),
      pid: item.integer("pid", 0, 0xffff),
      what: item.text("what"),
    })),
    gpio: readGpio(fields.child("gpio")),
    pwm: fields.orNull("pwm", () => readPwm(fields.child("pwm"))),
    adc: fields.orNull("adc", () => readAdc(fields.child("adc"))),
    energy: fields.orNull("energy", () => fields.text("energy")),
    verified: fields.list("verified", 0, (item) => ({
      how: item.oneOf("how", VERIFIED_HOW),
      what: item.text("what"),
      version: item.text("version"),
    })),
    sources: Object.fromEntries(fields.child("sources").texts()),
  };
  fields.done();
  if (board.name !== name) {
    throw new BoardError("name", `expected ${JSON.stringify(name)}, got ${JSON.stringify(board.name)}`);
  }
  checkBoard(board);
  return board;
}

export interface Sector {
  readonly index: number;
  /** From the start of flash, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** The sector that holds byte `offset` of flash (counted from flash.base, not from the partition). */
export function sectorAt(board: Board, offset: number): Sector {
  let index = 0;
  let start = 0;
  for (const run of board.flash.sectors) {
    const runBytes = run.count * run.bytes;
    if (offset >= start && offset < start + runBytes) {
      const i = Math.floor((offset - start) / run.bytes);
      return {
        index: index + i,
        offset: start + i * run.bytes,
        bytes: run.bytes,
      };
    }
    index += run.count;
    start += runBytes;
  }
  throw new RangeError(`flash offset ${offset} is outside 0..${board.flash.bytes}`);
}

/** Every sector of flash in address order. */
export function sectorsOf(board: Board): Sector[] {
  const sectors: Sector[] = [];
  let offset = 0;
  for (const run of board.flash.sectors) {
    for (let i = 0; i < run.count; i++, offset += run.bytes)
      sectors.push({ index: sectors.length, offset, bytes: run.bytes });
  }
  return sectors;
}

/** The runs of equal sectors inside the model partition, in address order. */
export function partitionRuns(board: Board): SectorRun[] {
  const { offset, bytes } = board.flash.partition;
  const runs: SectorRun[] = [];
  let start = 0;
  for (const run of board.flash.sectors) {
    const from = Math.max(start, offset);
    const to = Math.min(start + run.count * run.bytes, offset + bytes);
    if (to > from) runs.push({ count: (to - from) / run.bytes, bytes: run.bytes });
    start += run.count * run.bytes;
  }
  return runs;
}

/** 64 KiB pages of linear memory a module needs to reach memory.end. */
export function memoryPages(board: Board): number {
  return Math.ceil(board.memory.end / WASM_PAGE_BYTES);
}

/**
 * File name of the device module built for this memory map, as the build writes it: `device-20000000-8196.wasm`, or
 * `device-copro-20000000-8196.wasm` with the driver of a coprocessor.
 */
export function deviceWasmName(board: Board): string {
  return `device-${board.copro === null ? "" : "copro-"}${board.memory.base.toString(16).padStart(8, "0")}-${memoryPages(board)}.wasm`;
}

/** A board that cannot be bought: its chip has a coprocessor that no chip has. It exists in the simulator only. */
export function isHypothetical(board: Board): boolean {
  return board.copro !== null;
}

/**
 * Where the value at `path` (e.g. "flash.timing.program_us.typ") comes from.
 * @throws RangeError when the board has no number or flag there
 */
export function sourceOf(board: Board, path: string): { origin: Origin; text: string } {
  const key = sourceKey(board.sources, path);
  const source = key === undefined ? undefined : board.sources[key];
  const origin = ORIGINS.find((o) => source?.startsWith(`${o}: `));
  if (source === undefined || origin === undefined) throw new RangeError(`${board.name} has no source for ${path}`);
  return { origin, text: source.slice(origin.length + 2) };
}

/** The parts of flash of a board whose firmware can replace itself, as offsets from flash.base (spec/FIRMWARE.md). */
export interface UpdateRegion {
  /** The first of two record sectors; the selector lies before it. */
  readonly offset: number;
  readonly sectorBytes: number;
  readonly slots: readonly [number, number];
  readonly slotBytes: number;
  /** From `offset` to the end of the second slot. */
  readonly bytes: number;
}

/** null for a board whose firmware cannot. */
export function updateRegion(board: Board): UpdateRegion | null {
  const { update } = board.flash;
  if (update === null) return null;
  const sectorBytes = sectorAt(board, update.offset).bytes;
  const first = update.offset + 2 * sectorBytes;
  const slots: [number, number] = [first, first + update.slot_bytes];
  const bytes = 2 * sectorBytes + 2 * update.slot_bytes;
  return { offset: update.offset, sectorBytes, slots, slotBytes: update.slot_bytes, bytes };
}
