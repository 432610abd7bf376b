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
import { type CostTable, costOf } from "./cost_table.ts";
import { SLOT } from "./flash_probe.ts";
import type { Instrumented } from "./instrument.ts";
import { addOps, OP_CLASSES, type OpClass, type OpCounts } from "./op_class.ts";

/** A cycle has this many parts. */
const FIX = 1024;
const S = 1_000_000_000n;

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
  readonly wait: { readonly flash: number };
  /** Instructions of the module by class. */
  readonly ops: Readonly<Record<OpClass, number>>;
  /** Loads that were not from flash, and stores; of at most 32 bits each. */
  readonly sram: { readonly loads: number; readonly stores: number };
  readonly flash: FlashReads;
  /** Calls of the HAL, and bytes that it copied. */
  readonly hal: { readonly calls: number; readonly bytes: number };
}

/** What can be had at any moment: a few additions, no walk over the module. */
export interface Reading {
  /** Waiting included. */
  readonly cycles: number;
  readonly waitCycles: number;
  readonly flashReads: number;
  readonly flashBytes: number;
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
  readonly cycles: number;
  readonly part: number;
  readonly told: number;
  readonly cache: Uint8Array;
}

export class Meter implements CpuCost {
  readonly table: CostTable;
  readonly board: Board;
  readonly #made: Instrumented;
  readonly #xip: Xip | null;
  /** Of a counter's increment, in 1/FIX cycles; negative where it takes back what another one said. */
  readonly #costs: Float64Array;
  readonly #fillCost: { line: number; following: number };
  readonly #shimCost: { call: number; byte: number };
  #memory: LinearMemory | null = null;
  /** What the counters, and the words of the slots, said when they were read last. */
  readonly #seen: Uint32Array;
  readonly #seenSlots: Uint32Array;
  /** Since the board was made. */
  #counts: Float64Array;
  #slots: Float64Array;
  #calls = 0;
  #bytes = 0;
  /** Cycles up to now: whole ones, and parts of 1/FIX. */
  #cycles = 0;
  #part = 0;
  /** ns of cycles that somebody was told about. */
  #told = 0;

