/** Examples on the device build, with a model whose answers are known: where they begin, and what the program makes of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { convert } from "../../../host/index.ts";
import { DESK, LAMP_ON, writeAssistant } from "../../../host/test/assistant_fixture.ts";
import { CALL_DRY, CALL_UNSURE, TOK_CALL } from "../../../spec/tools.ts";
import { ROOT } from "../../lib/root.mjs";
import { AssistantBoard } from "../assistant_board.ts";
import { type Example, readSet } from "../examples.ts";
import { baseOf, GATE_CLOSED, gateOf, openGate, withAssistant } from "../gate.ts";
import { judge } from "../judge.ts";
import { Stage } from "../stage.ts";

const folder = mkdtempSync(join(tmpdir(), "tritkit-eval-test-"));
after(() => rm(folder, { recursive: true }));

const file = join(folder, "lamp-on.trit");
await convert(await writeAssistant(join(folder, "lamp-on"), LAMP_ON, { tools: DESK }), file);
const image = new Uint8Array(readFileSync(file));

/** A line of a set. */
const line = (text: string, more: object = {}): string =>
  JSON.stringify({ text, tools: DESK, expect: { say: "call", calls: [{ verb: "on", tool: "lamp" }] }, ...more });

async function read(...lines: string[]): Promise<Example[]> {
  const set = join(folder, "own.jsonl");
  writeFileSync(set, `${lines.join("\n")}\n`);
  return readSet(set);
}

describe("examples", () => {
  test("are read with their tools, values in thousandths", async () => {
    const set = { say: "call", calls: [{ verb: "set", tool: "fan", value: 40.5 }] };
    const [one] = await read(
      line("fan 40.5 percent", { expect: set, prev: [{ verb: "on", tool: "lamp", seconds: 60 }] }),
    );
    assert.deepEqual(one.calls, [{ verb: "set", tool: "fan", value: 40_500, seconds: 0 }]);
    assert.deepEqual(one.previous, [{ verb: "on", tool: "lamp", value: null, seconds: 60_000, slot: null }]);
    assert.equal(one.tools.tools.length, DESK.tools.length);
  });

  for (const [what, wrong, more] of [
    [
      "a tool that is not there",
      /there is no tool "lava lamp"/,
      { expect: { say: "call", calls: [{ verb: "on", tool: "lava lamp" }] } },
    ],
    [
      "a verb that is none",
      /verb "toggle" is none of/,
      { expect: { say: "call", calls: [{ verb: "toggle", tool: "lamp" }] } },
    ],
    ["a call without calls", /say "call" with 0 calls/, { expect: { say: "call" } }],
    ["set without a value", /set without a value/, { expect: { say: "call", calls: [{ verb: "set", tool: "fan" }] } }],
    ["tools that are none", /tools\[0\]/, { tools: { tools: [{ name: "lamp", kind: "lamp" }] } }],
  ] as const)
    test(`${what} is an error that names the line`, async () => {
      await assert.rejects(read(line("fine"), line("wrong", more)), (error: Error) => {
        assert.match(error.message, /own\.jsonl, line 2: /);
        assert.match(error.message, wrong);
        return true;
      });
    });
});

describe("the gate", () => {
  test("closed in the image it holds every call back, opened in flash none", async () => {
    const closed = withAssistant(image, { gate: GATE_CLOSED });
    assert.deepEqual([gateOf(image), gateOf(closed)], [0, GATE_CLOSED]);
    const board = await AssistantBoard.open(closed);
    assert.equal(board.turn("turn on the lamp").calls[0].rc, CALL_UNSURE);
    openGate(board.sim, closed);
    board.setDry(true);
    const { calls, say } = board.turn("turn on the lamp");
    assert.equal(say, TOK_CALL);
    assert.deepEqual([calls.length, calls[0].tool, calls[0].rc], [1, 0, CALL_DRY]);
  });
});

describe("an example", () => {
  test("begins with its table, tools in the middle of their ranges, and knows nothing of the one before", async () => {
    const stage = await Stage.open(image);
    const [example] = await read(line("turn on the lamp"));
    const first = stage.ask(example);
    assert.deepEqual(first?.values.slice(0, 2), [50_000, 50_000]);
    assert.equal(first.sentence, null);
    assert.ok(judge(example, first.turn, baseOf(image), first.values).exact);
    assert.deepEqual(stage.ask(example), first);
  });

  test("begins behind its turn before, where a sentence leads to that", async () => {
    const stage = await Stage.open(image);
    const [possible, impossible, unsure] = await read(
      line("and now", { prev: [{ verb: "on", tool: "lamp" }] }),
      line("and now", { prev: [{ verb: "off", tool: "fan" }] }),
      line("yes", { prev: [{ verb: "on", tool: "lamp" }], unsure: true }),
    );
    const asked = stage.ask(possible);
    assert.match(asked?.sentence ?? "", /lamp/);
    // It was turned on: the middle is what it had.
    assert.equal(asked?.values[0], 50_000);
    assert.equal(stage.ask(impossible), null);
    assert.match(stage.ask(unsure)?.sentence ?? "", /lamp/);
  });
});

describe("npm run eval:assistant", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["scripts/run_ts.mjs", "scripts/eval_assistant/main.ts", ...args], {
      cwd: ROOT,
      encoding: "utf8",
    });

  test("tells what became of a set, the same in Node's engine and the WASI build, and keeps it", async () => {
    await read(line("turn on the lamp"), line("order me a pizza", { expect: { say: "decline" } }));
    const out = join(folder, "results");
    const args = ["--model", file, "--file", join(folder, "own.jsonl"), "--engine", "2", "--wasi", "2", "--json"];
    const { stdout, status } = run(...args, "--out", out);
    assert.equal(status, 0);
    const evaluation = JSON.parse(stdout);
    const { examples, exact, right, wrong } = evaluation.all;
    assert.deepEqual({ examples, exact, right, wrong }, { examples: 2, exact: 1, right: 1, wrong: 1 });
    assert.deepEqual(
      evaluation.elsewhere.map(({ asked, same }: { asked: number; same: number }) => [asked, same]),
      [
        [2, 2],
        [2, 2],
      ],
    );
    assert.equal(evaluation.confusions[0].got, "on light");
    assert.equal(JSON.parse(readFileSync(join(out, "evaluation.json"), "utf8")).all.exact, 1);
    assert.match(readFileSync(join(out, "evaluation.md"), "utf8"), /\| own +\| +2 \| +50\.0 % \|/);
  });

  test("refuses what makes no sense with status 2 and a sentence", () => {
    for (const [args, message] of [
      [["--sample", "some"], /--sample takes a whole number/],
      [["--set", "nothing", "--model", file], /there is no set nothing/],
      [["rp2040-pico", "--model", file], /Boards follow --latency/],
      [["--model", "spec/vectors/relu2.trit"], /is no assistant/],
    ] as const) {
      const { status, stderr } = run(...args, ...(args.includes("--model" as never) ? [] : ["--model", file]));
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n +at /);
    }
  });
});
