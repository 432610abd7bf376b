/**
 * The smallest board that the tests of store, wire and app can be plugged into: flash with the physics that matter (erase
 * sets, program clears, units that take one program, power cuts in the middle of an operation), a UART of two arrays, a
 * clock that moves only when the module waits. The real simulator is another tower.
 */
import { compile } from "../../scripts/lib/asc.mjs";
import * as HAL from "../../spec/hal.ts";
import { seeded } from "./as_module.ts";

type Call = (...args: number[]) => number;
/** One of a board's own kernels, on linear memory. */
export type Kernel = (memory: Uint8Array, ...args: number[]) => number;

export interface FlashGeometry {
  /** [count, bytes] of the partition's sectors, in order. */
  runs: [count: number, bytes: number][];
  unit: number;
  page: number;
  writeOnce: boolean;
}

/** Thrown out of a flash operation, and out of every pin after it, as if the supply had gone. */
export class PowerCut extends Error {}

/** How much of the operation under way still happens. */
export type Cut = "before" | "torn" | "after";

const PAGE = 65536;
const LED = 25;
/** Where tests of single rooms may put bytes: behind the module's own data, before the arena's end. */
export const SCRATCH = 0x8000;

export class FakeBoard {
  readonly geometry: FlashGeometry;
  readonly flash: Uint8Array;
  /** Per program unit: 1 when it was programmed since its erase. */
  private readonly programmed: Uint8Array;
  private readonly random: () => number;
  /** Flash operations (erase, program) so far. */
  operations = 0;
  /** The operation at which power goes, and how. */
  cutAt = Number.POSITIVE_INFINITY;
  cut: Cut = "before";
  private dead = false;

  name = "fake";
  toDevice: number[] = [];
  fromDevice: number[] = [];
  /** Bytes that the transmitter takes before the module must wait. */
  txRoom = Number.POSITIVE_INFINITY;
  private txFree = 0;
  now = 0;
  baud = 115200;
  resets = 0;
  led = 0;
  /** What was done with pins, in order; the LED's apart. A pin or channel that is missing here the board lacks. */
  pins: [what: "gpio" | "pwm", pin: number, value: number, hz?: number][] = [];
  gpioPins: number[] = [];
  pwmPins: number[] = [];
  adc: Record<number, number> = {};
  fed = 0;
  waited = 0;
  flashFails = false;
  /** The board copies: flash_map fails for more than this many bytes. */
  mapMax = Number.POSITIVE_INFINITY;

  /** Kernels of the board's own, by the import's name, on linear memory. */
  kernels: Record<string, Kernel> | null = null;

  private memory = new Uint8Array();
  /** The last whole pages of linear memory show flash; the arena ends before them. */
  arenaEnd = 0;

  constructor(geometry: FlashGeometry, seed = 1) {
    this.geometry = geometry;
    this.flash = new Uint8Array(geometry.runs.reduce((sum, [count, bytes]) => sum + count * bytes, 0)).fill(0xff);
    this.programmed = new Uint8Array(this.flash.length / geometry.unit);
    this.random = seeded(seed);
  }

  /** A board that has the same bytes in flash. */
  clone(seed = 1): FakeBoard {
    const copy = new FakeBoard(this.geometry, seed);
    copy.flash.set(this.flash);
    copy.programmed.set(this.programmed);
    return copy;
  }

  /** Power on, or reset: a new instance of the module, nothing but flash remains. */
  start(module: WebAssembly.Module): Record<string, Call> {
    this.dead = false;
    this.toDevice = [];
    this.txFree = this.txRoom;
    const { exports } = new WebAssembly.Instance(module, { hal: this.imports() });
    const memory = exports.memory as WebAssembly.Memory;
    this.memory = new Uint8Array(memory.buffer);
    this.arenaEnd = this.memory.length - Math.ceil(this.flash.length / PAGE) * PAGE;
    this.memory.set(this.flash, this.arenaEnd);
    return exports as Record<string, Call>;
  }

  /** The transmitter has sent what it holds. */
  makeRoom(): void {
    this.txFree = this.txRoom;
  }

