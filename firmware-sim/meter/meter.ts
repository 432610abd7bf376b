/**
 * The CPU's clock: what the device module did since it was asked last, as cycles of the board's core and nanoseconds. It adds up the counters that
 * instrument.ts put into the module, each times what its instructions cost (cost_table.ts), and what waiting for flash costs on top of it.
 *
 *     cycles      of instructions, memory answering at once                      origin: the cost table's
 *     wait.flash  line fills of the cache in front of flash, by Board.flash.xip   derived
 *
 * Everything is whole numbers: a cost is a multiple of 1/FIX of a cycle, time is the whole nanoseconds of the cycles up to now. Sleeping (`wait`,
 * a poll() with nothing to do that is followed by a sleep) takes time and no cycles; flash that is erased or programmed, too.
 *
 * A function's straight code is charged when the function is entered, so time inside a function can be ahead by what is left of it; it never runs backwards.
 */
import type { Board, Xip } from "../../boards/board.ts";
import type { LinearMemory } from "../bus/memory_map.ts";
import type { CpuCost } from "../clock.ts";
import { SimError } from "../sim_error.ts";
import { type CostTable, costOf } from "./cost_table.ts";
import { SLOT } from "./flash_probe.ts";
import type { Instrumented } from "./instrument.ts";
import { modelXip } from "./model_reads.ts";
import { addOps, OP_CLASSES, type OpClass, type OpCounts } from "./op_class.ts";

/** A cycle has this many parts. */
const FIX = 1024;
const S = 1_000_000_000;
/** After a poll the counters are cleared when they cost so much: 2^20 cycles, a token. No poll is so long that one of 31 bits went around. */
const FOLD = 2 ** 20 * FIX;

/** An instance of an instrumented module. */
export interface MeteredCore extends LinearMemory {
  /** Its export METER_EXPORT. */
  meter(): number;
}

/** What was read from flash: loads, bytes, lines fetched into the cache, and those of them that follow the one fetched before. */
export interface FlashReads {
  readonly reads: number;
  readonly bytes: number;
  readonly lines: number;
  readonly following: number;
}

export interface Totals {
  readonly instructions: number;
  /** Without waiting. */
  readonly cycles: number;
  /** For flash, all of it; and what of it was for code. */
  readonly wait: { readonly flash: number; readonly code: number };
  /** Instructions of the module by class. */
  readonly ops: Readonly<Record<OpClass, number>>;
  /** Loads that were not from flash, and stores; of at most 32 bits each. */
  readonly sram: { readonly loads: number; readonly stores: number };
  /** What the module read. */
  readonly flash: FlashReads;
  /** Code of the module that came through the same cache (code_fetch.ts). */
  readonly code: Pick<FlashReads, "lines" | "following">;
  /** Calls of the HAL, and bytes that it copied. */
  readonly hal: { readonly calls: number; readonly bytes: number };
}

/** What can be had at any moment: a few additions, no walk over the module. */
export interface Reading {
  /** Waiting included. */
  readonly cycles: number;
  readonly waitCycles: number;
  readonly flash: FlashReads;
  /** Those of flash.lines that brought code. */
  readonly codeLines: number;
}

export interface FunctionTotals {
  readonly name: string;
  readonly calls: number;
  readonly instructions: number;
  readonly cycles: number;
  readonly waitCycles: number;
  readonly flash: FlashReads;
}

/** Plain data, for snapshots. */
export interface MeterState {
  readonly counts: Float64Array;
  readonly slots: Float64Array;
  readonly hal: { readonly calls: number; readonly bytes: number };
  readonly time: { readonly seconds: number; readonly inSecond: number; readonly part: number; readonly told: number };
  readonly cache: Uint8Array;
}

