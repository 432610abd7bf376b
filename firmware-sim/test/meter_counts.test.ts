/**
 * What an instrumented module counts is what was executed: random programs, each instruction of them as WABT's interpreter traced it, and toys counted by hand.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Xip } from "../../boards/board.ts";
import { METER_EXPORT } from "../meter/counter_sum.ts";
import { SLOT } from "../meter/flash_probe.ts";
import { type Instrumented, type InstrumentOptions, instrument, SPAN_IMPORT } from "../meter/instrument.ts";
import { OP_CLASSES, type OpClass } from "../meter/op_class.ts";
import { randomProgram } from "./random_program.ts";
import { assemble, type Executed, execute } from "./wasm_interp.ts";

/** Part of the programs' page plays flash. */
const FLASH = { base: 8192, bytes: 16384 };
const XIP: Xip = {
  line_bytes: 16,
  cache_bytes: 512,
  ways: 2,
  overhead_cycles: 10,
  following_cycles: 2,
  cycles_per_byte: 1,
  code_bytes: 0,
};

interface Counted {
  ops: Record<OpClass, number>;
  calls: Map<string, number>;
  flash: { reads: number; bytes: number; lines: number; following: number };
  /** Of code, by function. */
  code: Map<string, { lines: number; following: number }>;
  /** What the module's own sum says, for costs of 1, 2, 3 ... */
  sum: number;
  memory: Uint8Array;
}

/** Runs `run` once and reads the counters as flow.ts and flash_probe.ts say they are to be read. */
function count(made: Instrumented, imports: WebAssembly.Imports = {}): Counted {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(made.wasm), imports);
  const memory = (exports.memory as WebAssembly.Memory).buffer;
  const words = (at: number, length: number) => new Uint32Array(memory, at, length);
  words(made.ranges, made.firsts.length).set(made.firsts);
  words(made.costs, made.counters.count).set(Array.from({ length: made.counters.count }, (_, i) => i + 1));
  (exports.run as () => void)();
  const counters = words(made.counters.at, made.counters.count);
  const ops = Object.fromEntries(OP_CLASSES.map((of) => [of, 0])) as Record<OpClass, number>;
  for (const { ops: each, form } of made.blocks) {
    let times = 0;
    for (const [counter, factor] of form) times += factor * counters[counter];
    assert.ok(times >= 0, "something ran less than never");
    for (const [of, n] of Object.entries(each)) ops[of as OpClass] += n * times;
  }
  const flash = { reads: 0, bytes: 0, lines: 0, following: 0 };
  made.functions.forEach((_, fn) => {
    const [reads, bytes, lines, following] = words(made.slots + SLOT * fn, 4);
    flash.reads += reads;
    flash.bytes += bytes;
    flash.lines += lines;
    flash.following += following;
  });
  return {
    ops,
    calls: new Map(made.functions.map((name, fn) => [name, counters[fn]])),
    flash,
    code: new Map(
      made.functions.map((name, fn) => {
        const [, , lines, following] = words(made.slots + SLOT * (made.functions.length + fn), 4);
        return [name, { lines, following }];
      }),
    ),
    sum: (exports[METER_EXPORT] as () => number)(),
    memory: new Uint8Array(memory, 0, 65536).slice(),
  };
}

/** The trace in the classes of op_class.ts, by the names that instructions have in text. */
function classesOf({ ops, constants, skippedThens, takenBrIfs }: Executed): Partial<Record<OpClass, number>> {
  const of = (...names: string[]): number => names.reduce((sum, name) => sum + (ops.get(name) ?? 0), 0);
  const i32 = (...names: string[]): number => of(...names.map((name) => `i32.${name}`));
  return {
    alu: i32("add", "sub", "and", "xor", "or"),
    shift: i32("shl", "shr_u"),
    mul: i32("mul"),
    compare: i32("lt_s", "gt_s", "ne", "eq"),
    alu64: of("i64.add", "i64.or"),
    shift64: of("i64.shl"),
    mul64: of("i64.mul"),
    convert: of("i32.wrap_i64", "i64.extend_i32_u"),
    load: i32("load", "load8_u"),
    store: i32("store"),
    select: of("select"),
    local: of("local.get", "local.set", "local.tee"),
    const: constants.small,
    wide: constants.wide,
    call: of("call"),
    branch: of("br_unless"),
    taken: skippedThens + takenBrIfs,
    // A br_table is followed by the br of the label it chose.
    jump: of("br") - takenBrIfs - of("br_table"),
    switch: of("br_table"),
  };
}