  constructor(board: Board, made: Instrumented, table: CostTable) {
    this.board = board;
    this.table = table;
    this.#made = made;
    this.#xip = board.flash.xip;
    this.#seen = new Uint32Array(made.counters.count);
    this.#counts = new Float64Array(made.counters.count);
    this.#seenSlots = new Uint32Array((made.functions.length * SLOT) / 4);
    this.#slots = new Float64Array(this.#seenSlots.length);
    this.#costs = this.#counterCosts();
    const fixed = (cycles: number): number => Math.round(cycles * FIX);
    const fill = (overhead: number, xip: Xip): number => fixed(overhead + xip.line_bytes * xip.cycles_per_byte);
    this.#fillCost =
      this.#xip === null
        ? { line: 0, following: 0 }
        : { line: fill(this.#xip.overhead_cycles, this.#xip), following: fill(this.#xip.following_cycles, this.#xip) };
    this.#shimCost = { call: fixed(table.shim.call.cycles), byte: fixed(table.shim.byte.cycles) };
  }

  /** The memory of the instance that runs from now on. What it has counted up to now counts for nobody. */
  attach(memory: LinearMemory): void {
    this.#memory = memory;
    const { counters, slots } = this.#made;
    this.#seen.set(this.#words(counters.at, this.#seen.length));
    this.#seenSlots.set(this.#words(slots, this.#seenSlots.length));
  }

  /** Reset, and flash that was written: the cache is empty. */
  flush(): void {
    const { at, bytes } = this.#made.state;
    this.#memory?.bytes().fill(0, at, at + bytes);
  }

  call(): number {
    this.#calls++;
    this.#part += this.#shimCost.call;
    return this.#elapsed();
  }

  poll(): number {
    return this.#elapsed();
  }

  bytes(count: number): void {
    this.#bytes += count;
    this.#part += count * this.#shimCost.byte;
  }

  /** Cycles up to now, waiting included. */
  get cycles(): number {
    this.#collect();
    return this.#cycles;
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
    this.#collect();
    const slots = this.#slots;
    let [flashReads, flashBytes, lines, following] = [0, 0, 0, 0];
    for (let i = 0; i < slots.length; i += 4) {
      flashReads += slots[i];
      flashBytes += slots[i + 1];
      lines += slots[i + 2];
      following += slots[i + 3];
    }
    const waitCycles = this.#waitFor({ reads: flashReads, bytes: flashBytes, lines, following });
    return { cycles: this.#cycles, waitCycles, flashReads, flashBytes };
  }

  totals(): Totals {
    this.#collect();
    const ops = Object.fromEntries(OP_CLASSES.map((of) => [of, 0])) as Record<OpClass, number>;
    let instructions =
      this.#calls * this.table.shim.call.instructions + this.#bytes * this.table.shim.byte.instructions;
    let cycles = this.#calls * this.table.shim.call.cycles + this.#bytes * this.table.shim.byte.cycles;
    this.#opsByFunction().forEach((counts, fn) => {
      const cost = costOf(this.table, this.#made.functions[fn], counts);
      instructions += cost.instructions;
      cycles += cost.cycles;
      for (const of of OP_CLASSES) ops[of] += counts[of] ?? 0;
    });
    const flash = this.#made.functions.map((_, fn) => this.#flashOf(fn)).reduce(sum, NO_READS);
    return {
      instructions: Math.round(instructions),
      cycles: Math.round(cycles),
      wait: { flash: Math.round(this.#waitFor(flash)) },
      ops,
      sram: { loads: ops.load + 2 * ops.load64 - flash.reads, stores: ops.store + 2 * ops.store64 },
      flash,
      hal: { calls: this.#calls, bytes: this.#bytes },
    };
  }

  /** Functions that ran, the dearest first. */
  byFunction(): FunctionTotals[] {
    this.#collect();
    const { functions, entries } = this.#made;
    const found = this.#opsByFunction().map((counts, fn): FunctionTotals => {
      const flash = this.#flashOf(fn);
      const { instructions, cycles } = costOf(this.table, functions[fn], counts);
      return {
        name: functions[fn],
        calls: this.#counts[entries[fn]],
        instructions,
        cycles,
        waitCycles: this.#waitFor(flash),
        flash,
      };
    });
    return found.filter(({ calls }) => calls > 0).sort((a, b) => b.cycles - a.cycles);
  }

  /** Instructions by class of each function that ran, by its name: what a cost table is fitted to. */
  opsByFunction(): Map<string, OpCounts> {
    this.#collect();
    const found = new Map<string, OpCounts>();
    this.#opsByFunction().forEach((ops, fn) => {
      if (this.#counts[this.#made.entries[fn]] > 0) found.set(this.#made.functions[fn], ops);
    });
    return found;
  }

  get state(): MeterState {
    this.#collect();
    const { at, bytes } = this.#made.state;
    return {
      counts: this.#counts.slice(),
      slots: this.#slots.slice(),
      hal: { calls: this.#calls, bytes: this.#bytes },
      cycles: this.#cycles,
      part: this.#part,
      told: this.#told,
      cache: this.#memory === null ? new Uint8Array(bytes) : this.#memory.bytes().slice(at, at + bytes),
    };
  }

  /** To be set when the memory is attached, if there is one. */
  set state(state: MeterState) {
    this.#counts = state.counts.slice();
    this.#slots = state.slots.slice();
    this.#calls = state.hal.calls;
    this.#bytes = state.hal.bytes;
    this.#cycles = state.cycles;
    this.#part = state.part;
    this.#told = state.told;
    this.#memory?.bytes().set(state.cache, this.#made.state.at);
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
    return Number((BigInt(this.#cycles) * S) / BigInt(this.board.cpu.hz));
  }

  /** Reads the counters. */
  #collect(): void {
    if (this.#memory !== null) {
      const { counters, slots } = this.#made;
      let part = gather(this.#words(counters.at, this.#seen.length), this.#seen, this.#counts, this.#costs);
      const lines = this.#slots;
      part += gatherSlots(this.#words(slots, this.#seenSlots.length), this.#seenSlots, lines, this.#fillCost);
      this.#part += part;
    }
    const whole = Math.floor(this.#part / FIX);
    this.#cycles += whole;
    this.#part -= whole * FIX;
  }

  #words(at: number, count: number): Uint32Array {
    const bytes = (this.#memory as LinearMemory).bytes();
    return new Uint32Array(bytes.buffer, bytes.byteOffset + at, count);
  }

  #counterCosts(): Float64Array {
    const { blocks, functions, counters } = this.#made;
    const exact = new Float64Array(counters.count);
    for (const { fn, ops, form } of blocks) {
      const { cycles } = costOf(this.table, functions[fn], ops);
      for (const [counter, factor] of form) exact[counter] += factor * cycles;
    }
    return exact.map((cycles) => Math.round(cycles * FIX));
  }

  #opsByFunction(): OpCounts[] {
    const found: OpCounts[] = this.#made.functions.map(() => ({}));
    for (const { fn, ops, form } of this.#made.blocks) {
      let times = 0;
      for (const [counter, factor] of form) times += factor * this.#counts[counter];
      if (times === 0) continue;
      for (const [of, count] of Object.entries(ops)) addOps(found[fn], of as OpClass, count * times);
    }
    return found;
  }

  #flashOf(fn: number): FlashReads {
    const [reads, bytes, lines, following] = this.#slots.subarray((fn * SLOT) / 4, ((fn + 1) * SLOT) / 4);
    return { reads, bytes, lines, following };
  }

  #waitFor({ lines, following }: FlashReads): number {
    return ((lines - following) * this.#fillCost.line + following * this.#fillCost.following) / FIX;
  }
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

/** Adds what the counters moved on to `totals`. @returns what that cost */
function gather(now: Uint32Array, seen: Uint32Array, totals: Float64Array, costs: Float64Array): number {
  let cost = 0;
  for (let i = 0; i < seen.length; i++) {
    const count = now[i];
    if (count === seen[i]) continue;
    const more = (count - seen[i]) >>> 0;
    seen[i] = count;
    totals[i] += more;
    cost += more * costs[i];
  }
  return cost;
}

/** The same for slots, of which two words of four cost something. */
function gatherSlots(
  now: Uint32Array,
  seen: Uint32Array,
  totals: Float64Array,
  { line, following }: { line: number; following: number },
): number {
  let cost = 0;
  for (let i = 0; i < seen.length; i++) {
    const count = now[i];
    if (count === seen[i]) continue;
    const more = (count - seen[i]) >>> 0;
    seen[i] = count;
    totals[i] += more;
    if (i % 4 === 2) cost += more * line;
    else if (i % 4 === 3) cost += more * (following - line);
  }
  return cost;
}
