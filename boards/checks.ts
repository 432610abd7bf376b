/** What must hold between the fields of a board. `parseBoard` calls this after every field has been read. */

import { BoardError } from "./fields.ts";
import { type Board, ORIGINS } from "./types.ts";

/** It names a file and travels in the device's hello, which has room for 32 bytes. */
const NAME = /^(?=.{1,32}$)[a-z0-9][a-z0-9-]*(\+[a-z0-9-]+)?$/;
/** It names a file, too. */
const PROFILE = /^[a-z0-9][a-z0-9-]*$/;

/** Address space of a coprocessor's registers. */
const REGISTER_BYTES = 4096;

interface Range {
  readonly path: string;
  readonly base: number;
  readonly bytes: number;
}

const hex = (n: number): string => `0x${n.toString(16)}`;
const span = (r: Range): string => `${hex(r.base)}..${hex(r.base + r.bytes)}`;

function demand(holds: boolean, path: string, problem: string): void {
  if (!holds) throw new BoardError(path, problem);
}

function noOverlap(ranges: readonly Range[]): void {
  ranges.forEach((a, i) => {
    for (const b of ranges.slice(0, i)) {
      const apart = a.base >= b.base + b.bytes || b.base >= a.base + a.bytes;
      demand(apart, a.path, `${span(a)} overlaps ${b.path} ${span(b)}`);
    }
  });
}

/** True when neighbouring SRAM regions together hold every byte of `range`. */
function insideSram(board: Board, range: Range): boolean {
  const end = range.base + range.bytes;
  let reached = range.base;
  for (const region of [...board.memory.sram].sort((a, b) => a.base - b.base)) {
    if (region.base <= reached && reached < region.base + region.bytes) reached = region.base + region.bytes;
  }
  return reached >= end;
}

function checkMemory(board: Board): void {
  const { base, end, reserve_base, reserve, sram } = board.memory;
  const flash = {
    path: "flash.base",
    base: board.flash.base,
    bytes: board.flash.bytes,
  };
  const regions = sram.map((r, i) => ({
    path: `memory.sram.${i}`,
    base: r.base,
    bytes: r.bytes,
  }));
  noOverlap([...regions, flash]);
  demand(base % 16 === 0, "memory.base", `expected a multiple of 16, got ${base}`);
  demand(end % 16 === 0, "memory.end", `expected a multiple of 16, got ${end}`);
  demand(end > base, "memory.end", `expected an address above memory.base ${hex(base)}, got ${hex(end)}`);
  const module = { path: "memory.base", base, bytes: end - base };
  const shim = {
    path: "memory.reserve_base",
    base: reserve_base,
    bytes: reserve,
  };
  demand(insideSram(board, module), "memory.end", `${span(module)} is not all SRAM`);
  demand(insideSram(board, shim), "memory.reserve_base", `${span(shim)} is not all SRAM`);
  noOverlap([module, shim]);
}

