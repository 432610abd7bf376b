// Steps that let simulated time pass, or hold it.
import { TritkitError } from "../../errors.ts";
import { pass } from "./board.ts";
import type { Action } from "./step.ts";

const US = 1000;
const MS = 1_000_000;

export const TIME_STEPS: Readonly<Record<string, Action>> = {
  wait_us: ({ bench }, { number }) => pass(bench, number * US),
  wait_ms: ({ bench }, { number }) => pass(bench, number * MS),
  async pause({ bench }) {
    bench.paused = true;
    return "";
  },
  async resume({ bench }) {
    bench.paused = false;
    return "";
  },
  async step_polls({ bench }, { number }) {
    for (let i = 0; i < number; i++) await bench.drive.poll();
    return "";
  },
  async step_us({ bench }, { number }) {
    await bench.drive.run(() => false, bench.sim.now + number * US);
    return "";
  },
  async step_tokens({ bench }, { number, until }) {
    const { drive } = bench;
    const goal = drive.tokens + number;
    const end = await drive.run(() => drive.tokens >= goal, until());
    if (end === "time")
      throw new TritkitError("E_STEP_TIMEOUT", `${number - (goal - drive.tokens)} of ${number} tokens came in time.`);
    return "";
  },
  async speed({ bench }, { value }) {
    bench.drive.speed = value as 1 | "max";
    return "";
  },
};
