/** Pins, pulses and sensors through the HAL, as spec/HAL.md says; scripts/emulators/test/pins.test.ts asks the same of the firmware. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HAL_ABSENT, HAL_EINVAL } from "../../spec/hal.ts";
import { boardNamed, PICO, says, start } from "./toy.ts";

const IDLE = { untilIdle: true };

/** What a board answers to these calls at boot. */
async function answers(calls: string[], board = PICO) {
  const { sim, ear } = await start(says(calls.map((call) => `say(${call})`).join("; ")), board);
  sim.run(IDLE);
  return { sim, words: ear.words() };
}

describe("pwm_write", () => {
  it("puts a pulse on a pin, and tells what changed and when", async () => {
    const { sim, words } = await answers(["pwm_write(15, 32768, 1000)", "pwm_write(15, 32768, 1000)"]);
    assert.deepEqual(words, [0, 0]);
    assert.deepEqual(sim.pwm.pulse(15), { duty: 32768, hz: 1000 });
    assert.equal(sim.pwm.changes.length, 1, "the same again is no change");
    assert.equal(sim.gpio.level(15), null);
  });

  it("refuses pins, duties and frequencies that the board cannot, and leaves all as it was", async () => {
    const { sim, words } = await answers([
      ...["pwm_write(0, 1, 1000)", "pwm_write(30, 1, 1000)", "pwm_write(-1, 1, 1000)", "pwm_write(15, 65536, 1000)"],
      ...["pwm_write(15, -1, 1000)", "pwm_write(15, 1, 7)", "pwm_write(15, 1, 65536)", "pwm_write(15, 1, 8)"],
    ]);
    assert.deepEqual(words, [...new Array(7).fill(HAL_EINVAL), 0]);
    assert.equal(sim.pwm.changes.length, 1);
  });

  it("keeps what another pin of the generator carries", async () => {
    const { sim, words } = await answers([
      ...["pwm_write(2, 100, 50)", "pwm_write(18, 200, 50)", "pwm_write(3, 300, 1000)", "pwm_write(3, 300, 50)"],
      ...["pwm_write(2, 100, 60)", "gpio_write(3, 1)", "pwm_write(2, 100, 60)"],
    ]);
    assert.deepEqual(words, [0, HAL_EINVAL, HAL_EINVAL, 0, HAL_EINVAL, 0, 0]);
    assert.deepEqual(sim.pwm.pulse(2), { duty: 100, hz: 60 });
    assert.equal(sim.pwm.pulse(3), null);
  });

  it("ends with gpio_write, a sensor on the pin, a reset and the supply", async () => {
    const { sim, words } = await answers(["pwm_write(26, 9, 50)", "pwm_write(15, 9, 50)", "pwm_write(16, 9, 50)"]);
    assert.deepEqual(words, [0, 0, 0]);
    const floats: number[] = [];
    sim.gpio.onChange(({ pin, level }) => level === null && floats.push(pin));
    sim.powerOff();
    assert.deepEqual(floats, [15, 16, 26]);
    assert.equal(sim.pwm.pulse(15), null);
    const again = await answers(["pwm_write(26, 9, 50)", "adc_read(0)", "pwm_write(15, 9, 50)", "gpio_write(15, 0)"]);
    assert.deepEqual(again.words, [0, 0, 0, 0]);
    assert.deepEqual([again.sim.pwm.pulse(26), again.sim.pwm.pulse(15), again.sim.gpio.level(15)], [null, null, 0]);
  });

  it("is part of a snapshot", async () => {
    const { sim } = await answers(["pwm_write(15, 32768, 1000)"]);
    const saved = sim.snapshot();
    sim.reset();
    sim.powerOff();
    sim.restore(saved);
    assert.deepEqual(sim.pwm.pulse(15), { duty: 32768, hz: 1000 });
  });
});

it("a board without drivers for pulses and sensors answers as its firmware does", async () => {
  const { words } = await answers(["pwm_write(3, 0, 1000)", "adc_read(0)"], boardNamed("stm32f405"));
  assert.deepEqual(words, [HAL_ABSENT, HAL_ABSENT]);
});

it("pins that the firmware needs are refused", async () => {
  const { sim, words } = await answers(["gpio_write(0, 1)", "gpio_write(1, 1)", "gpio_read(1)", "gpio_write(2, 1)"]);
  assert.deepEqual(words, [HAL_EINVAL, HAL_EINVAL, HAL_EINVAL, 0]);
  assert.equal(sim.gpio.level(2), 1);
});
