import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  type Board,
  BoardError,
  deviceWasmName,
  memoryPages,
  parseBoard,
  partitionRuns,
  sectorAt,
  sectorsOf,
  sourceOf,
} from "../board.ts";
import { wholeBoard } from "../variant.ts";

const FOLDER = "boards";
const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length));

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const file = (name: string): Json => JSON.parse(readFileSync(`${FOLDER}/${name}.json`, "utf8"));
/** The whole of a variant, too. */
const load = (name: string): Json => wholeBoard(file(name), file) as Json;
const board = (name: string): Board => parseBoard(load(name), name);

/** Where `path` ends in `json`: the object or list that holds its last key. */
function holder(json: Json, path: string): [Record<string, Json>, string] {
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  let at = json as Record<string, Json>;
  for (const key of keys) at = at[key] as Record<string, Json>;
  return [at, last];
}

/** The board file of `name` with the value at `path` replaced; undefined deletes it. */
function broken(name: string, path: string, value: Json | undefined): Json {
  const json = load(name);
  const [at, key] = holder(json, path);
  if (value === undefined) delete at[key];
  else at[key] = value;
  return json;
}

/** Every path in `json` that names a field of an object (places in lists are passed through, not named). */
function fieldPaths(json: Json, path = ""): string[] {
  if (json === null || typeof json !== "object") return [];
  return Object.entries(json).flatMap(([key, value]) => {
    const at = path === "" ? key : `${path}.${key}`;
    return [...(Array.isArray(json) ? [] : [at]), ...fieldPaths(value, at)];
  });
}

function refusal(json: Json, name: string): BoardError {
  try {
    parseBoard(json, name);
  } catch (error) {
    assert.ok(error instanceof BoardError, `not a BoardError: ${error}`);
    assert.equal(error.code, "BOARD_INVALID");
    return error;
  }
  assert.fail("the board was accepted");
}

const SHIPPED = [
  ...["esp32-c3", "esp32-s3", "mps2-an385", "mps2-an500", "mps2-an505", "mps3-an547", "riscv-virt"],
  ...["rp2040-pico", "rp2350-pico2", "stm32f405", "stm32h743"],
  ...["esp32-s3+tgemv", "rp2040-pico+tgemv", "rp2350-pico2+tgemv", "stm32h743+tgemv"],
];

describe("shipped boards", () => {
  it("are these", () => {
    for (const name of SHIPPED) assert.ok(NAMES.includes(name), `${name} is missing`);
  });

  for (const name of NAMES) {
    it(`${name} parses, and nothing in the file is lost or changed`, () => {
      assert.deepEqual(board(name), load(name));
    });

    it(`${name}: deleting any field is refused and names its path`, () => {
      const paths = fieldPaths(load(name)).filter((path) => !path.startsWith("sources."));
      assert.ok(paths.length > 50, `only ${paths.length} fields tried`);
      for (const path of paths) {
        const error = refusal(broken(name, path, undefined), name);
        assert.equal(error.path, path);
        assert.match(error.message, /got nothing$/);
      }
    });

    it(`${name}: a value of another type is refused in every field`, () => {
      for (const path of fieldPaths(load(name)).filter((path) => !path.startsWith("sources."))) {
        assert.equal(refusal(broken(name, path, [[]]), name).path.startsWith(path), true, path);
      }
    });

    it(`${name}: an unknown field is refused in every object`, () => {
      const json = load(name);
      const objects = fieldPaths(json)
        .filter((path) => !path.startsWith("sources"))
        .map((path) => path.split(".").slice(0, -1).join("."));
      for (const path of new Set(objects)) {
        const extra = path === "" ? "colour" : `${path}.colour`;
        const error = refusal(broken(name, extra, "green"), name);
        assert.equal(error.path, extra);
        assert.match(error.message, /unknown field; known here: /);
      }
    });

    it(`${name}: a number without its source is refused`, () => {
      for (const key of Object.keys(board(name).sources)) {
        const [at, last] = holder(load(name), "sources");
        const sources = { ...(at[last] as Record<string, Json>) };
        delete sources[key];
        const covered = Object.keys(sources).some((other) => key.startsWith(`${other}.`));
        if (covered) continue;
        assert.match(refusal(broken(name, "sources", sources), name).message, /has no source$/);
      }
    });
  }
});

