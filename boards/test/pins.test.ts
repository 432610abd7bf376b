import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Board, parseBoard } from "../board.ts";
import { type PinUse, pinTroubles } from "../pins.ts";

const board = (name: string): Board => parseBoard(JSON.parse(readFileSync(`boards/${name}.json`, "utf8")), name);
const PICO = board("rp2040-pico");
const gpio = (pin: number, name = "a"): PinUse => ({ name, type: "gpio", pin });
const pwm = (pin: number, hz: number, name = "a"): PinUse => ({ name, type: "pwm", pin, hz });
const adc = (channel: number, name = "a"): PinUse => ({ name, type: "adc", channel });

describe("pins of a board", () => {
  it("that can be used are no trouble, one after the other and together", () => {
    const uses = [gpio(2), gpio(29), pwm(16, 25000), pwm(17, 25000), pwm(18, 50), adc(4), adc(0), pwm(16, 25000)];
    assert.deepEqual(pinTroubles(PICO, uses), []);
  });

  it("that cannot are named, with the reason", () => {
    for (const [use, words] of [
      [gpio(30), "a: rp2040-pico has 30 pins, from 0 on, not 30"],
      [gpio(1), "a: pin 1 of rp2040-pico is not free: its firmware needs it, or it has none"],
      [pwm(0, 1000), "a: pin 0 of rp2040-pico is not free: its firmware needs it, or it has none"],
      [pwm(15, 7), "a: rp2040-pico makes 8 to 65535 Hz, not 7"],
      [adc(5), "a: rp2040-pico has 5 ADC channels, from 0 on, not 5"],
    ] as const)
      assert.deepEqual(pinTroubles(PICO, [use]), [words]);
    assert.deepEqual(pinTroubles(board("stm32f405"), [pwm(3, 50), adc(0), gpio(3)]), [
      "a: the firmware of stm32f405 drives no PWM",
      "a: the firmware of stm32f405 reads no ADC",
    ]);
    assert.deepEqual(pinTroubles(board("riscv-virt"), [gpio(0), adc(0)]), [
      "a: riscv-virt has 0 pins, from 0 on, not 0",
      "a: riscv-virt has no ADC",
    ]);
  });

  it("that do not go together are named with whose they are", () => {
    assert.deepEqual(pinTroubles(PICO, [pwm(16, 25000, "fan"), pwm(17, 1000, "heater"), pwm(18, 1000, "blind")]), [
      "heater: pin 17 has its frequency in common with pin 16 of fan, which wants 25000 Hz, not 1000 Hz",
    ]);
    assert.deepEqual(pinTroubles(PICO, [pwm(2, 50, "left"), pwm(18, 50, "right")]), [
      "right: pin 18 carries the same pulse as pin 2 of left",
    ]);
    assert.deepEqual(pinTroubles(PICO, [adc(0, "sensor"), gpio(26, "pump")]), [
      "pump: pin 26 is driven and measured: sensor has it too",
    ]);
  });

  it("of the table that the assistant is trained with are no trouble on a Pico", () => {
    const { tools } = JSON.parse(readFileSync("examples/assistant/tools/home.json", "utf8"));
    const uses: PinUse[] = tools.map(({ name, drive }: { name: string; drive: object & { type: string } }) => ({
      ...drive,
      name,
      type: drive.type === "timer" ? "gpio" : drive.type,
    }));
    assert.ok(uses.length > 10);
    assert.deepEqual(pinTroubles(PICO, uses), []);
  });
});