function checkFlash(board: Board): void {
  const { base, bytes, sectors, program_unit, page, timing, partition } = board.flash;
  const filled = sectors.reduce((sum, run) => sum + run.count * run.bytes, 0);
  demand(filled === bytes, "flash.sectors", `expected ${bytes} bytes in all (flash.bytes), got ${filled}`);
  demand(base + bytes <= 2 ** 32, "flash.bytes", `expected an end within 32 bits, got ${hex(base + bytes)}`);
  demand(
    page % program_unit === 0,
    "flash.page",
    `expected a multiple of flash.program_unit ${program_unit}, got ${page}`,
  );
  sectors.forEach((run, i) => {
    const path = `flash.sectors.${i}.bytes`;
    demand(run.bytes % page === 0, path, `expected a multiple of flash.page ${page}, got ${run.bytes}`);
    const times = timing.erase_us.filter((t) => t.bytes === run.bytes).length;
    demand(times === 1, "flash.timing.erase_us", `expected one entry for sectors of ${run.bytes} bytes, got ${times}`);
  });
  timing.erase_us.forEach((t, i) => {
    const path = `flash.timing.erase_us.${i}`;
    demand(
      sectors.some((run) => run.bytes === t.bytes),
      `${path}.bytes`,
      `no sector has ${t.bytes} bytes`,
    );
    demand(t.max >= t.typ, `${path}.max`, `expected at least typ ${t.typ}, got ${t.max}`);
  });
  const { typ, max } = timing.program_us;
  demand(max >= typ, "flash.timing.program_us.max", `expected at least typ ${typ}, got ${max}`);
  const per = timing.program_us_per;
  const fits = per % program_unit === 0 && page % per === 0;
  demand(
    fits,
    "flash.timing.program_us_per",
    `expected a multiple of ${program_unit} that divides ${page}, got ${per}`,
  );

  const edges = new Set([0]);
  let edge = 0;
  for (const run of sectors) {
    for (let i = 0; i < run.count; i++) {
      edge += run.bytes;
      edges.add(edge);
    }
  }
  const end = partition.offset + partition.bytes;
  demand(
    edges.has(partition.offset),
    "flash.partition.offset",
    `expected the start of a sector, got ${partition.offset}`,
  );
  demand(end <= bytes, "flash.partition.bytes", `expected an end within flash.bytes ${bytes}, got ${end}`);
  demand(edges.has(end), "flash.partition.bytes", `expected an end on a sector boundary, got ${end}`);
  checkUpdate(board, edges);
  const { xip } = board.flash;
  if (xip !== null)
    demand(
      xip.line_bytes * xip.ways <= xip.cache_bytes,
      "flash.xip.ways",
      `expected a set of ${xip.line_bytes}-byte lines within flash.xip.cache_bytes ${xip.cache_bytes}, got ${xip.ways} ways`,
    );
}

/** Records and slots lie on sectors of one size and outside the partition. */
function checkUpdate({ flash }: Board, edges: ReadonlySet<number>): void {
  const { update, sectors, partition } = flash;
  if (update === null) return;
  demand(edges.has(update.offset), "flash.update.offset", `expected the start of a sector, got ${update.offset}`);
  let start = 0;
  const run = sectors.find(({ count, bytes }) => {
    start += count * bytes;
    return update.offset < start;
  });
  if (run === undefined) return;
  const { bytes } = run;
  const end = update.offset + 2 * bytes + 2 * update.slot_bytes;
  const whole = update.slot_bytes % bytes === 0;
  demand(
    whole,
    "flash.update.slot_bytes",
    `expected a multiple of the sector's ${bytes} bytes, got ${update.slot_bytes}`,
  );
  const apart = end <= partition.offset || update.offset >= partition.offset + partition.bytes;
  demand(
    apart && end <= start,
    "flash.update.slot_bytes",
    `the second slot ends at ${end}, beyond its sectors or in the partition`,
  );
}

/** External RAM and the registers of a coprocessor take addresses of their own. */
function checkCopro(board: Board): void {
  const { copro, psram, flash, memory } = board;
  const taken = memory.sram.map((r, i) => ({ path: `memory.sram.${i}`, base: r.base, bytes: r.bytes }));
  taken.push({ path: "flash.base", base: flash.base, bytes: flash.bytes });
  if (psram !== null) {
    demand(psram.base % 16 === 0, "psram.base", `expected a multiple of 16, got ${psram.base}`);
    demand(psram.base + psram.bytes <= 2 ** 32, "psram.bytes", "expected an end within 32 bits");
    taken.push({ path: "psram.base", base: psram.base, bytes: psram.bytes });
  }
  if (copro !== null) {
    const { base, slots, capacity } = copro;
    demand(base % REGISTER_BYTES === 0, "copro.base", `expected a multiple of ${REGISTER_BYTES}, got ${base}`);
    demand(capacity % slots === 0, "copro.capacity", `expected a multiple of copro.slots ${slots}, got ${capacity}`);
    const perBeat = copro.flash_cycles_per_beat;
    demand(
      perBeat > 0 && Number.isInteger(8 * perBeat),
      "copro.flash_cycles_per_beat",
      `expected eighths of a cycle, got ${perBeat}`,
    );
    taken.push({ path: "copro.base", base, bytes: REGISTER_BYTES });
  }
  noOverlap(taken);
}

