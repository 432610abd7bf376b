import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as T from "../../spec/tools.ts";
import { type AsModule, asModule, FREE } from "./as_module.ts";
import { randomTable, SPECIALS, tableVectors } from "./assistant_table.ts";
import { Random } from "./random.ts";

const TABLE = FREE;
const TEXT = FREE + 8192;
const SECTION = FREE + 16384;
const LOGITS = FREE + 20480;
const VOCAB = 128;
const BASE = 7;
const EOS = 3;
const GATE = 1000;
const TEXT_MAX = 6;
let m: AsModule;

before(async () => {
  m = await asModule(
    {
      "assistant/assistant.ts": ["assistant_model", "assistant_open"],
      "assistant/normalise.ts": ["words_normalise"],
      "assistant/words.ts": ["words_begin", "words_next", "mentioned", "slots_of", "slot_value"],
      "assistant/grammar.ts": ["answer_begins", "answer_choose", "answer_is_text", "answer_is_full"],
      "assistant/tools.ts": ["tool_check", "tool_goal", "tool_changed", "tool_raw", "tool_measured", "tool_value"],
      "assistant/calls.ts": [
        "calls_begin",
        "calls_count",
        "calls_waiting",
        "call_tool",
        "call_verb",
        "call_rc",
        "call_argument",
        "call_has_argument",
        "call_lasts",
        "call_value",
        "call_has_value",
        "call_margin",
        "call_result",
      ],
    },
    4,
  );
  m.u32.set([T.ASSISTANT_V1, BASE, GATE, TEXT_MAX], SECTION >> 2);
  assert.equal(m.call.assistant_model(SECTION, T.ASSISTANT_BYTES, VOCAB, EOS), 1);
});

function open(table: Uint8Array): void {
  m.bytes.set(table, TABLE);
  assert.equal(m.call.assistant_open(TABLE, table.length), 1);
}

function turn(text: string | Uint8Array, keep = true): void {
  const bytes = Buffer.from(text);
  m.bytes.set(bytes, TEXT);
  m.call.words_begin(TEXT, m.call.words_normalise(TEXT, bytes.length));
  while (m.call.words_next() !== 0);
  m.call.calls_begin(Number(keep));
  m.call.answer_begins();
}

const id = (token: string) => BASE + SPECIALS.indexOf(token);

/** Slots of the turn. */
function saidSlots(): string[] {
  return [..."npdtw"].flatMap((c, cls) => ["1", "2", "3"].slice(0, m.call.slots_of(cls)).map((n) => c + n));
}

/** TOOLS.md, "Decoding", sentence by sentence: what may follow an unfinished answer; "EOS" ends it, "text" is any other id. */
function mayFollow(answer: string[], waiting: boolean): string[] {
  const [first] = answer;
  if (first === undefined) return ["call", "none", "decline", "ask", "say", ...(waiting ? ["confirm"] : [])];
  if (first === "none" || first === "confirm") return ["EOS"];
  if (first !== "call") return ["EOS", "text"];
  const slots = saidSlots();
  const begin = answer.lastIndexOf("call");
  const [, verb, target, slot] = answer.slice(begin);
  if (verb === undefined)
    return slots.length > 0 ? SPECIALS.slice(8, 14) : SPECIALS.slice(8, 14).filter((v) => v !== "set");
  if (target === undefined) {
    const seconds = SPECIALS.slice(32, 48).filter((_, k) => m.call.mentioned(16 + k) !== T.TOOL_NOBODY);
    return [...SPECIALS.slice(16, 32), ...seconds, ...(verb === "on" || verb === "off" ? ["all"] : [])];
  }
  if (slot === undefined && verb === "set") return slots;
  const optional =
    slot !== undefined || verb === "get"
      ? []
      : verb === "up" || verb === "down"
        ? slots
        : slots.filter((s) => s[0] === "t");
  const calls = answer.filter((token) => token === "call").length;
  return [...optional, ...(calls < T.CALLS_MAX ? ["call"] : []), "EOS"];
}

const tokenOf = (chosen: number) =>
  chosen === EOS ? "EOS" : chosen >= BASE && chosen < BASE + T.TOOL_TOKENS ? SPECIALS[chosen - BASE] : "text";
