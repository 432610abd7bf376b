/**
 * What the assistant's card says is what this build does: a sample of the published results, example by example, and the card's figures. Whoever changes the model, a set or
 * the device runs `npm run eval:assistant -- --out examples/models/assistant/results` again.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { modelPath } from "../../../host/assets.ts";
import { ROOT } from "../../lib/root.mjs";
import { type Evaluation, letterOf } from "../evaluation.ts";
import { readSet, SETS_FOLDER } from "../examples.ts";
import { baseOf, gateOf } from "../gate.ts";
import { judge } from "../judge.ts";
import type { Latency } from "../latency.ts";
import { sampled } from "../sample.ts";
import { Stage } from "../stage.ts";

const FOLDER = join(ROOT, "examples/models/assistant");
const SAMPLE = 150;

describe("the published results", () => {
  const json = (file: string) => JSON.parse(readFileSync(join(FOLDER, "results", file), "utf8"));
  const card = () => readFileSync(join(FOLDER, "README.md"), "utf8");

  test("are of the image that ships, with its gate", async () => {
    const { model } = json("evaluation.json") as Evaluation;
    const image = new Uint8Array(readFileSync(await modelPath("assistant")));
    assert.equal(model.sha256, createHash("sha256").update(image).digest("hex"));
    assert.equal(model.gate, gateOf(image) / 65536);
  });

  test(`${SAMPLE} examples end as they say, on the device build`, async () => {
    const { outcomes } = json("evaluation.json") as Evaluation;
    const image = new Uint8Array(readFileSync(await modelPath("assistant")));
    const [stage, base, gate] = [await Stage.open(image), baseOf(image), gateOf(image)];
    const sets = Object.keys(outcomes).sort();
    assert.ok(sets.length >= 6, sets.join());
    const examples = (await Promise.all(sets.map((set) => readSet(join(SETS_FOLDER, set))))).flat();
    assert.equal(Object.values(outcomes).join("").length, examples.length);
    for (const example of sampled(examples, SAMPLE, 1)) {
      const asked = stage.ask(example);
      const verdict = asked && judge(example, asked.turn, base, asked.values);
      const where = `${example.set}:${example.line} ${example.text}`;
      assert.equal(letterOf(verdict, gate), outcomes[example.set][example.line - 1], where);
    }
  });

  test("are what the card says: examples, share that is right, and calls that were not wanted", () => {
    const rows = card()
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .map((line) => line.split("|").map((cell) => cell.trim().replaceAll(",", "")));
    for (const { what, row, share } of (json("evaluation.json") as Evaluation).claims) {
      const wanted = [String(row.examples), `${(100 * share).toFixed(1)} %`, String(row.wrong)];
      const found = rows.some((cells) => wanted.every((cell) => cells.includes(cell)));
      assert.ok(found, `${what}: no row of the card has ${wanted.join(", ")}`);
    }
  });

  test("a pin changes within 1.5 s of Enter on a Pico", () => {
    const pico = (json("latency.json") as Latency[]).find(({ board }) => board === "rp2040-pico");
    assert.ok(pico !== undefined && pico.first !== null && pico.later !== null);
    assert.ok(pico.first < 1.5 && pico.later < pico.first, `${pico.first} s, ${pico.later} s`);
    assert.ok(card().includes(`${pico.first.toFixed(2)} s`), `${pico.first} s is not on the card`);
  });
});