  /** Linear memory of the running instance. */
  get bytes(): Uint8Array {
    return this.memory;
  }

  private imports(): Record<string, Call> {
    const pins: Record<string, Call> = {
      board_info: (key, index) => this.info(key, index),
      uart_read: (ptr, max) => {
        const bytes = this.toDevice.splice(0, max);
        this.memory.set(bytes, ptr >>> 0);
        return bytes.length;
      },
      uart_write: (ptr, len) => {
        const taken = Math.min(len, this.txFree);
        this.txFree -= taken;
        for (const byte of this.memory.subarray(ptr >>> 0, (ptr >>> 0) + taken)) this.fromDevice.push(byte);
        return taken;
      },
      uart_baud: (baud) => {
        if (baud > 4000000) return HAL.HAL_EINVAL;
        this.baud = baud;
        return 0;
      },
      flash_map: (offset, len) => (this.inside(offset, len) && len <= this.mapMax ? this.arenaEnd + offset : 0),
      flash_erase: (offset, len) => this.operate(() => this.erase(offset, len)),
      flash_program: (offset, ptr, len) => this.operate(() => this.program(offset, ptr >>> 0, len)),
      // One firmware, no second slot.
      firmware_map: () => 0,
      firmware_erase: () => HAL.HAL_ABSENT,
      firmware_program: () => HAL.HAL_ABSENT,
      firmware_try: () => HAL.HAL_ABSENT,
      ticks: () => this.now | 0,
      wait: (us) => {
        this.waited++;
        this.now += us;
        this.makeRoom();
        return 0;
      },
      reset: () => {
        this.resets++;
        return 0;
      },
      entropy: (ptr, len) => {
        for (let i = 0; i < len; i++) this.memory[(ptr >>> 0) + i] = this.random();
        return len;
      },
      gpio_write: (pin, level) => {
        if (pin === LED) this.led = level;
        else if (!this.gpioPins.includes(pin)) return HAL.HAL_EINVAL;
        else this.pins.push(["gpio", pin, level]);
        return 0;
      },
      pwm_write: (pin, duty, hz) => {
        if (!this.pwmPins.includes(pin)) return HAL.HAL_EINVAL;
        this.pins.push(["pwm", pin, duty, hz]);
        return 0;
      },
      adc_read: (channel) => this.adc[channel] ?? HAL.HAL_ABSENT,
      watchdog_feed: () => {
        this.fed++;
        return 0;
      },
      gemv_tables: (...args) => this.kernel("gemv_tables", args),
      gemv_rows: (...args) => this.kernel("gemv_rows", args),
      attend_keys: (...args) => this.kernel("attend_keys", args),
      attend_values: (...args) => this.kernel("attend_values", args),
    };
    const alive = (pin: Call): Call => {
      return (...args) => {
        if (this.dead) throw new PowerCut("no power");
        return pin(...args);
      };
    };
    return Object.fromEntries(Object.entries(pins).map(([name, pin]) => [name, alive(pin)]));
  }

  private kernel(name: string, args: number[]): number {
    return this.kernels?.[name](this.memory, ...args.map((arg) => arg >>> 0)) ?? HAL.HAL_ABSENT;
  }

  private info(key: number, index: number): number {
    const { runs, unit, page, writeOnce } = this.geometry;
    switch (key) {
      case HAL.INFO_NAME: {
        const name = new Uint8Array(HAL.BOARD_NAME_MAX);
        name.set(new TextEncoder().encode(this.name));
        return new DataView(name.buffer).getInt32(4 * index, true);
      }
      case HAL.INFO_ARENA_END:
        return this.arenaEnd;
      case HAL.INFO_PARTITION_BYTES:
        return this.flash.length;
      case HAL.INFO_SECTOR_RUNS:
        return runs.length;
      case HAL.INFO_RUN_COUNT:
        return runs[index][0];
      case HAL.INFO_RUN_BYTES:
        return runs[index][1];
      case HAL.INFO_PROGRAM_UNIT:
        return unit;
      case HAL.INFO_PROGRAM_PAGE:
        return page;
      case HAL.INFO_WRITE_ONCE:
        return writeOnce ? 1 : 0;
      case HAL.INFO_UART_BAUD:
        return 115200;
      case HAL.INFO_UART_MAX_BAUD:
        return 4000000;
      case HAL.INFO_UART_RX_BYTES:
        return 4096;
      case HAL.INFO_LED_PIN:
        return LED;
      case HAL.INFO_CPU_HZ:
        return 125000000;
      default:
        return HAL.HAL_ABSENT;
    }
  }