const idsOf = (token: string) =>
  token === "EOS"
    ? [EOS]
    : token !== "text"
      ? [id(token)]
      : Array.from({ length: VOCAB }, (_, i) => i).filter((i) => i !== EOS && tokenOf(i) === "text");

/** Answers to the turn with these logits; checks each choice and what the calls say of it. */
function answer(logits: () => number): string[] {
  const said: string[] = [];
  const margins: number[] = [];
  const waiting = m.call.calls_waiting() !== 0;
  for (;;) {
    const row = Int32Array.from({ length: VOCAB }, logits);
    m.i32.set(row, LOGITS >> 2);
    const ids = mayFollow(said, waiting).flatMap(idsOf);
    const sorted = [...ids].sort((a, b) => row[b] - row[a] || a - b);
    assert.equal(m.call.answer_is_text() !== 0, ["decline", "ask", "say"].includes(said[0]));
    const chosen = m.call.answer_choose(LOGITS, VOCAB);
    assert.equal(chosen, sorted[0], `${said}: ${sorted.map(tokenOf)}`);
    const token = tokenOf(chosen);
    const distance = sorted.length > 1 ? row[sorted[0]] - row[sorted[1]] : 2 ** 32 - 1;
    if (token === "call") margins.push(distance);
    else if (token !== "EOS" && margins.length > 0) margins.push(Math.min(margins.pop() as number, distance));
    if (token === "EOS") break;
    said.push(token);
    if (said.length > TEXT_MAX && said[0] !== "call") {
      assert.ok(m.call.answer_is_full());
      break;
    }
    assert.ok(said.length <= 4 * T.CALLS_MAX);
  }
  if (said[0] === "call")
    assert.deepEqual(
      Array.from(margins, (_, i) => m.call.call_margin(i) >>> 0),
      margins,
    );
  return said;
}

/** The model says exactly this. */
function says(tokens: string, margin = 1 << 20): void {
  for (const token of [...tokens.split(" "), "EOS"]) {
    m.i32.fill(0, LOGITS >> 2, (LOGITS >> 2) + VOCAB);
    const wanted = token === "EOS" ? EOS : id(token);
    m.i32[(LOGITS >> 2) + wanted] = margin;
    assert.equal(m.call.answer_choose(LOGITS, VOCAB), wanted, `${token} of ${tokens}`);
  }
}

interface Call {
  tool: number;
  verb: string;
  rc: number;
  argument?: number;
  lasts?: number;
}

function calls(): Call[] {
  return Array.from({ length: m.call.calls_count() }, (_, i) => ({
    tool: m.call.call_tool(i),
    verb: SPECIALS[T.TOK_VERB + m.call.call_verb(i)],
    rc: m.call.call_rc(i),
    ...(m.call.call_has_argument(i) ? { argument: m.call.call_argument(i) } : {}),
    ...(m.call.call_lasts(i) ? { lasts: m.call.call_lasts(i) } : {}),
  }));
}

/** Makes the calls that are to be made, without a board. */
function make(): number[] {
  for (let i = 0; i < m.call.calls_count(); i++) {
    if (m.call.call_rc(i) !== T.CALL_DONE) continue;
    const tool = m.call.call_tool(i);
    const checked = m.call.tool_check(
      tool,
      m.call.call_verb(i),
      m.call.call_has_argument(i),
      m.call.call_argument(i),
      m.call.call_lasts(i),
    );
    if (checked === T.CALL_DONE) m.call.tool_changed(tool, m.call.tool_goal());
    m.call.call_result(i, checked, m.call.tool_value(tool));
  }
  return Array.from({ length: m.call.calls_count() }, (_, i) => m.call.call_value(i));
}

const [home, lights] = tableVectors().map(({ binary }) => Buffer.from(binary, "hex"));
const LAMP = 0;
const FAN = 1;
const HEATER = 2;
const PLUG = 3;
const TIMER = 7;