function checkOthers(board: Board): void {
  demand(NAME.test(board.name), "name", `expected ${NAME.source}, got ${JSON.stringify(board.name)}`);
  const { energy } = board;
  demand(
    energy === null || PROFILE.test(energy),
    "energy",
    `expected null or the name of a profile, ${PROFILE.source}, got ${JSON.stringify(energy)}`,
  );
  const { default_baud, max_baud } = board.uart;
  demand(max_baud >= default_baud, "uart.max_baud", `expected at least default_baud ${default_baud}, got ${max_baud}`);
  const ids = board.usb.map((id) => `${id.vid}:${id.pid}`);
  ids.forEach((id, i) => {
    demand(ids.indexOf(id) === i, `usb.${i}`, `the same vid and pid stand at usb.${ids.indexOf(id)}`);
  });
}

function checkPins({ gpio, pwm, adc }: Board): void {
  const { pins, led, taken } = gpio;
  const ascend = (list: readonly number[], path: string): void =>
    list.forEach((pin, i) => {
      demand(pin < pins, `${path}.${i}`, `expected a pin below gpio.pins ${pins}, got ${pin}`);
      demand(i === 0 || pin > list[i - 1], `${path}.${i}`, `expected more than ${list[i - 1]}, got ${pin}`);
    });
  const free = (pin: number, path: string): void => {
    demand(pin < pins, path, `expected a pin below gpio.pins ${pins}, got ${pin}`);
    demand(!taken.includes(pin), path, `pin ${pin} is one of gpio.taken`);
  };
  ascend(taken, "gpio.taken");
  if (led !== null) free(led, "gpio.led");
  if (pwm !== null) {
    ascend(pwm.pins, "pwm.pins");
    pwm.pins.forEach((pin, i) => {
      free(pin, `pwm.pins.${i}`);
    });
    const counts = `expected one for each of the ${pwm.pins.length} pins, got ${pwm.channels.length}`;
    demand(pwm.pins.length > 0 && pwm.channels.length === pwm.pins.length, "pwm.channels", counts);
    demand(pwm.max_hz >= pwm.min_hz, "pwm.max_hz", `expected at least min_hz ${pwm.min_hz}, got ${pwm.max_hz}`);
  }
  if (adc === null || adc.pins === null) return;
  const counts = `expected one for each of the ${adc.channels} channels, got ${adc.pins.length}`;
  demand(adc.pins.length === adc.channels, "adc.pins", counts);
  adc.pins.forEach((pin, i) => {
    if (pin === null) return;
    free(pin, `adc.pins.${i}`);
    demand(adc.pins?.indexOf(pin) === i, `adc.pins.${i}`, `pin ${pin} is another channel's`);
  });
}

/** Paths of all numbers and booleans below `value`. */
export function leafPaths(value: unknown, path: string): string[] {
  if (typeof value === "number" || typeof value === "boolean") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => leafPaths(below, path === "" ? key : `${path}.${key}`));
}

const covers = (key: string, path: string): boolean => path === key || path.startsWith(`${key}.`);

/** The key of `sources` that speaks for `path`: the longest that equals it or is a prefix of it. */
export function sourceKey(sources: Readonly<Record<string, string>>, path: string): string | undefined {
  return Object.keys(sources)
    .filter((key) => covers(key, path))
    .sort((a, b) => b.length - a.length)[0];
}

function checkSources(board: Board): void {
  const { sources, ...facts } = board;
  const used = new Set<string>();
  for (const path of leafPaths(facts, "")) {
    const key = sourceKey(sources, path);
    if (key === undefined) throw new BoardError(`sources.${path}`, `${path} has no source`);
    used.add(key);
  }
  for (const [key, text] of Object.entries(sources)) {
    demand(used.has(key), `sources.${key}`, "speaks for no number or flag of this board");
    const known = ORIGINS.some((origin) => text.startsWith(`${origin}: `));
    demand(
      known,
      `sources.${key}`,
      `expected a text beginning with one of ${ORIGINS.map((o) => `"${o}: "`).join(", ")}, got ${JSON.stringify(text)}`,
    );
  }
}

/** Throws `BoardError` for the first rule that does not hold. */
export function checkBoard(board: Board): void {
  checkMemory(board);
  checkFlash(board);
  checkCopro(board);
  checkOthers(board);
  checkPins(board);
  checkSources(board);
}
