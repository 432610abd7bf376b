/** Steps of scenarios that the examples do not show, and how each fails: by name, with what did arrive, in simulated time. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { SimBoard } from "../../firmware-sim/index.ts";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { Arrived } from "../scenario/arrived.ts";
import { Measure } from "../scenario/measure.ts";
import { parseScenario } from "../scenario/read.ts";
import { runScenario, type ScenarioResult } from "../scenario/run.ts";

const HEAD = { cpu: "flat", model: "llama-300k" };
const run = (steps: object[], head: object = HEAD): Promise<ScenarioResult> =>
  runScenario(parseScenario({ ...head, steps }, "test", "."));

/** The step that fails, and the code and words with which it does. */
async function fails(steps: object[], code: string, message: RegExp, head?: object): Promise<void> {
  const result = await run(steps, head);
  const last = result.steps[steps.length - 1];
  const text = result.steps.map(({ label, error }) => `${label}: ${error?.message ?? "ok"}`).join("\n");
  assert.equal(last.error?.code, code, text);
  assert.match(last.error?.message ?? "", message);
  assert.ok(!result.passed);
}

async function passes(steps: object[], head?: object): Promise<ScenarioResult> {
  const result = await run(steps, head);
  const failed = result.steps.find(({ error }) => error !== null);
  assert.equal(failed, undefined, `${failed?.label}: ${failed?.error?.message}`);
  return result;
}

describe("what arrived", () => {
  test("is matched across pieces, taken with what stands before it, and the next match begins behind it", () => {
    const arrived = new Arrived();
    for (const char of "one two three") arrived.push(char);
    assert.ok(!arrived.take("four"));
    assert.ok(arrived.take("two"));
    assert.ok(!arrived.take("one"));
    assert.ok(!arrived.take("two"));
    arrived.push(" tw");
    assert.ok(!arrived.take("two"));
    arrived.push("o");
    assert.ok(arrived.take(/t\w+/));
    assert.ok(arrived.take("two"));
    assert.equal(arrived.shown, "nothing arrived");
    arrived.push(`${"x".repeat(500)}\u0007`);
    assert.match(arrived.shown, /^what arrived: \.\.\. "x{299}\\u0007"$/);
  });
});

describe("expect", () => {
  const begun = { chat: "Once upon a time", max: 12 };

  test("takes text, expressions and ids in the order of the answer", async () => {
    const probe = await run([begun, { expect_ids: [999999] }]);
    const ids: number[] = JSON.parse(/are (\[.*\])/.exec(probe.steps[1].error?.message ?? "")?.[1] ?? "[]");
    assert.ok(ids.length >= 9);
    await passes([begun, { expect: "there" }, { expect_regex: "w.s" }, { expect_ids: ids.slice(0, 4) }]);
    await passes([begun, { expect_ids: ids.slice(0, 2) }, { expect_ids: ids.slice(2, 5) }]);
    await fails(
      [begun, { expect: "there" }, { expect: "there" }],
      "E_STEP_EXPECT",
      /ended \(max\) without it; what arrived: "/,
    );
    await fails([begun, { expect_ids: [ids[0], 1] }], "E_STEP_EXPECT", new RegExp(`others than ${ids[0]}, 1`));
  });

  test("waits for an answer that still comes, and ends in simulated time", async () => {
    const metered = { model: "llama-300k" };
    await passes([{ ...begun, wait: false }, { expect: "there was" }, { answer: true }], metered);
    await fails(
      [
        { ...begun, wait: false },
        { expect: "no such words", timeout_ms: 1 },
      ],
      "E_STEP_TIMEOUT",
      /^It did not come within 1 ms of simulated time; nothing arrived\.$/,
      metered,
    );
    await fails([{ expect: "x" }], "E_STEP_EXPECT", /Nothing was asked yet/);
  });
});

