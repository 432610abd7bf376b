/**
 * A board's state as plain data, between two polls: SRAM, the module's mutable globals, the chips, and the flash as a list of sectors that are
 * shared until one side changes them. Never the whole linear memory.
 */
import type { CoproState } from "./bus/copro.ts";
import type { MemoryMap } from "./bus/memory_map.ts";
import type { FlashState } from "./peripherals/flash.ts";
import type { GpioState } from "./peripherals/gpio.ts";
import type { PwmState } from "./peripherals/pwm.ts";
import type { TimerState } from "./peripherals/timer.ts";
import type { UartState } from "./peripherals/uart.ts";
import type { Strap } from "./rom/rom.ts";
import type { Running } from "./sim_board.ts";
import type { Device } from "./wasm_host.ts";

export interface Snapshot {
  readonly board: string;
  readonly module: WebAssembly.Module;
  /** ns. */
  readonly now: number;
  /** null: the board was off. */
  readonly running: Running | null;
  /** null: the CPU did not run the module. */
  readonly core: CoreState | null;
  readonly flash: FlashState;
  readonly firmwareFlash: FlashState;
  /** State of the boot ROM; null: none is modelled. */
  readonly rom: unknown;
  readonly strap: Strap;
  /** Of a board that starts by its selector; null: none runs, and none is to be tried. */
  readonly slot: number | null;
  readonly wish: number | null;
  /** When the watchdog of a firmware that hangs resets the chip, ns. */
  readonly watchdogAt: number;
  /** What computing has cost (CpuCost.state). */
  readonly cost: unknown;
  readonly uart: UartState;
  readonly timer: TimerState;
  readonly gpio: GpioState;
  readonly pwm: PwmState;
  readonly adc: Uint16Array;
  readonly entropy: Uint32Array;
  /** null: the board has no coprocessor. */
  readonly copro: CoproState | null;
}

export interface CoreState {
  /** Address -> SRAM_PAGE bytes; a page that is missing is all zero. */
  readonly sram: ReadonlyMap<number, Uint8Array>;
  readonly globals: ReadonlyMap<string, number | bigint>;
}

const SRAM_PAGE = 4096;

export function saveCore(device: Device, map: MemoryMap): CoreState {
  const memory = device.bytes();
  const sram = new Map<number, Uint8Array>();
  for (const [at, page] of pages(memory, map)) if (!isZero(page)) sram.set(at, page.slice());
  return { sram, globals: new Map([...device.globals].map(([name, global]) => [name, global.value])) };
}

/** Puts the state into a fresh instance. */
export function loadCore(device: Device, map: MemoryMap, state: CoreState): void {
  for (const [at, page] of pages(device.bytes(), map)) {
    const saved = state.sram.get(at);
    if (saved !== undefined) page.set(saved);
    else if (!isZero(page)) page.fill(0); // a data segment that the module has overwritten with zeros
  }
  for (const [name, value] of state.globals) {
    const global = device.globals.get(name);
    if (global !== undefined) global.value = value;
  }
}

/** Of SRAM, and of PSRAM where there is some. */
function* pages(memory: Uint8Array, map: MemoryMap): Generator<[at: number, page: Uint8Array]> {
  const regions = [
    [map.base, map.end],
    [map.psram, map.psram + map.psramBytes],
  ];
  for (const [from, to] of regions)
    for (let at = from; at < to; at += SRAM_PAGE) yield [at, memory.subarray(at, Math.min(at + SRAM_PAGE, to))];
}

/** Page and length are multiples of 16 (memory.base, memory.end and psram.base are), so words fit. 8x faster than byte by byte (measured). */
function isZero(page: Uint8Array): boolean {
  const words = new Uint32Array(page.buffer, page.byteOffset, page.length >> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