const BROKEN: readonly [board: string, path: string, value: Json, message: string][] = [
  ["rp2040-pico", "name", "pico", 'name: expected "rp2040-pico", got "pico"'],
  ["rp2040-pico", "title", " ", 'title: expected a text, got " "'],
  ["rp2040-pico", "rom", "dfu", 'rom: expected one of an3155, esp32, uf2, got "dfu"'],
  [
    "rp2040-pico",
    "cpu.core",
    "cortex-m0",
    'cpu.core: expected one of cortex-m0plus, cortex-m3, cortex-m33, xtensa-lx7, riscv32imc, riscv32imac, cortex-m4, cortex-m7, cortex-m55, got "cortex-m0"',
  ],
  ["rp2040-pico", "cpu.hz", "125 MHz", 'cpu.hz: expected an integer from 1000000 to 4294967295, got "125 MHz"'],
  ["rp2040-pico", "cpu.hz", 125000000.5, "cpu.hz: expected an integer from 1000000 to 4294967295, got 125000000.5"],
  ["rp2040-pico", "memory", null, "memory: expected an object, got null"],
  ["rp2040-pico", "memory.base", 536870920, "memory.base: expected a multiple of 16, got 536870920"],
  ["rp2040-pico", "memory.end", 537124872, "memory.end: expected a multiple of 16, got 537124872"],
  [
    "rp2040-pico",
    "memory.end",
    536870912,
    "memory.end: expected an address above memory.base 0x20000000, got 0x20000000",
  ],
  ["rp2040-pico", "memory.end", 537141264, "memory.end: 0x20000000..0x20042010 is not all SRAM"],
  ["rp2040-pico", "memory.base", 536870896, "memory.end: 0x1ffffff0..0x2003e000 is not all SRAM"],
  ["rp2040-pico", "memory.reserve", 16385, "memory.reserve_base: 0x2003e000..0x20042001 is not all SRAM"],
  [
    "rp2040-pico",
    "memory.end",
    537124880,
    "memory.reserve_base: 0x2003e000..0x20042000 overlaps memory.base 0x20000000..0x2003e010",
  ],
  ["rp2040-pico", "memory.sram", [], "memory.sram: expected a list of at least 1, got []"],
  [
    "rp2040-pico",
    "memory.sram.1.base",
    537133055,
    "memory.sram.1: 0x2003ffff..0x20040fff overlaps memory.sram.0 0x20000000..0x20040000",
  ],
  [
    "stm32h743",
    "memory.sram.0.base",
    134217728,
    "flash.base: 0x8000000..0x8200000 overlaps memory.sram.0 0x8000000..0x8010000",
  ],
  ["rp2040-pico", "flash.base", 4294963200, "flash.bytes: expected an end within 32 bits, got 0x1001ff000"],
  ["rp2040-pico", "flash.bytes", 2097153, "flash.sectors: expected 2097153 bytes in all (flash.bytes), got 2097152"],
  ["stm32f405", "flash.sectors.0.count", 5, "flash.sectors: expected 1048576 bytes in all (flash.bytes), got 1064960"],
  ["stm32f405", "flash.program_unit", 3, "flash.program_unit: expected a power of two from 1 to 4096, got 3"],
  ["stm32h743", "flash.program_unit", 512, "flash.page: expected a multiple of flash.program_unit 512, got 256"],
  ["stm32f405", "flash.page", 32768, "flash.sectors.0.bytes: expected a multiple of flash.page 32768, got 16384"],
  ["rp2040-pico", "flash.xip.line_bytes", 12, "flash.xip.line_bytes: expected a power of two from 1 to 4096, got 12"],
  [
    "rp2040-pico",
    "flash.xip.cycles_per_byte",
    -1,
    "flash.xip.cycles_per_byte: expected a number of at least 0, got -1",
  ],
  [
    "rp2040-pico",
    "flash.xip.cache_bytes",
    8,
    "flash.xip.ways: expected a set of 8-byte lines within flash.xip.cache_bytes 8, got 2 ways",
  ],
  ["rp2040-pico", "flash.write_once", 0, "flash.write_once: expected true or false, got 0"],
  ["rp2040-pico", "flash.erase_value", 0, "flash.erase_value: expected an integer from 255 to 255, got 0"],
  [
    "stm32f405",
    "flash.timing.erase_us.1.bytes",
    16384,
    "flash.timing.erase_us: expected one entry for sectors of 16384 bytes, got 2",
  ],
  [
    "rp2040-pico",
    "flash.timing.erase_us.0.max",
    44999,
    "flash.timing.erase_us.0.max: expected at least typ 45000, got 44999",
  ],
  [
    "rp2040-pico",
    "flash.timing.program_us.typ",
    3001,
    "flash.timing.program_us.max: expected at least typ 3001, got 3000",
  ],
  [
    "stm32h743",
    "flash.timing.program_us_per",
    16,
    "flash.timing.program_us_per: expected a multiple of 32 that divides 256, got 16",
  ],
  [
    "stm32h743",
    "flash.timing.program_us_per",
    512,
    "flash.timing.program_us_per: expected a multiple of 32 that divides 256, got 512",
  ],
  ["stm32f405", "flash.partition.offset", 98304, "flash.partition.offset: expected the start of a sector, got 98304"],
  [
    "stm32f405",
    "flash.partition.bytes",
    65535,
    "flash.partition.bytes: expected an end on a sector boundary, got 98303",
  ],
  [
    "rp2040-pico",
    "flash.partition.bytes",
    1839104,
    "flash.partition.bytes: expected an end within flash.bytes 2097152, got 2101248",
  ],
  ["rp2040-pico", "uart.max_baud", 57600, "uart.max_baud: expected at least default_baud 115200, got 57600"],
  ["rp2040-pico", "usb.0.vid", 65536, "usb.0.vid: expected an integer from 0 to 65535, got 65536"],
  ["rp2040-pico", "usb.1.pid", 10, "usb.1: the same vid and pid stand at usb.0"],
  ["rp2040-pico", "gpio.led", 30, "gpio.led: expected a pin below gpio.pins 30, got 30"],
  ["rp2040-pico", "energy", 250, "energy: expected a text, got 250"],
  [
    "rp2040-pico",
    "energy",
    "RP 2040",
    'energy: expected null or the name of a profile, ^[a-z0-9][a-z0-9-]*$, got "RP 2040"',
  ],
  ["rp2040-pico+tgemv", "copro.unit", "npu", 'copro.unit: expected one of tgemv, got "npu"'],
  ["rp2040-pico+tgemv", "copro.base", 1347420176, "copro.base: expected a multiple of 4096, got 1347420176"],
  ["rp2040-pico+tgemv", "copro.slots", 3, "copro.slots: expected a power of two from 1 to 8, got 3"],
  [
    "rp2040-pico+tgemv",
    "copro.base",
    536870912,
    "copro.base: 0x20000000..0x20001000 overlaps memory.sram.0 0x20000000..0x20040000",
  ],
  [
    "rp2350-pico2+tgemv",
    "psram.base",
    268435456,
    "psram.base: 0x10000000..0x12000000 overlaps flash.base 0x10000000..0x12000000",
  ],
  ["rp2350-pico2+tgemv", "psram.bytes", 0, "psram.bytes: expected an integer from 1 to 4294967295, got 0"],
  [
    "rp2040-pico",
    "verified",
    [{ how: "hearsay", what: "x", version: "1" }],
    'verified.0.how: expected one of simulator, built, emulator, silicon, got "hearsay"',
  ],
  [
    "rp2040-pico",
    "sources.adc.bits.exact",
    "datasheet: x",
    "sources.adc.bits.exact: speaks for no number or flag of this board",
  ],
  [
    "rp2040-pico",
    "sources.adc",
    "somewhere",
    'sources.adc: expected a text beginning with one of "measured: ", "datasheet: ", "derived: ", "chosen: ", "assumed: ", got "somewhere"',
  ],
];

