/** What is right, to the value, and what a gate makes of it: answers written by hand against what spec/TOOLS.md says of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAYS, TOKEN_NAMES, VERB_NAMES } from "../../../host/tools/names.ts";
import { parseTools } from "../../../host/tools/parse.ts";
import { CALL_DRY, CALL_NO_TOOL, CALL_RANGE, CALL_UNIT, TOOL_EVERY } from "../../../spec/tools.ts";
import type { Turn } from "../assistant_board.ts";
import type { Example, WantedCall } from "../examples.ts";
import { judge, outcome, type Verdict } from "../judge.ts";

const TOOLS = parseTools(
  "tools",
  JSON.stringify({
    tools: [
      { name: "lamp", kind: "light", argument: { unit: "percent", min: 0, max: 100, step: 20 } },
      { name: "fan", kind: "fan", argument: { unit: "percent", min: 0, max: 100, step: 20 } },
      { name: "pump", kind: "switch" },
    ],
  }),
);
const BASE = 300;
const GATE = 1;
/** Lamp and fan at 50 %. */
const VALUES = [50_000, 50_000, 0];

const id = (name: string): number => BASE + TOKEN_NAMES.indexOf(`<|${name}|>`);
const want = (verb: string, tool: string, more: Partial<WantedCall> = {}): WantedCall => ({
  ...{ verb: verb as WantedCall["verb"], tool, value: null, seconds: 0 },
  ...more,
});

function example(say: Example["say"], calls: WantedCall[] = []): Example {
  const nothing = { set: "", line: 1, text: "", table: "", previous: [], unsure: false, source: "", tags: [] };
  return { ...nothing, tools: TOOLS, say, calls };
}

interface Said {
  /** "set light p1" */
  readonly words: string;
  readonly value?: number | null;
  readonly rc?: number;
  readonly seconds?: number;
  readonly margin?: number;
}

function answer(...said: Said[]): Turn {
  const kinds = ["light", "fan", "switch"];
  return {
    ids: [...said.flatMap(({ words }) => ["call", ...words.split(" ")].map(id)), 1],
    say: SAYS.indexOf("call"),
    text: "",
    calls: said.map(({ words, value = null, rc = CALL_DRY, seconds = 0, margin = 9 }) => {
      const [verb, target] = words.split(" ");
      const tool = target === "all" ? TOOL_EVERY : kinds.indexOf(target);
      return { tool, verb: VERB_NAMES.indexOf(verb as (typeof VERB_NAMES)[number]), rc, value, seconds, margin };
    }),
  };
}

const saying = (say: Example["say"]): Turn => ({ ids: [id(say)], say: SAYS.indexOf(say), calls: [], text: "" });
const judged = (wanted: Example, turn: Turn): Verdict => judge(wanted, turn, BASE, VALUES);
const isExact = (calls: WantedCall[], ...said: Said[]): boolean =>
  judged(example("call", calls), answer(...said)).exact;