/** The cache as a map of sets, each a list of lines, the last used first. */
function simulateCache(loads: Executed["loads"], { line_bytes, cache_bytes, ways }: Xip): Counted["flash"] {
  const sets = cache_bytes / line_bytes / ways;
  const held: number[][] = Array.from({ length: sets }, () => []);
  const found = { reads: 0, bytes: 0, lines: 0, following: 0 };
  let fetched = -2;
  for (const { address, bytes } of loads) {
    if (address < FLASH.base || address >= FLASH.base + FLASH.bytes) continue;
    found.reads++;
    found.bytes += bytes;
    const at = address - FLASH.base;
    for (let line = Math.floor(at / line_bytes); line <= Math.floor((at + bytes - 1) / line_bytes); line++) {
      const set = held[line % sets];
      const place = set.indexOf(line);
      if (place >= 0) set.splice(place, 1);
      else {
        found.lines++;
        if (line === fetched + 1) found.following++;
        fetched = line;
      }
      set.unshift(line);
      set.length = Math.min(set.length, ways);
    }
  }
  return found;
}

const OPTIONS: InstrumentOptions = { flash: FLASH, xip: XIP };

/** Loads from one pointer share a comparison and look a range up: this reads byte after byte, each by a pointer of its own. */
const READER = (
  order: string,
): string => `(module (memory (export "memory") 1) (func $reader (export "run") (local $i i32) (local $k i32)
  (loop $next
    (local.set $k (i32.add (local.get $k) (i32.load8_u (i32.add (i32.and ${order} (i32.const 0x1fff)) (i32.const 8192)))))
    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))))`;

describe("an instrumented module counts what WABT's interpreter executed", () => {
  for (const seed of [1, 3])
    it(`random programs ${seed}`, () => {
      const wasm = assemble(randomProgram(seed, 6));
      const executed = execute(wasm);
      assert.ok(executed.loads.length > 100, "too short a program to prove anything");
      const counted = count(instrument(wasm, OPTIONS));
      for (const [of, wanted] of Object.entries(classesOf(executed)))
        assert.equal(counted.ops[of as OpClass], wanted, `${of} of seed ${seed}`);
      const { reads, bytes } = simulateCache(executed.loads, XIP);
      assert.ok(reads > 20, "flash was hardly read");
      assert.deepEqual([counted.flash.reads, counted.flash.bytes], [reads, bytes]);
    });

  const orders = {
    "in order": "(local.get $i)",
    "up and down": "(i32.xor (local.get $i) (i32.const 0x5f))",
    "all over the place": "(i32.mul (local.get $i) (i32.const 7919))",
    "in rounds that fit the cache": "(i32.and (local.get $i) (i32.const 255))",
    "two streams":
      "(i32.add (i32.shr_u (local.get $i) (i32.const 1)) (i32.mul (i32.and (local.get $i) (i32.const 1)) (i32.const 4096)))",
  };
  for (const [what, order] of Object.entries(orders))
    it(`lines of a cache when flash is read ${what}`, () => {
      const wasm = assemble(READER(order));
      const { loads } = execute(wasm);
      for (const xip of [XIP, { ...XIP, ways: 8 }, { ...XIP, line_bytes: 8, cache_bytes: 8, ways: 1 }])
        assert.deepEqual(count(instrument(wasm, { flash: FLASH, xip })).flash, simulateCache(loads, xip));
    });
});

/** Everything that makes a difference, with counts that one can see. */
const TOY = `(module (memory (export "memory") 1)
  (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func $toy (export "run") (local $i i32) (local $s i64)
    (loop $again
      (if (i32.and (local.get $i) (i32.const 1))
        (then (local.set $s (i64.add (local.get $s) (i64.load (i32.const 9000)))))
        (else (i32.store (i32.const 32768) (call $leaf (local.get $i)))))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))))`;

