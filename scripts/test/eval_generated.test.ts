/** Our own test sets of the assistant (examples/train/assistant/fixtures.py): tables that the host accepts, calls of their tools, counts as the README says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTools } from "../../host/tools/parse.ts";
import { ROOT } from "../lib/root.mjs";

const FOLDER = join(ROOT, "examples/assistant/eval");
const SETS = ["heldout", "negation", "corrections"];
const SAYS = ["call", "none", "say", "ask", "decline", "confirm"];
const home = readFileSync(join(FOLDER, "../tools/home.json"), "utf8");

interface Call {
  verb: string;
  tool: string;
  value?: number;
  seconds?: number;
}
interface Example {
  text: string;
  tools: "home" | object;
  prev: Call[];
  unsure?: boolean;
  expect: { say: string; calls?: Call[] };
}

const examples = (set: string): Example[] =>
  readFileSync(join(FOLDER, `${set}.test.jsonl`), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

for (const set of SETS) {
  test(`${set}: every table is one that a board takes, every call one that its tools have`, () => {
    const parsed = new Map<string, ReturnType<typeof parseTools>>();
    for (const { text, tools, prev, unsure, expect } of examples(set)) {
      const source = tools === "home" ? home : JSON.stringify(tools);
      const table = parsed.get(source) ?? parseTools("tools.json", source);
      parsed.set(source, table);
      assert.ok(SAYS.includes(expect.say), text);
      assert.equal(expect.say === "call", (expect.calls?.length ?? 0) > 0, text);
      if (expect.say === "confirm") assert.ok(unsure && prev.length > 0, text);
      for (const { verb, tool, value, seconds } of [...prev, ...(expect.calls ?? [])]) {
        const verbs = tool === "all" ? ["on", "off"] : table.tools.find(({ name }) => name === tool)?.verbs;
        assert.ok(
          verbs?.some((v) => v === verb),
          `${text}: ${tool} has no ${verb}`,
        );
        if (verb === "set") assert.equal(typeof value, "number", text);
        if (seconds !== undefined) assert.ok(verb === "on" || verb === "off", text);
      }
    }
    assert.ok(parsed.size > 5, "some tables are no home");
  });
}

test("no text stands twice, and the README counts right", () => {
  const readme = readFileSync(join(FOLDER, "README.md"), "utf8").split("\n");
  for (const set of SETS) {
    const all = examples(set);
    assert.equal(new Set(all.map(({ text, prev }) => text + JSON.stringify(prev))).size, all.length, set);
    const row = readme.find((line) => line.startsWith(`| \`${set}.test.jsonl\` | ${all.length} |`));
    const says = SAYS.map((say) => all.filter(({ expect }) => expect.say === say).length);
    assert.deepEqual(row?.match(/\d+(?= \|)/g)?.map(Number), [all.length, ...says], set);
  }
});
