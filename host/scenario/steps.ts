// Plays a step of a scenario. Values were checked when the file was read (read.ts); what fails here, fails the step.
import { TritkitError } from "../errors.ts";
import type { Step } from "./read.ts";
import { ASSERT_STEPS } from "./steps/asserts.ts";
import { BOARD_STEPS } from "./steps/board.ts";
import { DEVICE_STEPS } from "./steps/device.ts";
import { LINE_STEPS } from "./steps/line.ts";
import { PIN_STEPS } from "./steps/pins.ts";
import type { Action, Given, StepContext } from "./steps/step.ts";
import { TIME_STEPS } from "./steps/time.ts";
import { TOOLS_STEPS } from "./steps/tools.ts";

/** A large model over a slow line takes minutes. */
const FLASH_MS = 600_000;

const ACTIONS: Readonly<Record<string, Action>> = {
  ...BOARD_STEPS,
  ...TIME_STEPS,
  ...LINE_STEPS,
  ...DEVICE_STEPS,
  ...PIN_STEPS,
  ...TOOLS_STEPS,
  ...ASSERT_STEPS,
};

/**
 * @returns what it found out, or ""
 * @throws TritkitError, SimError
 */
export async function runStep(step: Step, context: StepContext): Promise<string> {
  const { value, options } = step;
  const option = <T>(key: string): T | undefined => options[key] as T | undefined;
  const given: Given = {
    text: String(value),
    number: Number(value),
    value,
    option,
    until() {
      const { timeoutMs } = context.scenario;
      const usual = step.kind === "flash" ? Math.max(timeoutMs, FLASH_MS) : timeoutMs;
      return context.bench.after(option<number>("timeout_ms") ?? usual);
    },
  };
  const code = option<string>("fails");
  if (code === undefined) return ACTIONS[step.kind](context, given);
  try {
    await ACTIONS[step.kind](context, given);
  } catch (error) {
    const found = (error as { code?: unknown }).code;
    if (found === code) return `failed with ${code}, as it should`;
    throw error;
  }
  throw new TritkitError("E_STEP_EXPECT", `It was to fail with ${code}, and did not.`);
}
