/** The test sets of the assistant: each line is an example of its README's shape, its calls are those that the table's tools have, and the README counts them right. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTools } from "../../host/tools/parse.ts";
import { ROOT } from "../lib/root.mjs";

const FOLDER = join(ROOT, "examples/assistant/eval");
const SAYS = ["call", "none", "say", "ask", "decline"];
const home = parseTools("home.json", readFileSync(join(FOLDER, "../tools/home.json"), "utf8"));
const tools = new Map(home.tools.map((tool) => [tool.name, tool]));
const readme = readFileSync(join(FOLDER, "README.md"), "utf8");

interface Example {
  text: string;
  tools: unknown;
  expect: { say: string; calls?: { verb: string; tool: string; value?: number; seconds?: number }[] };
  source: string;
}

const examples = (file: string): Example[] =>
  readFileSync(join(FOLDER, file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const human = readdirSync(FOLDER).filter((file) => /^(clinc150|hwu64|home_assistant)\..*\.jsonl$/.test(file));

test("calls of the human test sets are those of home.json", () => {
  assert.ok(human.length >= 5);
  for (const file of human) {
    for (const { text, tools: table, expect, source } of examples(file)) {
      assert.equal(table, "home");
      assert.ok(SAYS.includes(expect.say) && source.startsWith(file.split(".")[0]), text);
      assert.equal(expect.say === "call", (expect.calls?.length ?? 0) > 0, text);
      for (const { verb, tool, value } of expect.calls ?? []) {
        const found = tools.get(tool);
        assert.ok(tool === "all" || found?.verbs.some((v) => v === verb), `${text}: ${tool} has no ${verb}`);
        assert.equal(verb === "set" && value === undefined, false, text);
      }
    }
  }
});

test("no text stands in a validation and in a test", () => {
  const plain = (file: string) => examples(file).map(({ text }) => text.toLowerCase().replace(/[^a-z0-9]+/g, " "));
  const tested = new Set(human.filter((file) => file.includes(".test.")).flatMap(plain));
  for (const file of human.filter((f) => f.includes(".val.")))
    for (const t of plain(file)) assert.ok(!tested.has(t), t);
});

test("the README counts the test sets right", () => {
  for (const file of human.filter((f) => f.includes(".test."))) {
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${file}\` |`) && !line.includes("CC BY"));
    const counted = row?.match(/[\d,]+(?= \|)/g)?.map((n) => Number(n.replaceAll(",", "")));
    const all = examples(file);
    const says = SAYS.map((say) => all.filter(({ expect }) => expect.say === say).length);
    assert.deepEqual(counted, [all.length, ...says], file);
  }
});