test("random logits: every answer is well formed, the likeliest of what is allowed, and its margins are right", () => {
  const random = new Random(3);
  const seen = new Set<string>();
  let confirmed = 0;
  for (let round = 0; round < 1000; round++) {
    if (round % 50 === 0) open(round % 100 === 0 ? home : randomTable(random));
    const text = random.pick([
      "10% 20% 30% 1 2 3 1c 2c 3c 1m 2m 3m low medium high",
      "lamp 40% lights 5 minutes",
      "hello",
      "5 10 15 20%",
      "lamp growbox third light",
      "21c low",
    ]);
    turn(text, random.between(0, 2) > 0);
    // Few values: equal logits are common.
    const most = random.pick([1, 5, 2 ** 20, 2 ** 31 - 1]);
    const said = answer(() => random.between(-most, most));
    for (const token of said) seen.add(token);
    if (said[0] === "confirm") confirmed++;
    const wanted = said.filter((token) => token === "call").length;
    if (said[0] !== "confirm") assert.equal(m.call.calls_count(), wanted);
    for (const { tool, rc } of calls())
      assert.ok(tool >= T.TOOL_EVERY || m.call.tool_value(tool) !== undefined || rc === T.CALL_NO_TOOL);
  }
  assert.ok(confirmed > 3, `${confirmed} confirmed`);
  for (const token of SPECIALS.filter(
    (token) => !["user", "board", "verb6", "verb7"].includes(token) && !/2$/.test(token),
  ))
    assert.ok(seen.has(token), token);
});

test("the calls of a sentence: tools, units and times", () => {
  open(home);
  turn("please switch the lamp on and set the fan to 40 percent");
  says("call on light call set fan p1");
  assert.deepEqual(calls(), [
    { tool: LAMP, verb: "on", rc: T.CALL_DONE },
    { tool: FAN, verb: "set", rc: T.CALL_DONE, argument: 40000 },
  ]);
  assert.deepEqual(make(), [100000, 40000]);
  turn("lamp off for 10 minutes, heater to 70 degrees fahrenheit, timer 90 s, fan high");
  says("call off light t1 call set heater d1 call set timer t1 call set fan w1");
  assert.deepEqual(calls(), [
    { tool: LAMP, verb: "off", rc: T.CALL_DONE, lasts: 600000 },
    { tool: HEATER, verb: "set", rc: T.CALL_DONE, argument: 21111 },
    { tool: TIMER, verb: "set", rc: T.CALL_DONE, argument: 600000 },
    { tool: FAN, verb: "set", rc: T.CALL_DONE, argument: 100000 },
  ]);
});

test("a value is in the tool's unit and range, or nothing happens", () => {
  open(home);
  const outcome = (tokens: string) => {
    turn("5 half 40 degrees 9 minutes low 150 percent 200 degrees 0 seconds 30 hours");
    says(tokens);
    const [{ rc, argument }] = calls();
    return rc === T.CALL_DONE ? argument : rc;
  };
  assert.equal(outcome("call set heater n1"), 5000);
  assert.equal(outcome("call set heater p1"), 5000 + 12500, "half of 5..30");
  assert.equal(outcome("call up heater p1"), 12500);
  assert.equal(outcome("call set heater d1"), T.CALL_RANGE);
  assert.equal(outcome("call set heater t1"), T.CALL_UNIT);
  assert.equal(outcome("call set heater w1"), T.CALL_UNIT);
  assert.equal(outcome("call set fan w1"), 25000);
  assert.equal(outcome("call set light w1"), 20000, "a word means what it means for the tool");
  assert.equal(outcome("call set cover w1"), T.CALL_UNIT);
  assert.equal(outcome("call set fan p2"), T.CALL_RANGE);
  assert.equal(outcome("call set light d1"), T.CALL_UNIT);
  assert.equal(outcome("call set switch n1"), T.CALL_CANNOT);
  assert.equal(outcome("call set temperature n1"), T.CALL_CANNOT);
  assert.equal(outcome("call set cooler n1"), T.CALL_NO_TOOL);
  assert.equal(outcome("call on light t2"), T.CALL_RANGE, "0 seconds");
  assert.equal(outcome("call on light t3"), T.CALL_RANGE, "30 hours");
  assert.equal(outcome("call on all t2"), T.CALL_RANGE);
  assert.equal(outcome("call on cooler t2"), T.CALL_NO_TOOL);
  assert.equal(outcome("call up light p2"), 150000);
  assert.deepEqual(make(), [100000]);
});

test("degrees Fahrenheit are a temperature, or a difference", () => {
  open(home);
  const argument = (text: string, tokens: string) => {
    turn(text);
    says(tokens);
    return calls()[0].argument;
  };
  assert.equal(argument("heater to 68 f", "call set heater d1"), 20000);
  assert.equal(argument("5 degrees fahrenheit warmer", "call up heater d1"), 2778);
  assert.equal(argument("colder by 50f", "call down heater d1"), 27778);
  assert.equal(argument("5 degrees celsius warmer", "call up heater d1"), 5000);
});

