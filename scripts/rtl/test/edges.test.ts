/** That the jobs at the edges are at the edges, told by the model alone, and that mutants are what they should be. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TGEMV_DEFAULTS } from "../../../firmware-sim/peripherals/tgemv/config.ts";
import { Random } from "../../../firmware-sim/random.ts";
import { TGEMV_ERR_BAD_CODE, TGEMV_ERR_BAD_DIM, TGEMV_ERR_BAD_KEEP, TGEMV_ERR_BUS } from "../../../spec/tgemv.ts";
import { ROOT } from "../../lib/root.mjs";
import { edgeBatches } from "../edge_jobs.ts";
import { expected } from "../expected.ts";
import { draw, mutants } from "../mutate.ts";
import { designFiles } from "../simulator.ts";

const CONFIG = TGEMV_DEFAULTS;
const families = new Map([...edgeBatches(CONFIG)].map((batch) => [batch.scenarios[0].number / 100_000, batch]));
const [, CODES, SUMS, INTERRUPTIONS, REFUSALS, , KEEPS] = [1, 2, 3, 4, 5, 6, 7];

/** The first value of ERR that each scenario reads. */
function errors(family: number): number[] {
  const batch = families.get(family);
  assert.ok(batch);
  return expected(batch, CONFIG).lines.map((lines) => {
    const line = lines.find((text) => /^R \d+ 1c /.test(text)) ?? "";
    return Number.parseInt(line.split(" ")[3], 16);
  });
}

const count = (list: readonly number[], value: number): number => list.filter((each) => each === value).length;

describe("jobs at the edges", () => {
  it("codes: 13 of 256 bytes are none, in each of four places", () => {
    assert.equal(count(errors(CODES), TGEMV_ERR_BAD_CODE), 4 * 13);
  });

  it("sums: 128 x 10,240 x 121 comes up with both signs, and a column too many is refused", () => {
    const batch = families.get(SUMS);
    assert.ok(batch);
    const words = new Int32Array(expected(batch, CONFIG).mmem.buffer);
    const largest = 128 * 10_240 * 121;
    assert.ok(words.includes(largest) && words.includes(-largest));
    assert.ok(largest >= 2 ** 27, "a 28-bit accumulator would not do");
    assert.equal(count(errors(SUMS), TGEMV_ERR_BAD_DIM), 6);
  });

  it("interruptions: one in every cycle of the chain", () => {
    const batch = families.get(INTERRUPTIONS);
    assert.ok(batch);
    const aborted = batch.scenarios.filter(({ about }) => about.startsWith("abort"));
    const lines = expected({ ...batch, scenarios: aborted }, CONFIG).lines;
    const busy = lines.map((each) => each.find((text) => /^R \d+ 84 /.test(text))?.split(" ")[3] ?? "");
    const cycles = new Set(busy.map((value) => Number.parseInt(value, 16)));
    const total = Math.max(...cycles);
    assert.ok(total > 40 && total < 130, `${total} cycles without an abort`);
    assert.equal(cycles.size, total, "stopped after 1, 2, 3 ... cycles");
  });

  it("refusals: each beat and grant of the jobs ends in BUS, those beyond them in nothing", () => {
    const found = errors(REFUSALS);
    assert.ok(count(found, TGEMV_ERR_BUS) > 100);
    assert.ok(count(found, 0) > 10);
  });

  it("keeps: what was not kept is refused", () => {
    const found = errors(KEEPS);
    assert.ok(count(found, TGEMV_ERR_BAD_KEEP) > 10 && count(found, 0) > 5);
  });
});

describe("mutants", () => {
  it("differ from the source in one line, each from the other", () => {
    const source = readFileSync(join(ROOT, "firmware-sim/rtl/tgemv_weights.v"), "utf8");
    const all = mutants("tgemv_weights.v", source);
    assert.ok(all.length > 30);
    assert.equal(new Set(all.map(({ text }) => text)).size, all.length);
    for (const { line, before, text } of all) {
      const [was, is] = [source, text].map((each) => each.split("\n"));
      assert.deepEqual(
        is.flatMap((each, i) => (each === was[i] ? [] : [i + 1])),
        [line],
      );
      assert.equal(was[line - 1].trim(), before);
    }
  });

  it("are drawn by seed, none twice", () => {
    const all = designFiles().flatMap((path) => mutants(path, readFileSync(path, "utf8")));
    const some = draw(all, 50, new Random(3));
    assert.equal(new Set(some).size, 50);
    assert.deepEqual(some, draw(all, 50, new Random(3)));
    assert.equal(draw(all.slice(0, 4), 9, new Random(1)).length, 4);
  });

  it("npm run rtl:mutants: a wrong number is one line and status 2", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["scripts/run_ts.mjs", "scripts/rtl/mutants.ts", "--mutants", "x"],
      {
        cwd: ROOT,
        encoding: "utf8",
      },
    );
    assert.equal(status, 2);
    assert.match(stderr, /^rtl:mutants: [^\n]+\n$/);
  });
});
