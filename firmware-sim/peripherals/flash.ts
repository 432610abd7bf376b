/**
 * FLASH: a range of a NOR flash, with the geometry and the physics of the board's: the model partition that the module sees, or
 * the sectors around it that only a boot ROM reaches (bus/flash_bus.ts).
 *
 *                           ┌───────────────┐
 *     flash_erase    ──────>│ sector sector │      one sector: one erase, sets every bit
 *     flash_program  ──────>│ ┌──┬──┬──┬──┐ │      page: the most that one program takes
 *     flash_map      <══════│ │  │  │  │  │ │      unit: the least that one program takes, clears bits
 *                    XIP    │ └──┴──┴──┴──┘ │
 *                           └───────────────┘
 *
 *     cell   program 0   program 1   erase        a unit of write-once flash   program    erase
 *     1      0           1           1            blank                        data       blank
 *     0      0           0           1            programmed                   HAL_EIO    blank
 *
 *     call                                     costs (flash.timing; typical, or maximum when asked)
 *     erase of a sector                        erase_us for its size, one operation
 *     program of n bytes inside one page       ceil(n / program_us_per) * program_us, one operation
 *
 * Power can be cut in the middle of any operation (`cutAt`), and an operation can fail (`failAt`): both leave what
 * faults/tear.ts describes. A torn unit of write-once flash counts as programmed and reads as noise: its error-correcting
 * code does not match. (On an STM32H7 such a read is a bus fault unless the shim masks it; here it is only counted.)
 *
 * The cells live here and survive a power cycle. What the module reads in place is a copy in its linear memory, made when
 * flash_map first shows a sector and kept equal afterwards: so a new instance costs nothing, and a module that writes through
 * such a pointer changes its view (see `strayWrite`), not the flash.
 *
 * Cells can lose their charge (`flip`), and read wrong for a while (`misread`): faults/weights.ts.
 *
 * NOT IMPLEMENTED: erase suspend, block and chip erase, reading while busy, write protection, marginal cells, bad blocks, sectors that
 * fail when `endurance_cycles` is exceeded (wear is only counted).
 */
import type { FlashTiming } from "../../boards/board.ts";
import { HAL_EINVAL, HAL_EIO } from "../../spec/hal.ts";
import type { LinearMemory } from "../bus/memory_map.ts";
import { US } from "../clock.ts";
import { chooseTear, scramble, type Tear, tearErase, tearProgram } from "../faults/tear.ts";
import { Random } from "../random.ts";
import { PowerCut, SimError } from "../sim_error.ts";
import { blankSectors, erase, indexAt, isBlank, own, type Sector, sectorsOf, usedUnits } from "./flash/sectors.ts";
import { XipView } from "./flash/xip.ts";

export interface FlashConfig {
  /** Bytes of each sector of the partition, in address order. */
  readonly sectors: readonly number[];
  readonly program_unit: number;
  readonly page: number;
  readonly write_once: boolean;
  readonly timing: FlashTiming;
  readonly worst_case: boolean;
  readonly seed: number;
  /** Lets this much time pass while the flash is busy, ns. @returns whether the supply failed before, or meanwhile */
  readonly busy: (ns: number) => Supplied;
}

/** The supply during an operation: it held, it had failed before, it failed in the middle. */
export type Supplied = "held" | "before" | "during";

export interface FlashState {
  sectors: Pick<Sector, "cells" | "used" | "wear" | "mapped">[];
  random: Uint32Array;
  operations: number;
  busyNs: number;
  eccErrors: number;
}

/** `bytes` from `offset` on, counted from the partition's start, have new content; the array is only valid in the call. */
export type FlashListener = (offset: number, bytes: Uint8Array) => void;

/** An erase or a program that begins. */
export interface FlashOperation {
  readonly kind: "erase" | "program";
  /** From the partition's start. */
  readonly offset: number;
  readonly bytes: number;
}

/** @returns what is to be called when the flash is no longer busy, also where power failed meanwhile */
export type FlashLooker = (operation: FlashOperation) => () => void;

/** How an operation ends. */
interface Fate {
  readonly tear: Tear;
  readonly cut: boolean;
  readonly fails: boolean;
}

