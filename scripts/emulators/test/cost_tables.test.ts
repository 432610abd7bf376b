/**
 * The cost tables follow the firmware, as far as Node alone can tell: what they say about a run is what emulators counted for it when they were
 * fitted. Who changes a kernel and sees this fail recalibrates: npm run calibrate -- --fit (docs/simulator.md).
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CostTable, costTable } from "../../../firmware-sim/meter/cost_table.ts";
import { moduleFacts } from "../../../firmware-sim/meter/decode.ts";
import { sectionsOf } from "../../../firmware-sim/meter/wasm_binary.ts";
import { loadBoard, loadDeviceWasm } from "../../../host/assets.ts";
import { answers } from "../calibrate/answers.ts";
import { CALIBRATED } from "../calibrate/emulated.ts";
import { estimatedXtensa } from "../calibrate/estimate.ts";
import { minus } from "../calibrate/measure.ts";
import { costWithoutWire, RECORDED_RUN, type Records, readRecords } from "../calibrate/recorded.ts";
import { imageOf, RUNS } from "../calibrate/runs.ts";
import { startSimulated } from "../calibrate/simulated.ts";

const LIMIT = 0.05;
let folder = "";
let records: Records = {};
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-tables-"));
  records = await readRecords();
});
after(() => rm(folder, { recursive: true, force: true }));

describe("cost tables", () => {
  for (const { board: name, unit } of CALIBRATED) {
    it(`${name}: what the table says of "${RECORDED_RUN}" is what was counted`, async () => {
      const run = RUNS.find((each) => each.name === RECORDED_RUN);
      assert.ok(run?.heldOut, "the recorded run is a held-out one");
      const recorded = records[name];
      assert.ok(recorded !== undefined && recorded.unit === unit && recorded.counted > 1e6);
      const board = await loadBoard(name);
      const table = costTable(board.cpu.core);
      const simulated = await startSimulated(board, await imageOf(run.model), run.context, folder);
      const [, decode] = await answers(simulated.device, run, async () => simulated.counts()).finally(simulated.close);
      assert.equal(decode.tokenIds.length, recorded.tokens, "the model says something else than it did");
      const ops = new Map(
        [...decode.after.ops].map(([fn, of]) => [fn, minus(of, decode.before.ops.get(fn) ?? {})] as const),
      );
      const error = costWithoutWire(table, ops, unit) / recorded.counted - 1;
      assert.ok(
        Math.abs(error) <= LIMIT,
        `${(100 * error).toFixed(1)} % off: the kernels have changed since the table was fitted. npm run calibrate -- --fit`,
      );
      // A table that charges nothing or twice as much must not pass.
      const twice = {
        ...table,
        [unit]: Object.fromEntries(Object.entries(table[unit]).map(([of, cost]) => [of, 2 * cost])),
      };
      assert.ok(costWithoutWire(twice as CostTable, ops, unit) / recorded.counted - 1 > LIMIT);
    });

    it(`${name}: every function that its table names is in the device module`, async () => {
      const board = await loadBoard(name);
      const wasm = await loadDeviceWasm(board);
      const there = new Set(moduleFacts(wasm, sectionsOf(wasm)).names);
      const named = Object.keys(costTable(board.cpu.core).functions);
      assert.deepEqual(
        named.filter((fn) => !there.has(fn)),
        [],
      );
      assert.ok(
        named.includes("as/kernels/ternary_lut/lut_plane"),
        "the function that does most of the work has a factor",
      );
    });
  }

  it("Xtensa's is made from RV32's as it is now", () => {
    assert.deepEqual(costTable("xtensa-lx7"), estimatedXtensa(costTable("riscv32imc")));
  });
});