export class Meter implements CpuCost {
  readonly table: CostTable;
  readonly board: Board;
  readonly #made: Instrumented;
  readonly #xip: Xip | null;
  /** Of a counter's increment, in 1/FIX cycles; negative where it takes back what another one said. */
  readonly #costs: Int32Array;
  readonly #fillCost: { line: number; following: number };
  readonly #shimCost: { call: number; byte: number };
  #core: MeteredCore | null = null;
  /** What the counters and slots counted before they were cleared last; since the board was made. */
  #counts: Float64Array;
  #slots: Float64Array;
  /** What the module's own sum said last, in 1/FIX cycles; it begins at 0 when the counters are cleared. */
  #sum = 0;
  #calls = 0;
  #bytes = 0;
  /** Cycles up to now: seconds of them, whole ones, and parts of 1/FIX. */
  #seconds = 0;
  #inSecond = 0;
  #part = 0;
  readonly #period: { multiple: number; divisor: number };
  /** ns of cycles that somebody was told about. */
  #told = 0;

  constructor(board: Board, made: Instrumented, table: CostTable) {
    this.board = board;
    this.table = table;
    this.#made = made;
    this.#period = periodOf(board.cpu.hz);
    this.#xip = modelXip(board);
    this.#counts = new Float64Array(made.counters.count);
    this.#slots = new Float64Array((2 * made.functions.length * SLOT) / 4);
    const fixed = (cycles: number): number => Math.round(cycles * FIX);
    const fill = (overhead: number, xip: Xip): number => fixed(overhead + xip.line_bytes * xip.cycles_per_byte);
    this.#fillCost =
      this.#xip === null
        ? { line: 0, following: 0 }
        : { line: fill(this.#xip.overhead_cycles, this.#xip), following: fill(this.#xip.following_cycles, this.#xip) };
    this.#costs = this.#counterCosts();
    this.#shimCost = { call: fixed(table.shim.call.cycles), byte: fixed(table.shim.byte.cycles) };
  }

  /** The instance that runs from now on. What it has counted up to now counts for nobody. */
  attach(core: MeteredCore): void {
    this.#fold();
    this.#core = core;
    const { costs, ranges, firsts, counters, slots } = this.#made;
    this.#words(costs, counters.count).set(this.#costs);
    this.#words(ranges, firsts.length).set(firsts);
    this.#words(counters.at, counters.count).fill(0);
    this.#words(slots, this.#slots.length).fill(0);
  }

  /** Reset, and flash that was written: the cache is empty. */
  flush(): void {
    const { at, bytes } = this.#made.state;
    this.#core?.bytes().fill(0, at, at + bytes);
  }

  call(): number {
    this.#calls++;
    this.#part += this.#shimCost.call;
    return this.#elapsed();
  }

  poll(): number {
    const elapsed = this.#elapsed();
    if (this.#sum > FOLD) this.#fold();
    return elapsed;
  }

  bytes(count: number): void {
    this.#bytes += count;
    this.#part += count * this.#shimCost.byte;
  }

  /** Cycles up to now, waiting included. */
  get cycles(): number {
    this.#collect();
    return this.#seconds * this.board.cpu.hz + this.#inSecond;
  }

  /** The instrumented module. */
  get module(): Instrumented {
    return this.#made;
  }

  /** ns of work up to now that nobody was told about yet: how far the CPU is ahead of the clock. */
  get ahead(): number {
    this.#collect();
    return Math.max(this.#worked() - this.#told, 0);
  }

  reading(): Reading {
    const { cycles } = this;
    const before = this.#slots;
    const counted = this.#core === null ? before.map(() => 0) : this.#words(this.#made.slots, before.length);
    let [reads, bytes, lines, following, codeLines] = [0, 0, 0, 0, 0];
    for (let i = 0; i < before.length; i += SLOT / 4) {
      reads += before[i] + counted[i];
      bytes += before[i + 1] + counted[i + 1];
      lines += before[i + 2] + counted[i + 2];
      following += before[i + 3] + counted[i + 3];
      if (i >= before.length / 2) codeLines += before[i + 2] + counted[i + 2];
    }
    const flash = { reads, bytes, lines, following };
    return { cycles, waitCycles: this.#waitFor(flash), flash, codeLines };
  }

  totals(): Totals {
    const now = this.#now();
    const ops = Object.fromEntries(OP_CLASSES.map((of) => [of, 0])) as Record<OpClass, number>;
    let instructions =
      this.#calls * this.table.shim.call.instructions + this.#bytes * this.table.shim.byte.instructions;
    this.#opsOf(now.counts).forEach((counts, fn) => {
      const cost = costOf(this.table, this.#made.functions[fn], counts);
      instructions += cost.instructions;
      for (const of of OP_CLASSES) ops[of] += counts[of] ?? 0;
    });
    const reads = Array.from({ length: 2 * this.#made.functions.length }, (_, slot) => flashOf(now.slots, slot));
    const flash = reads.slice(0, reads.length / 2).reduce(sum, NO_READS);
    const { lines, following } = reads.slice(reads.length / 2).reduce(sum, NO_READS);
    const code = Math.round(this.#waitFor({ lines, following }));
    const wait = Math.round(this.#waitFor(flash)) + code;
    return {
      instructions: Math.round(instructions),
      cycles: this.cycles - wait,
      wait: { flash: wait, code },
      ops,
      sram: { loads: ops.load + 2 * ops.load64 - flash.reads, stores: ops.store + 2 * ops.store64 },
      flash,
      code: { lines, following },
      hal: { calls: this.#calls, bytes: this.#bytes },
    };
  }

  /** Functions that ran, the dearest first. */
  byFunction(): FunctionTotals[] {
    const now = this.#now();
    const { functions } = this.#made;
    const found = this.#opsOf(now.counts).map((counts, fn): FunctionTotals => {
      const flash = flashOf(now.slots, fn);
      const code = flashOf(now.slots, functions.length + fn);
      const { instructions, cycles } = costOf(this.table, functions[fn], counts);
      return {
        name: functions[fn],
        calls: now.counts[fn],
        instructions,
        cycles,
        waitCycles: this.#waitFor(flash) + this.#waitFor(code),
        flash,
      };
    });
    return found.filter(({ calls }) => calls > 0).sort((a, b) => b.cycles - a.cycles);
  }

  /** Instructions by class of each function that ran, by its name: what a cost table is fitted to. */
  opsByFunction(): Map<string, OpCounts> {
    const now = this.#now();
    const found = new Map<string, OpCounts>();
    this.#opsOf(now.counts).forEach((ops, fn) => {
      if (now.counts[fn] > 0) found.set(this.#made.functions[fn], ops);
    });
    return found;
  }

  get state(): MeterState {
    const { counts, slots } = this.#now();
    const { at, bytes } = this.#made.state;
    return {
      counts: counts.slice(),
      slots: slots.slice(),
      hal: { calls: this.#calls, bytes: this.#bytes },
      time: { seconds: this.#seconds, inSecond: this.#inSecond, part: this.#part, told: this.#told },
      cache: this.#core === null ? new Uint8Array(bytes) : this.#core.bytes().slice(at, at + bytes),
    };
  }

  /** To be set when the memory is attached, if there is one. */
  set state(state: MeterState) {
    this.#fold(); // what a module that still runs has counted belongs to the time that is given up
    this.#counts = state.counts.slice();
    this.#slots = state.slots.slice();
    this.#calls = state.hal.calls;
    this.#bytes = state.hal.bytes;
    ({ seconds: this.#seconds, inSecond: this.#inSecond, part: this.#part, told: this.#told } = state.time);
    this.#core?.bytes().set(state.cache, this.#made.state.at);
  }

  /** ns of work that nobody was told about yet. */
  #elapsed(): number {
    this.#collect();
    const elapsed = Math.max(this.#worked() - this.#told, 0);
    this.#told += elapsed;
    return elapsed;
  }

  /** ns of all cycles. */
  #worked(): number {
    const { multiple, divisor } = this.#period;
    return this.#seconds * S + Math.floor((this.#inSecond * multiple) / divisor);
  }

  /** Brings the cycles up to date. */
  #collect(): void {
    if (this.#core !== null) {
      const sum = this.#core.meter();
      this.#part += sum - this.#sum;
      this.#sum = sum;
    }
    const whole = Math.floor(this.#part / FIX);
    this.#part -= whole * FIX;
    this.#inSecond += whole;
    const { hz } = this.board.cpu;
    while (this.#inSecond >= hz) {
      this.#inSecond -= hz;
      this.#seconds++;
    }
  }

  /**
   * Between two polls: moves what the module has counted to where numbers are larger. A function that was not called has counted nothing; one that still runs
   * would lose what it counts from now on.
   */
  #fold(): void {
    if (this.#core === null) return;
    this.#collect();
    this.#sum = 0;
    const { counters, firsts, functions, slots } = this.#made;
    const counted = this.#words(counters.at, counters.count);
    const read = this.#words(slots, this.#slots.length);
    const words = SLOT / 4;
    for (let fn = 0; fn < functions.length; fn++) {
      if (counted[fn] === 0) continue;
      move(counted, this.#counts, firsts[fn], firsts[fn + 1]);
      for (const slot of [fn, functions.length + fn]) move(read, this.#slots, slot * words, (slot + 1) * words);
    }
    move(counted, this.#counts, 0, functions.length + 2);
  }

  /** What was counted since the board was made, at any time. */
  #now(): { counts: Float64Array; slots: Float64Array } {
    this.#collect();
    const { counters, slots } = this.#made;
    const sum = (totals: Float64Array, at: number): Float64Array => {
      if (this.#core === null) return totals;
      const counted = this.#words(at, totals.length);
      return totals.map((total, i) => total + counted[i]);
    };
    return { counts: sum(this.#counts, counters.at), slots: sum(this.#slots, slots) };
  }

  #words(at: number, count: number): Uint32Array {
    const { buffer, byteOffset } = (this.#core as MeteredCore).bytes();
    return new Uint32Array(buffer, byteOffset + at, count);
  }

  #counterCosts(): Int32Array {
    const { blocks, functions, counters } = this.#made;
    const exact = new Float64Array(counters.count);
    for (const { fn, ops, form } of blocks) {
      const { cycles } = costOf(this.table, functions[fn], ops);
      for (const [counter, factor] of form) exact[counter] += factor * cycles;
    }
    const costs = Int32Array.from(exact, (cycles) => Math.round(cycles * FIX));
    const { line, following } = this.#fillCost;
    costs.set([line, following - line], functions.length);
    return costs;
  }

  #opsOf(counts: Float64Array): OpCounts[] {
    const found: OpCounts[] = this.#made.functions.map(() => ({}));
    for (const { fn, ops, form } of this.#made.blocks) {
      let times = 0;
      for (const [counter, factor] of form) times += factor * counts[counter];
      if (times === 0) continue;
      for (const [of, count] of Object.entries(ops)) addOps(found[fn], of as OpClass, count * times);
    }
    return found;
  }

  #waitFor({ lines, following }: Pick<FlashReads, "lines" | "following">): number {
    return ((lines - following) * this.#fillCost.line + following * this.#fillCost.following) / FIX;
  }
}

function flashOf(slots: Float64Array, slot: number): FlashReads {
  const [reads, bytes, lines, following] = slots.subarray((slot * SLOT) / 4, ((slot + 1) * SLOT) / 4);
  return { reads, bytes, lines, following };
}

const NO_READS: FlashReads = { reads: 0, bytes: 0, lines: 0, following: 0 };

function sum(a: FlashReads, b: FlashReads): FlashReads {
  return {
    reads: a.reads + b.reads,
    bytes: a.bytes + b.bytes,
    lines: a.lines + b.lines,
    following: a.following + b.following,
  };
}

/** Nanoseconds of a cycle as a fraction. A second's cycles times `multiple` stay exact: it is 25 at most on the boards that ship. */
function periodOf(hz: number): { multiple: number; divisor: number } {
  let [a, b] = [S, hz];
  while (b > 0) [a, b] = [b, a % b];
  const period = { multiple: S / a, divisor: hz / a };
  if (hz * period.multiple > Number.MAX_SAFE_INTEGER)
    throw new SimError("E_SIM_COST", `a CPU clock of ${hz} Hz has no period that whole nanoseconds can follow`);
  return period;
}

function move(counted: Uint32Array, totals: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    totals[i] += counted[i];
    counted[i] = 0;
  }
}
