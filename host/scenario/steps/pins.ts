// Steps that wait for what a board does at its pins, and what a step wants of one.
import type { Bench } from "../bench.ts";
import { pinOf } from "./board.ts";
import type { Action, Given } from "./step.ts";

export interface WantedLevel {
  /** null: nobody drives it. */
  readonly level: 0 | 1 | null;
}

export interface WantedPulse {
  /** Of 65535; null: no pulse. */
  readonly duty: readonly [least: number, most: number] | null;
  /** undefined: any. */
  readonly hz: number | undefined;
}

export const PIN_STEPS: Readonly<Record<string, Action>> = {
  async expect_pin({ bench }, { number, option, until }) {
    const pin = pinOf(bench, number);
    const wanted = { level: option<0 | 1 | null>("level") ?? null };
    return waitFor(bench, pin, () => hasLevel(bench, pin, wanted), until());
  },
  async expect_pwm({ bench }, { number, option, until }) {
    const pin = pinOf(bench, number);
    const wanted = wantedPulse(option);
    return waitFor(bench, pin, () => hasPulse(bench, pin, wanted), until());
  },
};

export function wantedPulse(option: Given["option"]): WantedPulse {
  return { duty: option<[number, number]>("duty") ?? null, hz: option<number>("hz") };
}

export function hasLevel({ sim }: Bench, pin: number, { level }: WantedLevel): boolean {
  return sim.gpio.level(pin) === level && sim.pwm.pulse(pin) === null;
}

export function hasPulse({ sim }: Bench, pin: number, { duty, hz }: WantedPulse): boolean {
  const pulse = sim.pwm.pulse(pin);
  if (duty === null || pulse === null) return duty === null && pulse === null;
  return pulse.duty >= duty[0] && pulse.duty <= duty[1] && (hz === undefined || pulse.hz === hz);
}

/** "high", "low", "floating", "at duty 26214 and 1000 Hz". */
export function stateText({ sim }: Bench, pin: number): string {
  const pulse = sim.pwm.pulse(pin);
  return pulse === null ? levelText(sim.gpio.level(pin)) : `at duty ${pulse.duty} and ${pulse.hz} Hz`;
}

export function wantedText(wanted: WantedLevel | WantedPulse): string {
  if ("level" in wanted) return levelText(wanted.level);
  if (wanted.duty === null) return "without a pulse";
  const [least, most] = wanted.duty;
  const duty = least === most ? `${least}` : `${least} to ${most}`;
  return `at duty ${duty}${wanted.hz === undefined ? "" : ` and ${wanted.hz} Hz`}`;
}

function levelText(level: 0 | 1 | null): string {
  return level === null ? "floating" : level === 1 ? "high" : "low";
}

/** @returns how the pin is then */
async function waitFor(bench: Bench, pin: number, done: () => boolean, until: number): Promise<string> {
  await bench.until(
    done,
    until,
    () => `pin ${pin} is ${stateText(bench, pin)}`,
    () => null,
  );
  return stateText(bench, pin);
}
