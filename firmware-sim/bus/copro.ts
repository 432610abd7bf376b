/**
 * The ternary coprocessor on its board: registers at board.copro.base, an interrupt line, weights from flash, PSRAM or SRAM, everything else from and to SRAM.
 *
 *     mmio_read32, mmio_write32 ── registers ┐              ┌── W ── FLASH (XIP), PSRAM, SRAM
 *     copro_wait ─────────────── interrupt ──┤ TGEMV (its   │
 *     CLOCK (ns) ─── cycles of board.copro.hz ┘ own cycles) ┴── M ── SRAM
 *
 * It works while the CPU sleeps or computes: what it writes is there when its chain has ended. How fast weights come, the board says: of PSRAM in the
 * part's clocks, of flash in the unit's. They do not pass the cache between flash and the CPU: nothing is read twice.
 *
 * NOT IMPLEMENTED: contention. The CPU sleeps while the unit works, and what it fetches meanwhile it fetches from SRAM.
 */
import type { Board, Psram } from "../../boards/board.ts";
import { TGEMV_DOORBELL, TGEMV_WINDOW_BYTES } from "../../spec/tgemv.ts";
import type { Clock } from "../clock.ts";
import type { Flash } from "../peripherals/flash.ts";
import { type BeatTiming, type MemoryTiming, steady, type TgemvPorts } from "../peripherals/tgemv/ports.ts";
import { resetState, type TgemvState } from "../peripherals/tgemv/state.ts";
import { Tgemv } from "../peripherals/tgemv/tgemv.ts";
import { inPsram, inSram, type LinearMemory, type MemoryMap } from "./memory_map.ts";

const NS = 1_000_000_000;
const BEAT_BYTES = 4;

/** What a test or a scenario makes go wrong. Each is undone by setting it back. */
export interface CoproFaults {
  /** Beats of the weight port, counted since power-on, that the bus refuses. */
  refusesBeat?: (n: number) => boolean;
  /** Cycles that beat n of the weight port comes late; Infinity: never. */
  stalls?: (n: number) => number;
  /** What the weight port sees in place of `bytes`, which must not be changed: they are the memory itself. */
  sees?: (address: number, bytes: Uint8Array) => Uint8Array;
  /** The interrupt line does not rise. */
  lostIrq?: boolean;
  /** The unit answers nothing any more: a read gives 0xFFFFFFFF, as of a bus that nobody drives. */
  gone?: boolean;
}

export interface CoproPins {
  readonly board: Board;
  readonly clock: Clock;
  readonly map: MemoryMap;
  readonly memory: LinearMemory;
  readonly flash: Flash;
}

export interface CoproState {
  readonly unit: TgemvState;
  readonly slept: number;
}

const NOTHING = new Uint8Array(0);

export class CoproBus {
  readonly unit: Tgemv;
  faults: CoproFaults = {};
  /** ns that the CPU slept for it, since the board was made. */
  slept = 0;
  readonly #pins: CoproPins;
  readonly #base: number;
  /** Cycles a nanosecond, as a fraction: products with it stay whole. */
  readonly #cycles: { readonly num: number; readonly den: number };

  /** null for a board without one. */
  static of(pins: CoproPins): CoproBus | null {
    const { copro } = pins.board;
    return copro === null ? null : new CoproBus(pins, copro);
  }