describe("exact", () => {
  test("set: the value that was said, where the tool takes it", () => {
    const set = [want("set", "lamp", { value: 40_000 })];
    assert.ok(isExact(set, { words: "set light p1", value: 40_000 }));
    assert.ok(!isExact(set, { words: "set light p1", value: 41_000 }));
    assert.ok(!isExact(set, { words: "set fan p1", value: 40_000 }));
    assert.ok(!isExact(set, { words: "set light p1", rc: CALL_UNIT }));
    assert.ok(!isExact(set, { words: "set light p1", value: 40_000, seconds: 60_000 }));
  });

  test("set out of range is understood when the board refuses that value", () => {
    const set = [want("set", "lamp", { value: 140_000 })];
    assert.ok(isExact(set, { words: "set light p1", value: 140_000, rc: CALL_RANGE }));
    assert.ok(!isExact(set, { words: "set light p1", value: 150_000, rc: CALL_RANGE }));
    assert.ok(!isExact(set, { words: "set light p1", value: 100_000 }));
  });

  test("up and down: from the value before, by the step or by what was said, to the end of the range", () => {
    assert.ok(isExact([want("up", "lamp")], { words: "up light", value: 70_000 }));
    assert.ok(isExact([want("down", "lamp", { value: 15_000 })], { words: "down light p1", value: 35_000 }));
    assert.ok(isExact([want("up", "lamp", { value: 80_000 })], { words: "up light p1", value: 100_000 }));
    assert.ok(!isExact([want("up", "lamp")], { words: "up light p1", value: 70_000 }), "nobody said by how much");
    assert.ok(!isExact([want("up", "lamp", { value: 20_000 })], { words: "up light", value: 70_000 }), "somebody did");
    const twice = [want("up", "lamp"), want("up", "lamp")];
    assert.ok(isExact(twice, { words: "up light", value: 70_000 }, { words: "up light", value: 90_000 }));
  });

  test("on, off and all: the tool and the time", () => {
    const ten = [want("on", "pump", { seconds: 600_000 })];
    assert.ok(isExact(ten, { words: "on switch t1", value: 1000, seconds: 600_000 }));
    assert.ok(!isExact(ten, { words: "on switch", value: 1000 }));
    assert.ok(isExact([want("off", "all")], { words: "off all" }));
    assert.ok(!isExact([want("off", "all")], { words: "off light", value: 0 }));
  });

  test("all calls, in their order, and no other", () => {
    const two = [want("on", "lamp"), want("off", "fan")];
    const [on, off] = [{ words: "on light" }, { words: "off fan" }];
    assert.ok(isExact(two, on, off));
    assert.ok(!isExact(two, off, on));
    assert.ok(!isExact(two, on));
    assert.ok(!isExact([want("on", "lamp")], on, off));
  });

  test("without calls: the same beginning", () => {
    assert.ok(judged(example("decline"), saying("decline")).exact);
    assert.ok(!judged(example("decline"), saying("none")).exact);
    assert.ok(!judged(example("none"), answer({ words: "on light" })).exact);
  });

  test("the board declines what no tool of it can do", () => {
    const nobody = { words: "on robot", rc: CALL_NO_TOOL };
    assert.ok(judged(example("decline"), answer(nobody)).exact);
    assert.equal(outcome(judged(example("decline"), answer({ ...nobody, margin: 0 })), GATE), "right");
    assert.ok(!judged(example("decline"), answer(nobody, { words: "on light" })).exact);
    assert.ok(!judged(example("none"), answer(nobody)).exact);
    assert.ok(!judged(example("call", [want("on", "lamp")]), answer(nobody)).exact);
  });
});

describe("at a gate", () => {
  const at = (wanted: Example, turn: Turn): string => outcome(judged(wanted, turn), GATE);
  const two = example("call", [want("on", "lamp"), want("off", "fan")]);
  const [on, off] = [{ words: "on light" }, { words: "off fan" }];

  test("right, asked, missed and wrong", () => {
    assert.equal(at(two, answer(on, off)), "right");
    assert.equal(at(two, answer(on, { ...off, margin: 0 })), "asked");
    assert.equal(at(two, answer(on)), "missed");
    assert.equal(at(two, answer(on, { words: "on fan" })), "wrong");
    assert.equal(at(example("decline"), answer(on)), "wrong");
    assert.equal(at(example("decline"), answer({ ...on, margin: 0 })), "asked");
    assert.equal(at(example("call", [want("on", "lamp")]), saying("decline")), "missed");
  });

  test("a wanted call in another place is none that was not wanted; a call that the board refused did no harm", () => {
    assert.equal(at(two, answer(off, on)), "missed");
    assert.equal(at(two, answer(off)), "missed");
    assert.equal(at(example("none"), answer({ words: "set light p1", value: 140_000, rc: CALL_RANGE })), "missed");
  });

  test("a confirmation that nobody gave makes calls, however sure the gate is", () => {
    const confirmed = { ...answer(on), ids: [id("confirm")], say: SAYS.indexOf("confirm") };
    assert.equal(outcome(judged(example("none"), confirmed), 2 ** 32), "wrong");
    assert.equal(outcome(judged(example("confirm"), confirmed), 2 ** 32), "right");
  });

  test("the labels name verbs and kinds", () => {
    const { wanted, got } = judged(two, answer({ words: "on light" }, { words: "on all" }));
    assert.deepEqual([wanted, got], ["on light + off fan", "on light + on all"]);
  });
});