describe("broken boards", () => {
  for (const [name, path, value, message] of BROKEN) {
    it(message, () => {
      const json = load(name);
      if (path.startsWith("sources.")) {
        (holder(json, "sources")[0].sources as Record<string, Json>)[path.slice("sources.".length)] = value;
      } else {
        const [at, key] = holder(json, path);
        at[key] = value;
      }
      assert.equal(refusal(json, name).message, message);
    });
  }

  it("a buffer that its slots do not share evenly", () => {
    const json = load("rp2040-pico+tgemv");
    holder(json, "copro")[0].copro = { ...(holder(json, "copro")[0].copro as object), capacity: 2 };
    assert.equal(
      refusal(json, "rp2040-pico+tgemv").message,
      "copro.capacity: expected a multiple of copro.slots 4, got 2",
    );
  });

  it("an erase time for a size that no sector has", () => {
    const json = load("rp2040-pico");
    const times = holder(json, "flash.timing.erase_us")[0].erase_us as Json[];
    times.push({ bytes: 65536, typ: 1, max: 1 });
    assert.equal(refusal(json, "rp2040-pico").message, "flash.timing.erase_us.1.bytes: no sector has 65536 bytes");
  });

  it("a name that cannot be a file or outgrows the device's hello", () => {
    for (const name of ["Pico", "../pico", "", "p".repeat(33), "pico+", "+pico", `pico+${"p".repeat(28)}`]) {
      assert.equal(refusal(broken("rp2040-pico", "name", name), name).path, "name");
    }
    assert.equal(parseBoard(broken("rp2040-pico", "name", "p".repeat(32)), "p".repeat(32)).name.length, 32);
  });

  it("what is no object at all", () => {
    for (const json of [null, [], "board", 1, undefined]) {
      assert.throws(() => parseBoard(json, "x"), /^BoardError: expected an object, got /);
    }
  });

  it("names inherited from Object are no fields", () => {
    assert.throws(
      () => parseBoard({ __proto__: load("rp2040-pico") }, "rp2040-pico"),
      /^BoardError: cpu: |^BoardError: name: /,
    );
  });
});

