/** Steps that look at pins: levels that the firmware drives, pulses, what is refused and what a failure says. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimBoard } from "../../firmware-sim/index.ts";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { Bench } from "../scenario/bench.ts";
import { parseScenario } from "../scenario/read.ts";
import { runScenario } from "../scenario/run.ts";
import type { StepContext } from "../scenario/steps/step.ts";
import { runStep } from "../scenario/steps.ts";

const LED = 25;
const parse = (steps: object[]) =>
  parseScenario({ cpu: "flat", model: "llama-300k", timeout_ms: 50, steps }, "test", ".");

/** Code and words of the step that failed; null: none did. */
async function failure(steps: object[]): Promise<string | null> {
  const { steps: results } = await runScenario(parse(steps));
  const error = results.find(({ error }) => error !== null)?.error ?? null;
  return error === null ? null : `${error.code}: ${error.message}`;
}

describe("expect_pin", () => {
  const asked = { chat: "Once upon a time", max: 5, timeout_ms: 60_000 };

  test("waits for a level that the firmware drives", async () => {
    assert.equal(
      await failure([
        { ...asked, wait: false },
        { expect_pin: LED, level: 1, timeout_ms: 10_000 },
        { answer: true, timeout_ms: 60_000 },
        { expect_pin: LED, level: 0 },
        { assert_pin: LED, level: 0 },
        { reset: true },
        { expect_pin: LED, level: null },
      ]),
      null,
    );
  });

  test("fails when the time is over, and says how the pin is", async () => {
    assert.equal(
      await failure([{ expect_pin: LED, level: 1, timeout_ms: 5 }]),
      `E_STEP_TIMEOUT: It did not come within 5 ms of simulated time; pin ${LED} is floating.`,
    );
    assert.match((await failure([{ expect_pin: 30, level: 1 }])) ?? "", /^E_STEP_NO_PIN: rp2040-pico has 30 pins/);
  });
});

describe("pulses", () => {
  /** A board on a bench whose pins carry what the test says, as its firmware would have asked. */
  async function bench(): Promise<{ bench: Bench; play: (step: object) => Promise<string> }> {
    const board = await loadBoard("rp2040-pico");
    const sim = SimBoard.create({ board, wasm: await loadDeviceWasm(board) });
    sim.powerOn();
    const bench = new Bench(sim, 1, "max");
    const play = (step: object) => {
      const scenario = parse([step]);
      return runStep(scenario.steps[0], { bench, scenario } as StepContext);
    };
    return { bench, play };
  }

  test("are compared by duty and, when it is said, by frequency", async () => {
    const { bench: on, play } = await bench();
    assert.equal(await play({ assert_pwm: 15, duty: null }), "floating");
    assert.equal(on.sim.pwm.write(15, 26214, 1000), 0);
    on.sim.gpio.pulse(15);
    assert.equal(await play({ assert_pwm: 15, duty: [26000, 26300] }), "at duty 26214 and 1000 Hz");
    assert.equal(await play({ expect_pwm: 15, duty: [26214, 26214], hz: 1000 }), "at duty 26214 and 1000 Hz");
    for (const [step, words] of [
      [{ assert_pwm: 15, duty: [0, 26213] }, "Pin 15 is at duty 26214 and 1000 Hz, not at duty 0 to 26213."],
      [
        { assert_pwm: 15, duty: [1, 65535], hz: 50 },
        "Pin 15 is at duty 26214 and 1000 Hz, not at duty 1 to 65535 and 50 Hz.",
      ],
      [{ assert_pwm: 15, duty: null }, "Pin 15 is at duty 26214 and 1000 Hz, not without a pulse."],
      [{ assert_pin: 15, level: null }, "Pin 15 is at duty 26214 and 1000 Hz, not floating."],
      [{ assert_pwm: 16, duty: [7, 7] }, "Pin 16 is floating, not at duty 7."],
    ] as const)
      await assert.rejects(play(step), { code: "E_STEP_ASSERT", message: words });
    await on.close();
  });

  test("are waited for in simulated time", async () => {
    const { bench: on, play } = await bench();
    await assert.rejects(play({ expect_pwm: 15, duty: [1, 2], timeout_ms: 3 }), {
      code: "E_STEP_TIMEOUT",
      message: "It did not come within 3 ms of simulated time; pin 15 is floating.",
    });
    const at = on.sim.now + 2_000_000;
    on.sim.onStep = () => {
      if (on.sim.now >= at) on.sim.pwm.write(15, 2, 100);
    };
    assert.equal(await play({ expect_pwm: 15, duty: [1, 2], timeout_ms: 3 }), "at duty 2 and 100 Hz");
    assert.ok(on.sim.now >= at && on.sim.now < at + 1_100_000, "at the next look");
    await on.close();
  });
});

test("what a step must say of a pin is said before anything runs", () => {
  for (const [step, words] of [
    [{ expect_pin: 1 }, 'Step 1 (expect_pin) needs "level".'],
    [{ expect_pwm: 1 }, 'Step 1 (expect_pwm) needs "duty".'],
    [
      { assert_pwm: 1, duty: 7 },
      'Step 1 (assert_pwm): "duty" is [least, most] from 0 to 65535, or null (no pulse), not 7.',
    ],
    [{ assert_pwm: 1, duty: [2, 1] }, /is \[least, most\]/],
    [{ assert_pwm: 1, duty: [0, 65536] }, /is \[least, most\]/],
    [{ assert_pwm: 1, duty: [0, 1, 2] }, /is \[least, most\]/],
    [{ assert_pwm: 1, duty: null, hz: 50 }, "Step 1 (assert_pwm): hz goes with a pulse, not with null."],
    [{ expect_pwm: 1, duty: [0, 1], hz: 0 }, /"hz" is a whole number from 1 to 65535/],
  ] as const)
    assert.throws(() => parse([step]), { code: "E_SCENARIO", message: words });
});