test("on, off, up and down start from what is", () => {
  open(home);
  const value = (tokens: string) => {
    turn("40 percent, 7");
    says(tokens);
    return make()[0];
  };
  assert.equal(value("call get light"), 0);
  assert.equal(value("call up light"), 20000);
  assert.equal(value("call down light"), 0);
  assert.equal(value("call down light"), 0);
  assert.equal(value("call on light"), 20000);
  assert.equal(value("call set light p1"), 40000);
  assert.equal(value("call on light"), 40000);
  assert.equal(value("call off light"), 0);
  assert.equal(value("call on light"), 40000);
  assert.equal(value("call up light n1"), 47000);
  assert.equal(value("call on fan"), 60000);
  assert.equal(value("call on switch"), 1000);
});

test("a tool that is not mentioned is the one of its kind that was called last", () => {
  open(lights);
  const tool = (text: string, tokens: string) => {
    turn(text);
    says(tokens);
    make();
    return calls()[0].tool;
  };
  assert.equal(tool("brighter", "call up light"), 0);
  assert.equal(tool("ceiling on", "call on light"), 1);
  assert.equal(tool("off", "call off light"), 1);
  assert.equal(tool("growbox and ceiling", "call on light"), 0);
  assert.equal(tool("growbox and ceiling", "call on light2"), 1);
  assert.equal(tool("off", "call off light"), 1);
  turn("off");
  says("call off all");
  assert.equal(calls()[0].tool, T.TOOL_EVERY);
});

test("a call of which the model is not sure waits for a confirmation, and no longer than a turn", () => {
  open(home);
  turn("lamp 200% plug");
  says("call on light call set light p1 call on switch", GATE - 1);
  assert.deepEqual(
    calls().map(({ rc }) => rc),
    Array(3).fill(T.CALL_UNSURE),
  );
  turn("yes");
  assert.equal(m.call.calls_count(), 0);
  says("confirm");
  assert.deepEqual(calls(), [
    { tool: LAMP, verb: "on", rc: T.CALL_DONE },
    { tool: LAMP, verb: "set", rc: T.CALL_RANGE, argument: 200000 },
    { tool: PLUG, verb: "on", rc: T.CALL_DONE },
  ]);
  assert.deepEqual(make()[0], 100000);

  // Only those that wait.
  turn("lamp and plug");
  for (const [token, margin] of [
    ..."call on light".split(" ").map((t): [string, number] => [t, GATE]),
    ["call", GATE - 1],
    ["off", GATE],
    ["switch", GATE],
    ["EOS", GATE],
  ] as [string, number][]) {
    m.i32.fill(0, LOGITS >> 2, (LOGITS >> 2) + VOCAB);
    m.i32[(LOGITS >> 2) + (token === "EOS" ? EOS : id(token))] = margin;
    m.call.answer_choose(LOGITS, VOCAB);
  }
  assert.deepEqual(
    calls().map(({ rc }) => rc),
    [T.CALL_DONE, T.CALL_UNSURE],
  );
  turn("yes");
  says("confirm");
  assert.deepEqual(calls(), [{ tool: PLUG, verb: "off", rc: T.CALL_DONE }]);

  for (const between of ["none", "call get light"]) {
    turn("lamp");
    says("call on light", GATE - 1);
    turn("well");
    says(between);
    turn("yes");
    assert.equal(m.call.calls_waiting(), 0, between);
  }
  turn("lamp");
  says("call on light", GATE - 1);
  turn("yes", false);
  assert.equal(m.call.calls_waiting(), 0, "a new context");
  assert.equal(
    answer(
      (
        () => () =>
          0
      )(),
    )[0],
    "call",
  );
});

test("a call that no tool can answer waits for nothing, however unsure the model is", () => {
  open(lights);
  turn("hello");
  says("call on heater", GATE - 1);
  assert.deepEqual(
    calls().map(({ rc }) => rc),
    [T.CALL_NO_TOOL],
  );
  turn("yes");
  assert.equal(m.call.calls_waiting(), 0);
});

