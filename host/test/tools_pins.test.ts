/** What `tritkit tools check --board` says of pins is what a board's HAL does with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { listBoards, loadBoard } from "../assets.ts";
import { checkPins, pinProblems } from "../tools/board_pins.ts";
import { parseTools } from "../tools/parse.ts";

const PICO = await loadBoard("rp2040-pico");

function tools(...drives: unknown[]) {
  const list = drives.map((drive, i) => ({
    ...{ name: `tool ${i}`, kind: "sensor", drive },
    ...((drive as { type: string }).type === "adc" ? { argument: { min: 0, max: 1 } } : {}),
  }));
  return parseTools("t.json", JSON.stringify({ tools: list })).tools;
}

const problems = (board: typeof PICO, ...drives: unknown[]) =>
  pinProblems(tools(...drives), board).map(({ place, what }) => `${place}: ${what}`);

const pwm = (pin: number, hz = 1000) => ({ type: "pwm", pin, hz });
const gpio = (pin: number) => ({ type: "gpio", pin });
const adc = (channel: number) => ({ type: "adc", channel });

test("a board without the pin, the channel or the function", () => {
  const cases: [unknown, string][] = [
    [gpio(0), "pin 0 of rp2040-pico is the firmware's own, or has no contact"],
    [gpio(30), "rp2040-pico has the pins 0 to 29, not 30"],
    [{ type: "timer", pin: 31 }, "rp2040-pico has the pins 0 to 29, not 31"],
    [pwm(1), "pin 1 of rp2040-pico is the firmware's own, or has no contact"],
    [pwm(30), "rp2040-pico has no PWM on pin 30, but on 2-29"],
    [pwm(15, 5), "rp2040-pico makes 8 to 65535 Hz, not 5"],
    [adc(5), "rp2040-pico has the ADC channels 0 to 4, not 5"],
  ];
  for (const [drive, what] of cases) assert.deepEqual(problems(PICO, drive), [`tools[0].drive: ${what}`]);
  for (const drive of [gpio(2), pwm(2), adc(4), { type: "timer" }, { type: "none" }])
    assert.deepEqual(problems(PICO, drive), []);
});

test("tools that cannot be beside each other", () => {
  const second = (...drives: unknown[]) =>
    problems(PICO, ...drives).map((text) => text.replace("tools[1].drive: ", ""));
  assert.deepEqual(second(pwm(2), pwm(18)), ["pin 18 carries the same wave as pin 2 of tool 0"]);
  assert.deepEqual(second(pwm(16, 25000), pwm(17)), [
    "pin 17 has one frequency with pin 16, and 1000 Hz are not the 25000 Hz of tool 0",
  ]);
  assert.deepEqual(second(adc(0), gpio(26)), ["pin 26 is already that of tool 0"]);
  assert.deepEqual(second(pwm(3), gpio(3)), ["pin 3 is already that of tool 0"]);
  assert.deepEqual(second(pwm(16), pwm(17)), []);
  assert.deepEqual(second(pwm(16, 25000), pwm(18)), []);
  assert.deepEqual(second(adc(0), adc(0)), []);
});

test("boards without PWM or ADC say so", async () => {
  const without = (await listBoards()).filter(({ pwm: pins }) => pins === null);
  assert.ok(without.length > 0);
  for (const board of without)
    assert.deepEqual(problems(board, pwm(5)), [`tools[0].drive: ${board.name} has no PWM that the firmware drives`]);
  const deaf = (await listBoards()).filter(({ adc: converter }) => (converter?.pins ?? null) === null);
  assert.ok(deaf.length > 0);
  for (const board of deaf)
    assert.deepEqual(problems(board, adc(0)), [`tools[0].drive: ${board.name} has no ADC that the firmware reads`]);
});

test("the first problem is thrown with the file", () => {
  assert.throws(
    () => checkPins("t.json", tools(gpio(0), gpio(1)), PICO),
    /^TritkitError: t\.json, tools\[0\]\.drive: pin 0 of .* contact and 1 more\.$/,
  );
});
