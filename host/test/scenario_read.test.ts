/** What a scenario must not say is refused before anything runs, with step and key; nothing that is unknown is passed over. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseScenario } from "../scenario/read.ts";
import { STEPS } from "../scenario/rules.ts";

const parse = (json: unknown) => parseScenario(json, "test", ".");
const refused = (json: unknown, message: string | RegExp) =>
  assert.throws(
    () => parse(json),
    (error: Error & { code: string; exitStatus: number }) => {
      assert.equal(error.code, "E_SCENARIO");
      assert.equal(error.exitStatus, 2);
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
  );
const step = (given: object) => ({ steps: [{ reset: true }, given] });

describe("a scenario is refused", () => {
  test("without steps", () => {
    refused([], "A scenario is an object with steps.");
    refused({}, /has no steps/);
    refused({ steps: [] }, /has no steps/);
    refused({ steps: ["reset"] }, "Step 1 is no object.");
  });

  test("with an unknown key, and told which one was meant", () => {
    refused({ bord: "x", steps: [{ reset: true }] }, 'The scenario takes no "bord". Did you mean "board"?');
    refused(step({ chatt: "x" }), 'Step 2: there is no step "chatt". Did you mean "chat"?');
    refused(step({ chat: "x", tempo: 1 }), 'Step 2 (chat) takes no "tempo". Did you mean "temp"?');
    refused(step({}), 'Step 2: there is no step "nothing".');
    refused(step({ constructor: 1 }), /there is no step "constructor"/);
  });

  test("with two steps in one", () => {
    refused(step({ chat: "x", expect: "y" }), "Step 2 has chat and expect: each is a step of its own.");
  });

  test("with a value of another kind", () => {
    refused(step({ chat: 7 }), 'Step 2 (chat): "chat" is a text, not 7.');
    refused(step({ chat: "x", temp: "hot" }), 'Step 2 (chat): "temp" is a number from 0 to 100, not "hot".');
    refused(step({ chat: "x", max: 1.5 }), /"max" is a whole number from 0 to 4294967295, not 1.5/);
    refused(step({ wait_ms: -1 }), /"wait_ms" is a number from 0 to 86400000, not -1/);
    refused(step({ power: "up" }), 'Step 2 (power): "power" is "on" or "off", not "up".');
    refused(step({ expect_ids: ["a"] }), /is a list of token ids/);
    refused(step({ pin: 3, level: 2 }), /"level" is 0, 1 or null/);
    refused(step({ pause: false }), 'Step 2 (pause): "pause" is true, not false.');
    refused(step({ expect_regex: "(" }), /is a regular expression/);
    refused(step({ send_hex: "0g" }), /is bytes in hexadecimal/);
    refused(step({ assert_flash: "abc" }), /is 64 hexadecimal digits/);
    refused({ cpu: "fast", steps: [{ reset: true }] }, 'The scenario: "cpu" is "metered" or "flat", not "fast".');
  });

  test("with a fault that is none", () => {
    refused(step({ fault: "wait-flip" }), /there is no fault "wait-flip"; there are weight-flip, /);
    refused(step({ fault: "weight-flip:sed=3" }), /takes no "sed"; it takes at, slot, seed/);
    refused(step({ fault: "brown-out:in_us=1,flash_op=2" }), /in_us or flash_op, not both/);
    refused(step({ fault: "uart-noise:per=0" }), /per of the fault uart-noise is a whole number from 1/);
    refused(step({ fault: "misread:code=odd" }), /code of the fault misread is legal or illegal/);
    refused(step({ fault: "weight-flip:seed" }), /is not name=value/);
  });

  test("with keys that need or exclude one another", () => {
    refused(step({ pin: 3 }), 'Step 2 (pin) needs "level".');
    refused(step({ power: "off", in_ms: 1, flash_op: 2 }), /exclude one another/);
    refused(step({ power: "on", in_ms: 1 }), /in_ms is for "off"/);
    refused(step({ assert: "us" }), /needs is, at_least, at_most or baseline/);
    refused(step({ assert: "us", at_least: 1, within_percent: 2 }), /within_percent goes with is or baseline/);
    refused(step({ assert: "us", is: 1, baseline: "x" }), /is and baseline exclude/);
    refused(step({ assert: "speed", is: 1 }), /"assert" is "us" or "tokens"/);
    refused(step({ assert_flash: "0".repeat(64), from: 3 }), /from and bytes go together/);
  });
});

test("what is left out has a default", () => {
  const { steps, ...head } = parse({ steps: [{ chat: "hi", name: "greet" }] });
  assert.deepEqual(head, {
    ...{ name: "test", folder: ".", board: "rp2040-pico", model: null },
    ...{ seed: 0, timing: "typ", cpu: "metered", timeoutMs: 60_000 },
  });
  assert.equal(steps[0].label, "greet");
});

test("names of steps and of options do not meet: a step is known by its one key", () => {
  const options = new Set(Object.values(STEPS).flatMap((rule) => Object.keys(rule.options)));
  assert.deepEqual(
    Object.keys(STEPS).filter((name) => options.has(name)),
    [],
  );
});
