/** examples/scenarios/*.json pass, and say the same each time: the documentation of docs/scenarios.md, tried. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { Baseline } from "../scenario/baseline.ts";
import { junitXml } from "../scenario/junit.ts";
import { readScenario } from "../scenario/read.ts";
import { runScenario, type ScenarioResult } from "../scenario/run.ts";

const FOLDER = join(ROOT, "examples/scenarios");
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));

async function run(file: string, baseline: Baseline): Promise<ScenarioResult> {
  return runScenario(await readScenario(join(FOLDER, file)), { baseline });
}

const failures = ({ steps }: ScenarioResult): string[] =>
  steps.flatMap(({ number, label, error }) => (error === null ? [] : [`${number} ${label}: ${error.message}`]));

describe("examples/scenarios", async () => {
  // Made by the first run of each, and what the second is held to: not one per cent may differ between the two.
  const baseline = await Baseline.open(join(FOLDER, "no such file"), true);

  test("there are some", () => assert.ok(FILES.length >= 7, FILES.join()));

  for (const file of FILES) {
    test(`${file} passes, and the second run tells the same as the first`, async () => {
      const first = await run(file, baseline);
      assert.deepEqual(failures(first), []);
      assert.ok(first.passed);
      const second = await run(file, baseline);
      assert.equal(junitXml([second]), junitXml([first]));
      assert.deepEqual(second, first);
    });
  }
});
