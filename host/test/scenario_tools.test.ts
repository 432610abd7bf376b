/** Steps of an assistant on the device build: tables, calls without the model, what pins do then, what an answer called. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { convert } from "../convert/index.ts";
import { parseScenario } from "../scenario/read.ts";
import { runScenario } from "../scenario/run.ts";
import { DESK, FAN_SET, LAMP_ON, writeAssistant } from "./assistant_fixture.ts";

const HOME = resolve("examples/assistant/tools/home.json");
const folder = await mkdtemp(join(tmpdir(), "tritkit-tools-"));
after(() => rm(folder, { recursive: true }));

/** Whose answer is always the same. */
async function assistant(name: string, chain: typeof LAMP_ON): Promise<string> {
  const path = join(folder, `${name}.trit`);
  await convert(await writeAssistant(join(folder, name), chain, { tools: DESK }), path, { name });
  return path;
}
const lamp = await assistant("lamp", LAMP_ON);
const fan = await assistant("fan", FAN_SET);

async function play(steps: object[], head: object = {}) {
  const scenario = parseScenario({ cpu: "flat", model: lamp, ...head, steps }, "test", folder);
  const { steps: results } = await runScenario(scenario);
  const failed = results.find(({ error }) => error !== null);
  const failure = failed === undefined ? null : `${failed.error?.code}: ${failed.error?.message}`;
  return { failure, notes: results.map(({ note }) => note) };
}
const failure = async (steps: object[], head: object = {}) => (await play(steps, head)).failure ?? "";

const home = { tools: HOME };

describe("a call without the model", () => {
  test("drives the pins that the table says, and no other", async () => {
    const { failure, notes } = await play([
      home,
      { assert_pwm: 15, duty: null },
      { call: "lamp", verb: "set", amount: 40 },
      { expect_pwm: 15, duty: [26214, 26214], hz: 1000 },
      { call: "desk lamp", verb: "off" },
      { assert_pwm: 15, duty: [0, 0] },
      { call: "blind", verb: "set", amount: 100 },
      { assert_pwm: 18, duty: [1638, 8192], hz: 50 },
      { call: "plug", verb: "on" },
      { assert_pin: 14, level: 1 },
      { sensor: 0, value: 24427 },
      { call: "temperature", verb: "get" },
      { assert_pin: 22, level: null },
      { assert_pwm: 16, duty: null },
    ]);
    assert.equal(failure, null);
    assert.equal(notes[0].split(",")[0], "13 tools");
    assert.equal(notes[2], "lamp set 40 percent, done");
    assert.equal(notes[11], "temperature get 21.5 celsius, done");
  });

  test("for a time ends with the value from before, in simulated time", async () => {
    const { failure } = await play([
      home,
      { call: "lamp", verb: "set", amount: 20 },
      { call: "lamp", verb: "set", amount: 100, seconds: 2 },
      { assert_pwm: 15, duty: [65535, 65535] },
      { wait_ms: 1900 },
      { assert_pwm: 15, duty: [65535, 65535] },
      { expect_pwm: 15, duty: [13107, 13107], timeout_ms: 200 },
      { call: "timer", verb: "set", amount: 1 },
      { expect_pin: 13, level: 1, timeout_ms: 1100 },
      { expect_pin: 13, level: 0, timeout_ms: 1100 },
    ]);
    assert.equal(failure, null);
  });

  test("that is refused is a result, and no pin changes", async () => {
    const refused = [
      home,
      { call: "heater", verb: "set", amount: 90, result: "range" },
      { assert_pwm: 21, duty: null },
      { call: "temperature", verb: "on", result: "cannot" },
      { call: "toaster", verb: "on", fails: "E_NO_TOOL" },
    ];
    assert.equal(await failure(refused), "");
    const wrong = await failure([home, { call: "heater", verb: "set", amount: 90 }]);
    assert.equal(wrong, 'E_STEP_EXPECT: The call\'s result is "range", not "done".');
  });
});

test("a table that the board has no pins for, or that is none, is refused before it is sent", async () => {
  const bad = JSON.parse(await readFile(HOME, "utf8"));
  bad.tools[2].drive = { type: "pwm", pin: 17, hz: 1000 };
  await writeFile(join(folder, "clash.json"), JSON.stringify(bad));
  assert.match(
    await failure([{ tools: "clash.json" }]),
    /^E_TOOLS_BOARD: clash\.json, tools\[2\]\.drive: pin 17 has one frequency with pin 16/,
  );
  assert.equal(await failure([{ tools: "clash.json", fails: "E_TOOLS_BOARD" }]), "");
  assert.match(await failure([{ tools: "none.json" }]), /^E_FILE_NOT_FOUND: There is no file .*none\.json\.$/);
  await writeFile(join(folder, "empty.json"), "{}");
  assert.match(await failure([{ tools: "empty.json" }]), /^E_TOOLS: empty\.json/);
  assert.match(await failure([home], { model: "llama-300k" }), /^E_NOT_ASSISTANT: /);
});