  private inside(offset: number, len: number): boolean {
    return offset >= 0 && len >= 0 && offset + len <= this.flash.length;
  }

  /** Runs one flash operation, or the part of it that a power cut leaves. */
  private operate(step: () => { error: number } | { at: number; to: Uint8Array }): number {
    const plan = step();
    if ("error" in plan) return plan.error;
    if (this.flashFails) return HAL.HAL_EIO;
    const cutting = this.operations++ === this.cutAt;
    if (cutting && this.cut === "torn") this.tear(plan.at, plan.to);
    if (!cutting || this.cut === "after") this.flash.set(plan.to, plan.at);
    this.memory.set(this.flash.subarray(plan.at, plan.at + plan.to.length), this.arenaEnd + plan.at);
    if (!cutting) return 0;
    this.dead = true;
    throw new PowerCut(`cut at operation ${this.cutAt}`);
  }

  /** Each bit on its way either arrived or did not. */
  private tear(at: number, to: Uint8Array): void {
    for (const [i, byte] of to.entries()) {
      const mask = this.random() & 0xff;
      this.flash[at + i] = (this.flash[at + i] & ~mask) | (byte & mask);
    }
  }

  private erase(offset: number, len: number): { error: number } | { at: number; to: Uint8Array } {
    const starts = [0];
    for (const [count, bytes] of this.geometry.runs)
      for (let i = 0; i < count; i++) starts.push(starts[starts.length - 1] + bytes);
    if (!this.inside(offset, len) || !starts.includes(offset) || !starts.includes(offset + len))
      return { error: HAL.HAL_EINVAL };
    this.programmed.fill(0, offset / this.geometry.unit, (offset + len) / this.geometry.unit);
    return { at: offset, to: new Uint8Array(len).fill(0xff) };
  }

  private program(offset: number, ptr: number, len: number): { error: number } | { at: number; to: Uint8Array } {
    const { unit, page, writeOnce } = this.geometry;
    const whole = offset % unit === 0 && len % unit === 0 && len > 0;
    const onePage = Math.floor(offset / page) === Math.floor((offset + len - 1) / page);
    if (!this.inside(offset, len) || !whole || !onePage || ptr >= this.arenaEnd) return { error: HAL.HAL_EINVAL };
    const units = this.programmed.subarray(offset / unit, (offset + len) / unit);
    if (writeOnce && units.some((count) => count > 0)) return { error: HAL.HAL_EIO };
    units.fill(1);
    const to = this.memory.slice(ptr, ptr + len).map((byte, i) => byte & this.flash[offset + i]);
    return { at: offset, to };
  }
}

/**
 * Compiles rooms of as/ that use the HAL.
 * @param functions file of as/ -> names of its functions to export
 */
export async function halModule(functions: Record<string, string[]>): Promise<WebAssembly.Module> {
  const source = Object.entries(functions)
    .map(([file, names]) => `import { ${names} } from "./as/${file}";\nexport { ${names} };\n`)
    .join("");
  return new WebAssembly.Module(await deviceWasm("hal_module_entry.ts", { "hal_module_entry.ts": source }));
}

/**
 * Compiles an entry with the device's flags.
 * @param pages of linear memory, SRAM and flash
 */
export async function deviceWasm(
  entry: string,
  virtual: Record<string, string> = {},
  pages = 4,
): Promise<Uint8Array<ArrayBuffer>> {
  const flags = ["--target", "device", "--initialMemory", String(pages), "--maximumMemory", String(pages)];
  const { wasm } = await compile([entry, ...flags], virtual);
  return wasm;
}