test("raw values and measurements are those of exact arithmetic, within the drive's range", () => {
  const random = new Random(11);
  for (let round = 0; round < 300; round++) {
    const table = randomTable(random);
    if (table.length > T.TOOLS_MAX_BYTES) continue;
    open(table);
    const view = new DataView(table.buffer);
    for (let i = 0; i < table[T.TBL_TOOLS]; i++) {
      const at = T.TBL_HEADER_BYTES + i * T.TOOL_BYTES;
      const drive = table[at + T.TOOL_DRIVE];
      const min = BigInt(view.getInt32(at + T.TOOL_MIN, true));
      const max = BigInt(view.getInt32(at + T.TOOL_TOP, true));
      const rawMin = BigInt(view.getUint16(at + T.TOOL_RAW_MIN, true));
      const rawMax = BigInt(view.getUint16(at + T.TOOL_RAW_MAX, true));
      const inverted = table[at + T.TOOL_FLAGS] === 1;
      const floor = (a: bigint, b: bigint): bigint => (b < 0n ? floor(-a, -b) : a < 0n ? -((-a + b - 1n) / b) : a / b);
      for (let n = 0; n < 4; n++) {
        const value = random.pick([min, max, min + (BigInt(random.u32()) * (max - min)) / 2n ** 32n]);
        if (drive === T.DRIVE_GPIO) {
          const level = value > min ? rawMax : rawMin;
          assert.equal(m.call.tool_raw(i, Number(value)), Number(inverted ? 1n - level : level));
        } else if (drive === T.DRIVE_PWM) {
          const duty = max === min ? rawMin : rawMin + floor((rawMax - rawMin) * (value - min), max - min);
          assert.equal(m.call.tool_raw(i, Number(value)), Number(inverted ? 65535n - duty : duty));
        } else if (drive === T.DRIVE_ADC) {
          const raw = random.between(0, 65535);
          const found = min + floor((max - min) * (BigInt(raw) - rawMin), rawMax - rawMin);
          const held = found < min ? min : found > max ? max : found;
          assert.equal(m.call.tool_measured(i, raw), Number(held));
        }
      }
    }
  }
});

test("no turn and no answer leads a tool out of its range", () => {
  const random = new Random(13);
  for (let round = 0; round < 2000; round++) {
    if (round % 20 === 0) {
      const table = randomTable(random);
      if (table.length > T.TOOLS_MAX_BYTES) continue;
      open(table);
    }
    turn(Uint8Array.from(random.vector(40, () => Buffer.from("abcs5%  .,/")[random.between(0, 10)])));
    answer(() => random.between(-(2 ** 31), 2 ** 31 - 1));
    make();
    const view = new DataView(m.bytes.buffer, TABLE);
    for (let i = 0; i < m.bytes[TABLE + T.TBL_TOOLS]; i++) {
      const at = T.TBL_HEADER_BYTES + i * T.TOOL_BYTES;
      const value = m.call.tool_value(i);
      assert.ok(value >= view.getInt32(at + T.TOOL_MIN, true) && value <= view.getInt32(at + T.TOOL_TOP, true));
    }
  }
});

test("a section that makes no sense is refused", () => {
  const refused: [number[], number, number][] = [
    [[2, BASE, GATE, TEXT_MAX], VOCAB, EOS],
    [[T.ASSISTANT_V1, VOCAB - 63, GATE, TEXT_MAX], VOCAB, EOS],
    [[T.ASSISTANT_V1, 2 ** 32 - 1, GATE, TEXT_MAX], VOCAB, EOS],
    [[T.ASSISTANT_V1, 0, GATE, TEXT_MAX], 63, 63],
    [[T.ASSISTANT_V1, BASE, GATE, TEXT_MAX], VOCAB, VOCAB],
    [[T.ASSISTANT_V1, BASE, GATE, TEXT_MAX], VOCAB, -1],
    [[T.ASSISTANT_V1, BASE, GATE, TEXT_MAX], VOCAB, BASE],
    [[T.ASSISTANT_V1, BASE, GATE, TEXT_MAX], VOCAB, BASE + 63],
  ];
  for (const [section, vocab, eos] of refused) {
    m.u32.set(section, SECTION >> 2);
    assert.equal(m.call.assistant_model(SECTION, T.ASSISTANT_BYTES, vocab, eos), 0, `${section} ${vocab} ${eos}`);
  }
  assert.equal(m.call.assistant_model(SECTION, T.ASSISTANT_BYTES - 4, VOCAB, EOS), 0);
});
