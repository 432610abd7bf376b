/**
 * That a difference between the Verilog and the model is found: the unit is damaged in one place at a time. And that the command says what is wrong.
 * What needs iverilog runs with TRITKIT_TEST_RTL=1 (npm run test:rtl).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TGEMV_DEFAULTS } from "../../../firmware-sim/peripherals/tgemv/config.ts";
import { ROOT } from "../../lib/root.mjs";
import { compare, smallest } from "../compare.ts";
import { randomBatches } from "../random_jobs.ts";
import { buildSimulator, findSimulator, RTL } from "../simulator.ts";

const skip = process.env.TRITKIT_TEST_RTL === undefined ? "needs TRITKIT_TEST_RTL=1 and iverilog" : false;

/** Sets of JOBS random jobs, until one shows the damage. */
const SEEDS = 8;
const JOBS = 80;

/** One damage each (npm run rtl:mutants makes others at random): file, what stands there, what stands there instead. */
const DAMAGES: [file: string, from: string, to: string][] = [
  ["tgemv_decode.v", "ab >= 4'd7", "ab >= 4'd8"],
  ["tgemv_tree.v", "assign carry = negative[4]", "assign carry = 1'b0 & negative[4]"],
  ["tgemv_core.v", "(shadow_full | (add & add_last))", "shadow_full"],
  ["tgemv_core.v", "first_group & ~first_plane", "1'b0"],
  ["tgemv_load.v", "zero1 ? 16'd0 : m_rdata[31:16]", "m_rdata[31:16]"],
  ["tgemv_load.v", "{x0[12], x0[12:6]} + {7'd0, x0[5]}", "{x0[12], x0[12:6]}"],
  ["tgemv_weights.v", "count != FIFO[FIFO_BITS:0]", "count < FIFO[FIFO_BITS:0] - 1"],
  ["tgemv_writer.v", "block  <= block + 30'd4", "block  <= block + 30'd5"],
  ["tgemv_control.v", "sum != SUM", "1'b0"],
  ["tgemv_counters.v", "phase == LOAD | phase == PRIME", "phase == LOAD"],
  ["tgemv_regs.v", "assign start = wants_start & ~busy", "assign start = wants_start"],
];

describe("a damaged unit", { skip }, () => {
  for (const [file, from, to] of DAMAGES)
    it(`is found: ${file}, ${from}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "tritkit-rtl-"));
      try {
        cpSync(RTL, folder, { recursive: true });
        const text = readFileSync(join(folder, file), "utf8");
        assert.equal(text.split(from).length, 2, `"${from}" does not stand exactly once in ${file}`);
        writeFileSync(join(folder, file), text.replace(from, to));
        const simulator = buildSimulator(findSimulator("iverilog"), TGEMV_DEFAULTS, folder);
        let found = false;
        for (let seed = 1; !found && seed <= SEEDS; seed++)
          for (const batch of randomBatches(seed, JOBS)) {
            const { differences } = compare(simulator, batch, TGEMV_DEFAULTS);
            found ||= differences.length > 0;
            if (differences.length === 0 || file !== "tgemv_tree.v") continue;
            const least = smallest(simulator, batch, differences[0].scenario, TGEMV_DEFAULTS);
            // A job from registers takes nine writes, a start and a wait.
            assert.ok(least !== null && least.scenario.ops.length <= 12, "the repro is not small");
          }
        assert.ok(found, `none of ${JOBS * SEEDS} random jobs shows it`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

  it("is not the one that is there", () => {
    const simulator = buildSimulator(findSimulator("iverilog"), TGEMV_DEFAULTS);
    for (const batch of randomBatches(4, 100))
      assert.deepEqual(compare(simulator, batch, TGEMV_DEFAULTS).differences, []);
  });
});

describe("npm run rtl", () => {
  const rtl = (...args: string[]) =>
    spawnSync(process.execPath, [join(ROOT, "scripts/run_ts.mjs"), "scripts/rtl/main.ts", ...args], {
      encoding: "utf8",
      cwd: ROOT,
    });

  it("explains itself", () => {
    const { status, stdout } = rtl("--help");
    assert.equal(status, 0);
    assert.match(stdout, /npm run rtl -- --jobs 20000/);
  });

  it("names what it does not understand, in one line", () => {
    for (const [args, message] of [
      [["--jobs", "many"], /^rtl: --jobs takes a whole number, not "many"\.\n$/],
      [["--slots", "9"], /^rtl: TGEMV: 9 slots, 1\.\.8 are possible\n$/],
      [["--fifo", "3"], /^rtl: TGEMV: a FIFO of 3 beats/],
      [["--simulator", "questa"], /^rtl: there is no simulator "questa" here/],
      [["--vcd", "x.vcd"], /^rtl: --vcd takes the waveforms of one --scenario\.\n$/],
      [["--frobnicate"], /^rtl: Unknown option '--frobnicate'/],
    ] as [string[], RegExp][]) {
      const { status, stderr } = rtl(...args);
      assert.match(stderr, message);
      assert.equal(status, 2, args.join(" "));
    }
  });
});