export class Flash {
  /** Erases and programs since the flash was made. */
  operations = 0;
  /** Time that they took, ns. */
  busyNs = 0;
  /** Units of write-once flash that were torn so far. */
  eccErrors = 0;
  readonly bytes: number;
  readonly #config: FlashConfig;
  readonly #sectors: Sector[];
  /** Unit that takes one program between erases, bytes; 0: there is no such rule. */
  readonly #onceUnit: number;
  readonly #random: Random;
  readonly #listeners = new Set<FlashListener>();
  readonly #lookers = new Set<FlashLooker>();
  #xip: XipView | null = null;
  /** Offset -> bits that the module sees inverted. */
  readonly #misreads = new Map<number, number>();
  #cutAt = 0;
  #failAt = 0;

  constructor(config: FlashConfig) {
    this.#config = config;
    this.#random = new Random(config.seed ^ 0x666c6173);
    this.#sectors = blankSectors(config.sectors);
    this.#onceUnit = config.write_once ? config.program_unit : 0;
    this.bytes = config.sectors.reduce((sum, bytes) => sum + bytes, 0);
  }

  // -- the module's end (HAL.md); numbers are i32, offsets count from the partition's start --

  /** @returns address of byte `offset`, 0 when the range leaves the partition */
  map(offset: number, len: number): number {
    if (offset < 0 || len < 0 || offset + len > this.bytes || this.#xip === null) return 0;
    for (const sector of sectorsOf(this.#sectors, offset, len)) if (!sector.mapped) this.#show(sector);
    return this.#xip.base + offset;
  }

  /** @returns 0, HAL_EINVAL, HAL_EIO. @throws PowerCut */
  erase(offset: number, len: number): number {
    if (offset < 0 || len < 0 || offset + len > this.bytes) return HAL_EINVAL;
    const sectors = sectorsOf(this.#sectors, offset, len);
    const whole = sectors.reduce((sum, sector) => sum + sector.bytes, 0);
    if (len > 0 && (sectors[0].offset !== offset || whole !== len)) return HAL_EINVAL;
    for (const sector of sectors) if (!this.#eraseSector(sector)) return HAL_EIO;
    return 0;
  }

  /** @returns 0, HAL_EINVAL, HAL_EIO. @throws PowerCut */
  program(offset: number, data: Uint8Array): number {
    const { program_unit, page } = this.#config;
    const len = data.length;
    if (offset < 0 || offset + len > this.bytes || offset % program_unit !== 0 || len % program_unit !== 0)
      return HAL_EINVAL;
    if (len === 0) return 0;
    // A page divides every sector, and the partition begins with one.
    if (Math.floor(offset / page) !== Math.floor((offset + len - 1) / page)) return HAL_EINVAL;

    const { typ, max } = this.#config.timing.program_us;
    const pieces = Math.ceil(len / this.#config.timing.program_us_per);
    const fate = this.#begin("program", offset, len, pieces * (this.#config.worst_case ? max : typ));
    const sector = own(this.#sectors[indexAt(this.#sectors, offset)], this.#onceUnit);
    const first = (offset - sector.offset) / program_unit;
    const units = len / program_unit;
    // Write-once: the controller refuses the first unit that is programmed already; those before it are done.
    const free = unusedUnits(sector.used, first, units);
    const done = fate.tear === "partly" ? this.#random.below(free) : fate.tear === "nothing" ? 0 : free;
    const at = offset - sector.offset;
    for (let i = 0; i < done * program_unit; i++) sector.cells[at + i] &= data[i];
    if (fate.tear === "partly" && done < free) {
      const torn = at + done * program_unit;
      const cells = sector.cells.subarray(torn, torn + program_unit);
      if (this.#onceUnit > 0) this.#poison(cells);
      else tearProgram(cells, data.subarray(done * program_unit, (done + 1) * program_unit), this.#random);
    }
    sector.used?.fill(1, first, first + done + (fate.tear === "partly" && done < free ? 1 : 0));
    this.#changed(sector, at, len);
    this.#end(fate);
    return fate.fails || free < units ? HAL_EIO : 0;
  }

  // -- the breadboard's end --

  /** A copy of what the cells hold. The range is inside. */
  read(offset: number, len: number): Uint8Array {
    const bytes = new Uint8Array(len).fill(0xff);
    for (const sector of sectorsOf(this.#sectors, offset, len)) {
      if (sector.cells === null) continue;
      const from = Math.max(sector.offset, offset);
      const to = Math.min(sector.offset + sector.bytes, offset + len);
      bytes.set(sector.cells.subarray(from - sector.offset, to - sector.offset), from - offset);
    }
    return bytes;
  }

  /** Shows the partition in the memory of a new instance, at address `base`; null: there is none. */
  connect(base: number, memory: LinearMemory | null): void {
    this.#xip = memory === null ? null : new XipView(base, memory);
    for (const sector of this.#sectors) sector.mapped = false;
  }

  // -- the test bench's end --

  /** The partition's content. */
  image(): Uint8Array {
    return this.read(0, this.bytes);
  }

  /**
   * Puts content into the flash, as a programmer before delivery does: no time, no wear.
   * A unit of write-once flash counts as programmed unless it is all 0xFF.
   * @throws SimError E_SIM_FLASH when `image` is not as long as the partition
   */
  load(image: Uint8Array): void {
    if (image.length !== this.bytes)
      throw new SimError("E_SIM_FLASH", `the partition has ${this.bytes} bytes, the content ${image.length}`);
    for (const sector of this.#sectors) {
      const content = image.subarray(sector.offset, sector.offset + sector.bytes);
      sector.cells = isBlank(content) ? null : content.slice();
      sector.used = sector.cells === null || this.#onceUnit === 0 ? null : usedUnits(sector.cells, this.#onceUnit);
      sector.shared = false;
      if (sector.mapped) this.#show(sector);
    }
  }

  /** Inverts the bits of `mask` in a cell for good, as one does that loses its charge: no time, no wear. The offset is inside. */
  flip(offset: number, mask: number): void {
    const sector = own(this.#sectors[indexAt(this.#sectors, offset)], this.#onceUnit);
    const at = offset - sector.offset;
    sector.cells[at] ^= mask;
    sector.used?.fill(1, Math.floor(at / this.#onceUnit), Math.floor(at / this.#onceUnit) + 1);
    this.#changed(sector, at, 1);
  }

  /**
   * From now on the module reads the cell with the bits of `mask` inverted; the cell itself is as it was.
   * @returns ends it
   */
  misread(offset: number, mask: number): () => void {
    this.#misreads.set(offset, mask);
    this.#showCell(offset);
    return () => {
      this.#misreads.delete(offset);
      this.#showCell(offset);
    };
  }

  /** Power is cut during the `n`th erase or program from now, n >= 1; 0: not any more. */
  cutAt(n: number): void {
    this.#cutAt = n === 0 ? 0 : this.operations + n;
  }

  /** The `n`th erase or program from now fails with HAL_EIO and leaves the range torn; 0: not any more. */
  failAt(n: number): void {
    this.#failAt = n === 0 ? 0 : this.operations + n;
  }

  /** How often each sector was erased. */
  get wear(): number[] {
    return this.#sectors.map((sector) => sector.wear);
  }

  /** @returns ends the subscription */
  onChange(listener: FlashListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param looker is called when an operation begins. @returns ends the subscription */
  onOperation(looker: FlashLooker): () => void {
    this.#lookers.add(looker);
    return () => this.#lookers.delete(looker);
  }

  /** @param listener gets the index of a sector of the partition whose content changed. @returns ends the subscription */
  onDirty(listener: (sector: number) => void): () => void {
    return this.onChange((offset) => {
      listener(indexAt(this.#sectors, offset));
    });
  }

  /** Offset of a byte that the module changed by writing through a pointer of flash_map; null when there is none. */
  strayWrite(): number | null {
    for (const sector of this.#sectors) {
      const at = sector.mapped && this.#xip !== null ? this.#xip.difference(sector) : -1;
      if (at >= 0) return sector.offset + at;
    }
    return null;
  }

  /** Shares the cells with the snapshot; they are copied when they change. */
  get state(): FlashState {
    const sectors = this.#sectors.map((sector) => {
      sector.shared = true;
      const { cells, used, wear, mapped } = sector;
      return { cells, used, wear, mapped };
    });
    const { operations, busyNs, eccErrors } = this;
    return { sectors, random: this.#random.state.slice(), operations, busyNs, eccErrors };
  }

  /** After `connect`: what the module could see then, it sees again. A cut or failure that was ordered is forgotten. */
  set state(state: FlashState) {
    state.sectors.forEach((saved, i) => {
      const sector = this.#sectors[i];
      const same = sector.cells === saved.cells;
      Object.assign(sector, saved, { shared: true });
      if (saved.mapped) this.#show(sector);
      if (!same) this.#changed(sector, 0, sector.bytes);
    });
    this.#random.state.set(state.random);
    this.operations = state.operations;
    this.busyNs = state.busyNs;
    this.eccErrors = state.eccErrors;
    this.#cutAt = 0;
    this.#failAt = 0;
  }

  #show(sector: Sector): void {
    this.#xip?.show(sector);
    for (const offset of this.#misreads.keys()) this.#showCell(offset);
  }

  /** As the module reads it, where it sees it. */
  #showCell(offset: number): void {
    if (!this.#sectors[indexAt(this.#sectors, offset)].mapped) return;
    const cell = this.read(offset, 1);
    this.#xip?.update(offset, Uint8Array.of(cell[0] ^ (this.#misreads.get(offset) ?? 0)));
  }

  #eraseSector(sector: Sector): boolean {
    const time = this.#config.timing.erase_us.find(({ bytes }) => bytes === sector.bytes);
    if (time === undefined) throw new SimError("E_SIM_FLASH", `no erase time for sectors of ${sector.bytes} bytes`);
    const fate = this.#begin("erase", sector.offset, sector.bytes, this.#config.worst_case ? time.max : time.typ);
    if (fate.tear !== "nothing") sector.wear++;
    if (fate.tear === "everything") erase(sector);
    else if (fate.tear === "partly") this.#tearSector(sector);
    this.#changed(sector, 0, sector.bytes);
    this.#end(fate);
    return !fate.fails;
  }

  /** Starts an operation: lets its time pass and decides how it ends. */
  #begin(kind: FlashOperation["kind"], offset: number, bytes: number, us: number): Fate {
    this.operations++;
    const ends = [...this.#lookers].map((looker) => looker({ kind, offset, bytes }));
    this.busyNs += us * US;
    const supplied = this.#config.busy(us * US);
    for (const end of ends) end();
    if (supplied === "before") return { tear: "nothing", cut: true, fails: false };
    const cut = this.operations === this.#cutAt || supplied === "during";
    const fails = this.operations === this.#failAt;
    return { tear: cut || fails ? chooseTear(this.#random) : "everything", cut, fails };
  }

  #end(fate: Fate): void {
    if (!fate.cut) return;
    this.#cutAt = 0;
    throw new PowerCut(this.operations);
  }

  #tearSector(sector: Sector): void {
    const unit = this.#onceUnit;
    const { cells } = own(sector, unit);
    tearErase(cells, this.#random);
    if (unit === 0) return;
    sector.used = usedUnits(cells, unit);
    sector.used.forEach((used, i) => {
      if (used === 1) this.#poison(cells.subarray(i * unit, (i + 1) * unit));
    });
  }

  #poison(cells: Uint8Array): void {
    scramble(cells, this.#random);
    this.eccErrors++;
  }

  /** Keeps the module's view equal and tells who listens. */
  #changed(sector: Sector, at: number, bytes: number): void {
    const cells = sector.cells?.subarray(at, at + bytes) ?? new Uint8Array(bytes).fill(0xff);
    if (sector.mapped) this.#xip?.update(sector.offset + at, cells);
    for (const offset of this.#misreads.keys()) this.#showCell(offset);
    for (const listener of this.#listeners) listener(sector.offset + at, cells);
  }
}

/** How many of `units` units from `first` on can be programmed before one that was programmed already. */
function unusedUnits(used: Uint8Array | null, first: number, units: number): number {
  const at = used?.subarray(first, first + units).indexOf(1) ?? -1;
  return at < 0 ? units : at;
}