describe("what follows from a board", () => {
  it("file name and pages of the device module", () => {
    assert.equal(deviceWasmName(board("rp2040-pico")), "device-20000000-8196.wasm");
    assert.equal(deviceWasmName(board("stm32h743")), "device-24000000-9224.wasm");
    assert.equal(deviceWasmName(board("stm32h743+tgemv")), "device-copro-24000000-9224.wasm");
    const low = { ...board("stm32h743"), memory: { ...board("stm32h743").memory, base: 4096, end: 65536 } };
    assert.equal(deviceWasmName(low), "device-00001000-1.wasm", "eight digits, as the build writes it");
    for (const name of NAMES) {
      const { end } = board(name).memory;
      const pages = memoryPages(board(name));
      assert.ok((pages - 1) * 65536 < end && end <= pages * 65536, name);
    }
  });

  it("sectors of the STM32F405: four of 16 KiB, one of 64, seven of 128", () => {
    const f405 = board("stm32f405");
    const starts = sectorsOf(f405).map((sector) => sector.offset / 1024);
    assert.deepEqual(starts, [0, 16, 32, 48, 64, 128, 256, 384, 512, 640, 768, 896]);
    assert.deepEqual(sectorAt(f405, 0), { index: 0, offset: 0, bytes: 16384 });
    assert.deepEqual(sectorAt(f405, 65535), { index: 3, offset: 49152, bytes: 16384 });
    assert.deepEqual(sectorAt(f405, 65536), { index: 4, offset: 65536, bytes: 65536 });
    assert.deepEqual(sectorAt(f405, 1048575), { index: 11, offset: 917504, bytes: 131072 });
    assert.throws(() => sectorAt(f405, 1048576), RangeError);
    assert.throws(() => sectorAt(f405, -1), RangeError);
  });

  it("sectorAt agrees with sectorsOf on every sector's first and last byte, and sectors tile the flash", () => {
    for (const name of NAMES) {
      const it = board(name);
      let next = 0;
      for (const sector of sectorsOf(it)) {
        assert.equal(sector.offset, next);
        assert.deepEqual(sectorAt(it, sector.offset), sector);
        assert.deepEqual(sectorAt(it, sector.offset + sector.bytes - 1), sector);
        next += sector.bytes;
      }
      assert.equal(next, it.flash.bytes);
    }
  });

  it("runs of the partition: cut at its edges", () => {
    assert.deepEqual(partitionRuns(board("rp2040-pico")), [{ count: 448, bytes: 4096 }]);
    assert.deepEqual(partitionRuns(board("stm32f405")), [
      { count: 2, bytes: 16384 },
      { count: 1, bytes: 65536 },
      { count: 6, bytes: 131072 },
    ]);
    const odd = load("stm32f405");
    holder(odd, "flash.partition")[0].partition = { offset: 32768, bytes: 32768 + 65536 + 131072 };
    assert.deepEqual(partitionRuns(parseBoard(odd, "stm32f405")), [
      { count: 2, bytes: 16384 },
      { count: 1, bytes: 65536 },
      { count: 1, bytes: 131072 },
    ]);
  });

  it("the longest prefix among the sources speaks for a number", () => {
    const f405 = board("stm32f405");
    assert.equal(sourceOf(f405, "flash.timing.erase_us.0.typ").origin, "datasheet");
    assert.equal(sourceOf(f405, "flash.timing.erase_us.0.max").origin, "assumed");
    assert.equal(sourceOf(f405, "uart.default_baud").origin, "chosen");
    assert.throws(() => sourceOf(f405, "flashy"), RangeError);
  });
});