describe("the raw line", () => {
  test("shows what arrived when it is not what was waited for", async () => {
    await fails([{ receive: "hello", timeout_ms: 20 }], "E_STEP_TIMEOUT", /20 ms of simulated time; nothing arrived/);
    const echo = { send_hex: "06 09 41 42 41 4b 41 41 41 47 41 41 41 48 41 4b 46 68 5a 47 4a 6f 61 53 56 6b 0a" };
    await passes([echo, { receive_hex: "06 09" }, { receive_regex: "^[A-Za-z0-9+/]+=*\n" }]);
    await fails([echo, { receive: "xyz", timeout_ms: 50 }], "E_STEP_TIMEOUT", /what arrived: "\\u0006\\tA/);
    // At another speed than the board's nothing makes sense to it.
    await fails([{ baud: 9600 }, echo, { receive_hex: "06 09", timeout_ms: 200 }], "E_STEP_TIMEOUT", /./);
  });
});

describe("time", () => {
  test("passes while a step waits, exactly so long, and never otherwise", async () => {
    const { steps } = await passes([{ wait_us: 1500 }, { wait_ms: 2.5 }, { mark: true }, { step_us: 100 }]);
    assert.deepEqual(
      steps.map(({ seconds }) => seconds),
      [0.0015, 0.0025, 0, 0.0001],
    );
  });

  test("stands still while the board is held", async () => {
    const waiting = { chat: "Once upon a time", max: 30, wait: false };
    const held = [waiting, { pause: true }];
    await passes([...held, { step_polls: 10 }, { step_tokens: 2 }, { resume: true }, { answer: true }]);
    await fails([...held, { wait_ms: 1 }], "E_STEP_PAUSED", /held by a pause/);
    await fails([...held, { answer: true }], "E_STEP_PAUSED", /held by a pause/);
    await fails([{ step_tokens: 1, timeout_ms: 10 }], "E_STEP_TIMEOUT", /0 of 1 tokens/);
  });
});

describe("the board", () => {
  test("is switched, reset, and its pins and sensors are driven", async () => {
    await passes([
      { power: "off" },
      { assert_state: "off" },
      { power: "on" },
      { reset: true },
      { press: 3, for_ms: 10 },
      { pin: 3, level: 0 },
      { sensor: 0, value: 100 },
      { assert_pin: 3, level: null },
    ]);
    await passes([
      { power: "off", in_ms: 2 },
      { wait_ms: 1 },
      { assert_state: "on" },
      { wait_ms: 2 },
      { assert_state: "off" },
    ]);
    await fails([{ power: "on" }], "E_SIM_OFF", /is on already/);
    await fails([{ pin: 99, level: 1 }], "E_STEP_NO_PIN", /30 pins/);
    await fails([{ sensor: 77, value: 1 }], "E_STEP_NO_PIN", /ADC channels/);
    await fails([{ assert_pin: 25, level: 1 }], "E_STEP_ASSERT", /^Pin 25 is floating, not high\.$/);
    await fails([{ fault: "lost-irq" }], "E_SIM_FAULT", /no coprocessor/);
  });

  test("has the flash that is asserted", async () => {
    const blank = createHash("sha256").update(new Uint8Array(4096).fill(0xff)).digest("hex");
    await passes([{ assert_flash: blank, from: 4096, bytes: 4096 }]);
    await fails([{ assert_flash: "0".repeat(64), from: 4096, bytes: 4096 }], "E_STEP_ASSERT", new RegExp(blank));
    await fails([{ assert_flash: blank, from: 0xfffffff, bytes: 1 }], "E_STEP_ASSERT", /partition has/);
    await fails(
      [{ assert_model: "stories-1m" }],
      "E_STEP_ASSERT",
      /^The active model is not stories-1m; the device has llama-300k active\.$/,
    );
    await fails([{ assert_model: "none" }], "E_STEP_ASSERT", /llama-300k is active/);
    await fails([{ chat: "x", fails: "E_NO_MODEL" }], "E_STEP_EXPECT", /was to fail with E_NO_MODEL, and did not/);
  });
});

describe("figures", () => {
  test("are held to values and bounds", async () => {
    const head = { model: "llama-300k" };
    const asked = [{ mark: true }, { chat: "Once upon a time", max: 6 }];
    const { steps } = await passes([...asked, { assert: "tokens", is: 6 }, { assert: "us", at_least: 1000 }], head);
    const us = Number(steps[3].note.split(" ")[1]);
    await passes([...asked, { assert: "us", is: us * 1.04, within_percent: 5 }], head);
    await fails(
      [...asked, { assert: "us", is: us * 1.1, within_percent: 5 }],
      "E_STEP_ASSERT",
      /-9\.\d+ % off .*, 5 % are allowed/,
      head,
    );
    await fails([...asked, { assert: "us", at_most: 10 }], "E_STEP_ASSERT", /is above 10/, head);
    await fails([...asked, { assert: "tokens", at_least: 7 }], "E_STEP_ASSERT", /tokens 6 is below 7/, head);
    await fails([...asked, { assert: "us", baseline: "x" }], "E_STEP_NO_FIGURE", /there is none/, head);
    await fails([{ mark: true }, { assert: "cycles_per_token", is: 1 }], "E_STEP_NO_FIGURE", /no token came/, head);
    await fails([{ assert: "us_per_token", is: 1 }], "E_STEP_NO_FIGURE", /nothing was asked yet/, head);
  });

  test("waiting for flash is counted once, that of code with it", async () => {
    const sim = SimBoard.create({
      board: await loadBoard("rp2040-pico"),
      wasm: await loadDeviceWasm(await loadBoard("rp2040-pico")),
      cpu: "metered",
    });
    const measure = new Measure(sim, () => 0);
    sim.powerOn();
    sim.run({ maxUs: 20_000 });
    const reading = sim.meter?.reading();
    assert.ok((sim.meter?.totals().wait.code ?? 0) > 1000);
    assert.equal(Math.round(reading?.cycles ?? 0), Math.round(measure.value("cycles", null)));
    assert.equal(Math.round(reading?.waitCycles ?? 0), measure.value("wait_cycles", null));
  });

  test("of cycles and energy there are none where computing costs nothing", async () => {
    await fails([{ assert: "cycles", at_least: 0 }], "E_STEP_NO_FIGURE", /flat CPU/);
    await fails([{ assert: "uj", at_least: 0 }], "E_STEP_NO_FIGURE", /flat/);
  });
});