describe("what an answer called", () => {
  const asked = { chat: "please switch the lamp on" };

  test("is expected call by call, and the pins change by the board's clock", async () => {
    const call = { expect_call: "lamp", verb: "on", value: 100, result: "done" };
    const head = { cpu: "metered" };
    const steps = [
      { mark: true },
      { ...asked, wait: false },
      { expect_pwm: 15, duty: [65535, 65535] },
      { assert: "us", at_most: 1_500_000 },
      { expect_say: "call" },
      call,
      { expect_calls: 0 },
    ];
    assert.equal(await failure(steps, head), "");
    assert.equal(
      await failure([{ chat: "fan to 40 percent" }, { expect_call: "fan", verb: "set", value: 40 }], { model: fan }),
      "",
    );
  });

  test("is told when it is something else", async () => {
    for (const [step, words] of [
      [{ expect_call: "fan" }, 'The next call is lamp on 100 percent, done: its tool is not "fan".'],
      [{ expect_call: "lamp", verb: "off" }, 'The next call is lamp on 100 percent, done: its verb is not "off".'],
      [{ expect_call: "lamp", value: 99.9 }, "The next call is lamp on 100 percent, done: its value is not 99.9."],
      [{ expect_call: "lamp", seconds: 10 }, "The next call is lamp on 100 percent, done: its seconds is not 10."],
      [{ expect_calls: 0 }, "1 calls are left, not 0: lamp on 100 percent, done."],
      [{ expect_say: "decline" }, 'The answer begins with "call", not "decline".'],
    ] as const)
      assert.equal(await failure([asked, step]), `E_STEP_EXPECT: ${words}`);
    const twice = [asked, { expect_call: "lamp" }, { expect_call: "lamp" }];
    assert.equal(await failure(twice), 'E_STEP_EXPECT: The answer has no more calls; it begins with "call".');
    assert.equal(await failure([{ expect_call: "lamp" }]), "E_STEP_EXPECT: Nothing was asked yet.");
    const story = [{ chat: "Once", max: 2 }, { expect_call: "lamp" }];
    assert.equal(
      await failure(story, { model: "llama-300k" }),
      "E_STEP_EXPECT: The answer has no more calls; it is no assistant's.",
    );
  });
});

test("the board's LED is left to a tool that has it", async () => {
  const led = { ...DESK.tools[0], drive: { type: "gpio", pin: 25 }, argument: undefined };
  await writeFile(join(folder, "led.json"), JSON.stringify({ name: "led", tools: [led, DESK.tools[1]] }));
  const asked = { chat: "please switch the lamp on" };
  const steps = [{ tools: "led.json" }, asked, { assert_pin: 25, level: 1 }, { call: "lamp", verb: "off" }];
  assert.equal(await failure([...steps, { assert_pin: 25, level: 0 }]), "");
  const other = [{ chat: "fan to 40 percent" }, { expect_call: "fan" }];
  assert.equal(await failure([steps[0], ...other, { assert_pin: 25, level: null }], { model: fan }), "");
  assert.equal(await failure([...other, { assert_pin: 25, level: 0 }], { model: fan }), "");
});

test("what these steps must say is said before anything runs", () => {
  for (const [step, words] of [
    [{ call: "lamp" }, 'Step 1 (call) needs "verb".'],
    [{ call: "lamp", verb: "toggle" }, /"verb" is "on" or "off" or "set" or "up" or "down" or "get", not "toggle"/],
    [{ call: "lamp", verb: "set", amount: null }, /"amount" is a number, or a word that is a value, not null/],
    [{ expect_call: "lamp", result: "good" }, /"result" is "done" or "dry"/],
    [{ expect_calls: 5 }, /"expect_calls" is a whole number from 0 to 4, not 5/],
    [{ expect_say: "yes" }, /"expect_say" is "call" or "none"/],
  ] as const)
    assert.throws(() => parseScenario({ steps: [step] }, "test", folder), { code: "E_SCENARIO", message: words });
});