  private constructor(pins: CoproPins, copro: NonNullable<Board["copro"]>) {
    this.#pins = pins;
    this.#base = copro.base;
    this.#cycles = fraction(copro.hz, NS);
    const { slots, fifo, capacity } = copro;
    this.unit = new Tgemv(this.#ports(), { slots, fifo, entries: capacity });
  }

  /** A read of its registers; null where the address is none of them. */
  read(address: number): number | null {
    const offset = address - this.#base;
    if (!isRegister(offset)) return null;
    return this.faults.gone === true ? 0xffffffff : this.unit.read(offset, this.#now());
  }

  /** @returns false where the address is none of its registers */
  write(address: number, value: number): boolean {
    const offset = address - this.#base;
    if (!isRegister(offset)) return false;
    if (this.faults.gone !== true) this.unit.write(offset, value, this.#now());
    return true;
  }

  /** When the interrupt line is high: ns, `now` when it is, Infinity when nothing will raise it. */
  irqAt(): number {
    if (this.faults.lostIrq === true || this.faults.gone === true) return Number.POSITIVE_INFINITY;
    const now = this.#now();
    const at = this.unit.irqAt(now);
    return at <= now ? this.#pins.clock.now : this.#nsOf(at);
  }

  /** The CPU sleeps until the interrupt, or until `timeout` (ns). */
  sleep(timeout: number): void {
    const { clock } = this.#pins;
    const from = clock.now;
    clock.advanceTo(Math.min(timeout, this.irqAt()));
    this.slept += clock.now - from;
    this.settle();
  }

  /** When it has nothing to do: ns. */
  idleAt(): number {
    const now = this.#now();
    const idle = this.unit.idleAt(now);
    return idle <= now ? this.#pins.clock.now : this.#nsOf(idle);
  }

  /** What it wrote up to now is in memory. */
  settle(): void {
    this.unit.settle(this.#now());
  }

  /** The reset pin, or no power: whatever is under way is lost. */
  reset(): void {
    const cycle = this.#now();
    const { totalPushes, totalGrants, mReads, mWrites } = this.unit.state;
    this.unit.restore({ ...resetState(this.unit.config), cycle, totalPushes, totalGrants, mReads, mWrites });
  }

  get state(): CoproState {
    this.settle();
    return { unit: structuredClone(this.unit.state), slept: this.slept };
  }

  /** After the clock was set. */
  set state(state: CoproState) {
    this.unit.restore(state.unit);
    this.slept = state.slept;
  }

  /** What the weight port reads from `address` on, at most `bytes`. */
  #readable(address: number, bytes: number): Uint8Array {
    const { map, memory, flash } = this.#pins;
    if (inSram(map, address, 1)) return memory.bytes().subarray(address, Math.min(address + bytes, map.end));
    if (inPsram(map, address, 1))
      return memory.bytes().subarray(address, Math.min(address + bytes, map.psram + map.psramBytes));
    const offset = address - map.xip;
    const len = Math.min(bytes, map.xipBytes - offset);
    const at = len < 1 ? 0 : flash.map(offset, len);
    return at === 0 ? NOTHING : memory.bytes().subarray(at, at + len);
  }

  /** The cycle under way. A write took the one it came in. */
  #now(): number {
    const { num, den } = this.#cycles;
    return Math.max(Math.floor((this.#pins.clock.now * num) / den), this.unit.state.cycle);
  }

  #nsOf(cycle: number): number {
    const { num, den } = this.#cycles;
    return Math.ceil((cycle * den) / num);
  }

  #ports(): TgemvPorts {
    const { board, map, memory } = this.#pins;
    const timings = timingsOf(board);
    const streams = { flash: steady(timings.flash), psram: steady(timings.psram), sram: steady(timings.sram) };
    const timing: BeatTiming = {
      period: (address) => {
        const stream = streams[placeOf(map, address)];
        return this.faults.stalls === undefined ? (stream.period?.(address) ?? 0) : 0;
      },
      gaps: (out, count, beat, total, address) => {
        streams[placeOf(map, address)].gaps(out, count, beat, total, address);
        const { stalls } = this.faults;
        if (stalls !== undefined) for (let i = 0; i < count; i++) out[i] += stalls(total + i);
      },
    };
    return {
      timing,
      weights: (address, bytes) => {
        const found = this.#readable(address, bytes);
        return this.faults.sees?.(address, found) ?? found;
      },
      sram(address, bytes) {
        if (!inSram(map, address, 1)) return NOTHING;
        return memory.bytes().subarray(address, Math.min(address + bytes, map.end));
      },
      refusesBeat: (n) => this.faults.refusesBeat?.(n) === true,
    };
  }
}

/** Whether a write to this address starts something. */
export function isDoorbell(board: Board, address: number): boolean {
  return board.copro !== null && address === board.copro.base + TGEMV_DOORBELL;
}

function isRegister(offset: number): boolean {
  return offset >= 0 && offset < TGEMV_WINDOW_BYTES && offset % 4 === 0;
}

type Place = "flash" | "psram" | "sram";

function placeOf(map: MemoryMap, address: number): Place {
  if (inSram(map, address, 1)) return "sram";
  return inPsram(map, address, 1) ? "psram" : "flash";
}

/** How fast weights come, in cycles of the unit. */
export function timingsOf(board: Board): Record<Place, MemoryTiming> {
  const hz = board.copro?.hz ?? board.cpu.hz;
  const flash = flashTiming(board);
  return {
    flash,
    psram: board.psram === null ? flash : psramTiming(board.psram, hz),
    sram: { cycles: { num: 1, den: 1 }, setup: 0, burstBeats: 0 },
  };
}

/** A linear burst that does not end: a QSPI flash goes on for as long as it is clocked, a flash on the chip reads ahead. */
function flashTiming({ copro }: Board): MemoryTiming {
  // Eighths of a cycle are as fine as a board says.
  const cycles = fraction(Math.round(8 * (copro?.flash_cycles_per_beat ?? 1)), 8);
  return { cycles, setup: copro?.flash_setup_cycles ?? 0, burstBeats: 0 };
}

function psramTiming(psram: Psram, hz: number): MemoryTiming {
  const cycles = fraction(8 * BEAT_BYTES * hz, psram.bits_per_clock * psram.hz);
  const setup = Math.ceil((psram.setup_clocks * hz) / psram.hz);
  return { cycles, setup, burstBeats: psram.burst_bytes / BEAT_BYTES };
}

/** Microseconds, rounded up, for 1024 bytes of weights from the slowest memory they may lie in, all slots in use. */
export function kibUs(board: Board): number {
  const { copro } = board;
  if (copro === null) return 0;
  const beats = 1024 / BEAT_BYTES;
  const { flash, psram } = timingsOf(board);
  const cycles = Math.max(
    ...[flash, psram].map(({ cycles: { num, den }, setup, burstBeats }) => {
      const bursts = burstBeats === 0 ? 1 : Math.ceil(beats / burstBeats);
      return Math.max(Math.ceil((beats * num) / den), beats * copro.slots) + bursts * setup;
    }),
  );
  return Math.ceil((cycles * 1_000_000) / copro.hz);
}

function fraction(num: number, den: number): { num: number; den: number } {
  const divisor = gcd(num, den);
  return { num: num / divisor, den: den / divisor };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
