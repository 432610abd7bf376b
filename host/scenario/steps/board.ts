// Steps on the board: power, buttons, pins, sensors, faults; and time.
import { channelTrouble } from "../../../boards/pins.ts";
import { TritkitError } from "../../errors.ts";
import { parseFault } from "../../transports/sim.ts";
import type { Bench } from "../bench.ts";
import type { Action } from "./step.ts";

const US = 1000;
const MS = 1_000_000;
const PRESS_MS = 50;

export const BOARD_STEPS: Readonly<Record<string, Action>> = {
  async power({ bench }, { value, option }) {
    const { sim } = bench;
    const at = (option<number>("in_us") ?? 0) * US + (option<number>("in_ms") ?? 0) * MS;
    const operation = option<number>("flash_op");
    if (value === "on") {
      bench.switched();
      sim.powerOn();
    } else if (operation !== undefined) sim.supply.failIn(operation);
    else if (at > 0) sim.supply.failAt(sim.now + Math.round(at));
    else {
      sim.powerOff();
      bench.switched();
    }
    return "";
  },
  async reset({ bench }) {
    bench.sim.reset();
    bench.switched();
    return "";
  },
  async press({ bench }, { number, option }) {
    const level = option<0 | 1>("level") ?? 0;
    bench.mayPass();
    bench.sim.gpio.drive(pinOf(bench, number), level);
    await pass(bench, (option<number>("for_ms") ?? PRESS_MS) * MS);
    bench.sim.gpio.drive(number, null);
    return "";
  },
  async pin({ bench }, { number, option }) {
    bench.sim.gpio.drive(pinOf(bench, number), option<0 | 1 | null>("level") ?? null);
    return "";
  },
  async sensor({ bench }, { number, option }) {
    const trouble = channelTrouble(bench.board, number);
    if (trouble !== null) throw new TritkitError("E_STEP_NO_PIN", `${trouble}.`);
    bench.sim.adc.set(number, option<number>("value") ?? 0);
    return "";
  },
  async fault({ bench }, { text }) {
    if (text !== "clear") return bench.faults.inject(parseFault(text));
    bench.faults.clear();
    return "";
  },
};

/** A pin that the board has. @throws TritkitError E_STEP_NO_PIN */
export function pinOf(bench: Bench, pin: number): number {
  const { name, gpio } = bench.board;
  if (pin < gpio.pins) return pin;
  throw new TritkitError("E_STEP_NO_PIN", `${name} has ${gpio.pins} pins, from 0 on.`);
}

/** Lets so many ns pass. @throws TritkitError E_STEP_PAUSED */
export async function pass(bench: Bench, ns: number): Promise<string> {
  bench.mayPass();
  await bench.drive.run(() => false, bench.sim.now + Math.round(ns));
  return "";
}