describe("a toy counted by hand", () => {
  const wasm = assemble(TOY);
  const made = instrument(wasm, OPTIONS);

  it("has the counts that its text says", () => {
    const { ops, calls, flash } = count(made);
    assert.deepEqual(Object.fromEntries(calls), { leaf: 5, toy: 1 });
    const ran = Object.fromEntries(Object.entries(ops).filter(([, n]) => n !== 0));
    assert.deepEqual(ran, {
      ...{ alu: 20, compare: 10, mul: 5, alu64: 5, load64: 5, store: 5 },
      // Ten tests of the if, five of them false; ten of the loop, nine of them true; five then-parts jump over an else.
      ...{ branch: 20, taken: 5 + 9, jump: 5, call: 5 },
      ...{ const: 10 + 20 + 5, wide: 5 + 5, local: 10 + 10 + 5 + 20 + 5 },
    });
    // The constant address lies in flash.
    assert.deepEqual(flash, { reads: 5, bytes: 40, lines: 1, following: 0 });
  });

  it("needs four counters: two entries, the loop's head and the then-part", () => {
    const used = new Set(made.blocks.flatMap(({ form }) => [...form.keys()]));
    assert.equal(used.size, 4);
  });

  it("adds its counters up itself", () => {
    const { sum } = count(made);
    const [leaf, toy] = [5 * 1, 1 * 2];
    const [lines, following] = [1 * 3, 0 * 4];
    const [, second] = made.firsts;
    assert.equal(sum, leaf + toy + lines + following + 10 * (second + 1) + 5 * (second + 2));
  });

  it("computes what it computed before", () => {
    const plain = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource)).exports;
    (plain.run as () => void)();
    assert.deepEqual(count(made).memory, new Uint8Array((plain.memory as WebAssembly.Memory).buffer));
  });
});

describe("code that comes through the cache of flash", () => {
  const wasm = assemble(TOY);
  const code = { bytes: 4 * XIP.line_bytes, isFetched: (name: string) => name === "toy", size: () => 1 };

  it("is fetched a block at a time, in the order in which blocks run, and once while it stays", () => {
    const counted = count(instrument(wasm, { ...OPTIONS, code }));
    // Head, then-part, else-part and the rest of the loop take a line each. The first round runs head, else, rest; the second the then-part.
    assert.deepEqual(counted.code.get("toy"), { lines: 4, following: 1 });
    assert.deepEqual(counted.code.get("leaf"), { lines: 0, following: 0 });
    assert.deepEqual(counted.flash, { reads: 5, bytes: 40, lines: 1, following: 0 });
    assert.deepEqual(counted.ops, count(instrument(wasm, OPTIONS)).ops);
  });

  it("is fetched again when it was thrown out", () => {
    // One line: each block throws out the one before, and the data that are read, too.
    const xip = { ...XIP, cache_bytes: 16, ways: 1 };
    const counted = count(instrument(wasm, { flash: FLASH, xip, code }));
    assert.equal(counted.code.get("toy")?.lines, 10 * 3);
    assert.equal(counted.flash.lines, 5);
  });
});

describe("spans", () => {
  it("tell when a function begins, with what argument, and ends; and change no count", () => {
    const wasm = assemble(TOY);
    const made = instrument(wasm, { ...OPTIONS, spans: [/^leaf$/] });
    const told: string[] = [];
    const { module, begin, end } = SPAN_IMPORT;
    const counted = count(made, {
      [module]: {
        [begin]: (fn: number, argument: number) => told.push(`${made.functions[fn]}(${argument})`),
        [end]: (fn: number) => told.push(`end of ${made.functions[fn]}`),
      },
    });
    assert.deepEqual(
      told,
      [0, 2, 4, 6, 8].flatMap((i) => [`leaf(${i})`, "end of leaf"]),
    );
    assert.deepEqual(counted.ops, count(instrument(wasm, OPTIONS)).ops);
  });
});

describe("a module that is not understood", () => {
  const refused = (wasm: Uint8Array, what: RegExp): void => {
    assert.throws(() => instrument(wasm, OPTIONS), { code: "E_SIM_LINK", message: what });
  };

  it("is refused by name", () => {
    refused(assemble("(module)"), /no memory/);
    refused(assemble(`(module (import "a" "b" (global i32)) (memory 1))`), /imports a\.b, which is no function/);
    refused(assemble(`(module (memory 1) (func (drop (v128.const i64x2 0 0))))`), /instruction 0xfd/);
    refused(assemble(TOY).subarray(0, 60), /./);
  });
});
