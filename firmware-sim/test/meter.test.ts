/** A metered board: it does what a flat one does, in the time of its core's cycles. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Board, deviceWasmName } from "../../boards/board.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { checkedTable, costOf, costTable, cyclesOrigin } from "../meter/cost_table.ts";
import { OP_CLASSES } from "../meter/op_class.ts";
import { SimBoard } from "../sim_board.ts";
import { BOARDS, boardNamed, build, Ear, ECHO, numbers, PICO, says, start } from "./toy.ts";

const METERED = { cpu: "metered" } as const;
/** Reads `bytes` bytes of the partition, from `offset` on, `times` times, and says their sum. */
const READS = (bytes: number, times: number, offset = 0): string =>
  says(`
  const flash = flash_map(${offset}, ${bytes});
  let sum = 0;
  for (let t = 0; t < ${times}; t++) for (let i = 0; i < ${bytes}; i++) sum += load<u8>(flash + i);
  say(sum);`);

const deviceWasm = (board: Board): Uint8Array =>
  new Uint8Array(readFileSync(join(ROOT, "dist/wasm", deviceWasmName(board))));

describe("cost tables", () => {
  for (const board of BOARDS)
    it(`${board.name} has one`, () => {
      const table = costTable(board.cpu.core);
      assert.match(cyclesOrigin(table), /^(calibrated|derived|estimated)$/);
      const one = costOf(table, "no such function", { alu: 1, load: 2 });
      assert.equal(one.cycles, table.cycles.alu + 2 * table.cycles.load);
      assert.equal(one.instructions, table.instructions.alu + 2 * table.instructions.load);
    });

  it("are refused by what is wrong with them", () => {
    const good = costTable("cortex-m0plus");
    const refused = (change: object, message: RegExp): void =>
      assert.throws(() => checkedTable({ ...good, ...change }, "x"), { code: "E_SIM_COST", message });
    refused({ provenance: { ...good.provenance, cycles: "trust me" } }, /provenance\.cycles must begin/);
    refused({ cycles: { ...good.cycles, mul: -1 } }, /cycles\.mul is no number/);
    refused({ instructions: { ...good.instructions, fma: 1 } }, /instructions\.fma is no class/);
    refused({ functions: { a: { instructions: 1 } } }, /functions\["a"\]\.cycles/);
    refused({ shim: { call: good.shim.call } }, /shim\.byte/);
    assert.throws(() => checkedTable(null, "x"), { code: "E_SIM_COST" });
  });
});

describe("a metered board", () => {
  it("does what a flat one does", async () => {
    const flat = await start(ECHO);
    const metered = await start(ECHO, PICO, METERED);
    for (const { sim } of [flat, metered]) {
      sim.uart.hostWrite(numbers(300));
      assert.equal(sim.run({ untilIdle: true }), "idle");
    }
    assert.deepEqual(metered.ear.bytes, flat.ear.bytes);
    assert.equal(metered.ear.bytes.length, 300);
    assert.equal(flat.sim.meter, null);
  });

  it("takes the time of its cycles, and of nothing else, while it computes", async () => {
    const { sim } = await start(READS(10_000, 10), PICO, METERED);
    const cycles = sim.meter?.cycles ?? 0;
    assert.ok(cycles > 100_000, `${cycles} cycles for 100,000 loads`);
    assert.equal(sim.now, Math.floor((cycles * 1e9) / PICO.cpu.hz));
    const { hz } = boardNamed("esp32-s3").cpu;
    const thirds = await start(READS(1000, 7), { ...PICO, cpu: { ...PICO.cpu, core: "xtensa-lx7", hz } }, METERED);
    assert.equal(thirds.sim.now, Math.floor(((thirds.sim.meter?.cycles ?? 0) * 1e9) / hz));
  });

  it("counts what is read from flash, by function", async () => {
    const { sim } = await start(READS(10_000, 10), PICO, METERED);
    const { flash, sram, hal } = sim.meter?.totals() ?? assert.fail();
    assert.deepEqual([flash.reads, flash.bytes], [100_000, 100_000]);
    assert.ok(sram.loads < 10 && sram.stores < 10);
    assert.equal(hal.bytes, 4);
    const [boot] = sim.meter?.byFunction() ?? [];
    assert.equal(boot.flash.bytes, 100_000);
  });

  it("waits for the lines that its cache does not hold", async () => {
    const xip = {
      ...{ line_bytes: 8, cache_bytes: 1024, ways: 2 },
      ...{ overhead_cycles: 40, following_cycles: 30, cycles_per_byte: 4, code_bytes: 0 },
    };
    const board = { ...PICO, flash: { ...PICO.flash, xip } };
    const wait = async (bytes: number, times: number) => {
      const { sim } = await start(READS(bytes, times), board, METERED);
      const { flash, wait, cycles } = sim.meter?.totals() ?? assert.fail();
      assert.equal(sim.meter?.cycles, cycles + wait.flash);
      return { ...flash, wait: wait.flash };
    };
    // 128 lines fit, once; one line more throws one out that is needed next, of one set of 64.
    const first = 40 + 32;
    const next = 30 + 32;
    assert.deepEqual(await wait(1024, 5), {
      reads: 5120,
      bytes: 5120,
      lines: 128,
      following: 127,
      wait: first + 127 * next,
    });
    const { lines } = await wait(1032, 5);
    assert.equal(lines, 129 + 4 * 3);
    assert.equal((await wait(4096, 5)).lines, 5 * 512);
  });

  it("has an empty cache after a reset and after flash was written", async () => {
    const xip = {
      ...{ line_bytes: 8, cache_bytes: 1024, ways: 2 },
      ...{ overhead_cycles: 1, following_cycles: 1, cycles_per_byte: 1, code_bytes: 0 },
    };
    const board = { ...PICO, flash: { ...PICO.flash, xip } };
    const twice = (between: string): string => `
      export function boot(): i32 { return 0; }
      export function poll(): i32 {
        let sum = load<u8>(flash_map(4096, 1));
        ${between}
        return sum + load<u8>(flash_map(4096, 1));
      }`;
    const lines = async (source: string, polls: (sim: SimBoard) => void) => {
      const { sim } = await start(source, board, METERED);
      polls(sim);
      return sim.meter?.totals().flash.lines;
    };
    const step = (sim: SimBoard): void => {
      sim.step();
    };
    assert.equal(await lines(twice(""), step), 1);
    assert.equal(await lines(twice("flash_erase(0, 4096);"), step), 2);
    assert.equal(
      await lines(twice(""), (sim) => {
        sim.step();
        sim.reset();
        sim.step();
      }),
      2,
    );
  });

  it("goes on from a snapshot with every figure that it had", async () => {
    const source = says(
      "",
      "let s = 0; for (let i = 0; i < 1000; i++) s += load<u8>(flash_map(i, 1)); say(s); return 1;",
    );
    const wasm = await build(source, PICO);
    const make = (): SimBoard => SimBoard.create({ board: PICO, wasm, ...METERED });
    const [a, b] = [make(), make()];
    a.powerOn();
    for (let i = 0; i < 3; i++) a.step();
    const snapshot = structuredClone({ ...a.snapshot(), module: null });
    a.step();
    const wanted = [a.now, a.meter?.totals(), a.meter?.byFunction()];
    b.powerOn();
    b.restore({ ...snapshot, module: b.snapshot().module });
    b.step();
    assert.deepEqual([b.now, b.meter?.totals(), b.meter?.byFunction()], wanted);
  });

  it("goes back to a board without power with the figures of that time", async () => {
    const wasm = await build(says("", "say(1); return 1;"), PICO);
    const board = SimBoard.create({ board: PICO, wasm, ...METERED });
    const off = board.snapshot();
    const wanted = board.meter?.totals();
    board.powerOn();
    board.step();
    assert.notDeepEqual(board.meter?.totals(), wanted);
    board.restore(off);
    assert.deepEqual(board.meter?.totals(), wanted);
    board.powerOn();
    const again = board.meter?.totals();
    board.restore(off);
    board.powerOn();
    assert.deepEqual(board.meter?.totals(), again);
  });

  it("refuses a module of which it has no bytes", async () => {
    const wasm = new WebAssembly.Module((await build(ECHO, PICO)) as BufferSource);
    assert.throws(() => SimBoard.create({ board: PICO, wasm, ...METERED }), { code: "E_SIM_COST" });
  });
});

for (const name of ["rp2040-pico", "mps3-an547", "riscv-virt"])
  describe(`the shipped device module on ${name}, metered`, () => {
    it("boots as on a flat board, in a time that its core needs, and the same twice", () => {
      const board = boardNamed(name);
      const wasm = deviceWasm(board);
      const boot = (cpu: "flat" | "metered") => {
        const sim = SimBoard.create({ board, wasm, cpu });
        const ear = new Ear(sim);
        assert.equal(sim.powerOn(), "on");
        sim.run({ maxUs: 20_000 });
        return { ear, totals: sim.meter?.totals(), now: sim.now };
      };
      const metered = boot("metered");
      assert.deepEqual(metered.ear.bytes, boot("flat").ear.bytes);
      assert.deepEqual(boot("metered").totals, metered.totals);
      const { instructions, cycles, ops } = metered.totals ?? assert.fail();
      assert.ok(instructions > 10_000 && cycles > 10_000, `${instructions} instructions, ${cycles} cycles`);
      assert.equal(ops.float, 0);
      for (const of of OP_CLASSES) assert.ok(ops[of] >= 0, of);
    });
  });
