// Steps that say what must hold.
import { createHash } from "node:crypto";
import { listModels } from "../../device/models.ts";
import { isWhole } from "../../device/verify.ts";
import { TritkitError } from "../../errors.ts";
import { hex, sameBytes, uploadSha } from "../../image/digest.ts";
import type { Baseline } from "../baseline.ts";
import { modelBytes, recordBytes } from "../model.ts";
import type { Scenario } from "../read.ts";
import type { Metric } from "../rules.ts";
import { pinOf } from "./board.ts";
import { hasLevel, hasPulse, stateText, wantedPulse, wantedText } from "./pins.ts";
import type { Action } from "./step.ts";

export const ASSERT_STEPS: Readonly<Record<string, Action>> = {
  async mark({ measure }) {
    measure.mark();
    return "";
  },
  async assert({ bench, measure, baseline, scenario }, { text, option }) {
    const metric = text as Metric;
    const value = measure.value(metric, bench.chat);
    const shown = `${metric} ${figure(value)}`;
    const key = option<string>("baseline");
    const goal = key === undefined ? option<number>("is") : baselineGoal(baseline, scenario, key, value);
    const within = option<number>("within_percent") ?? 0;
    if (goal !== undefined) {
      const off = goal === 0 ? (value === 0 ? 0 : Number.POSITIVE_INFINITY) : (100 * (value - goal)) / Math.abs(goal);
      if (Math.abs(off) > within + 1e-9)
        throw missed(`The figure ${shown} is ${figure(off)} % off ${figure(goal)}, ${within} % are allowed`);
    }
    const least = option<number>("at_least") ?? Number.NEGATIVE_INFINITY;
    const most = option<number>("at_most") ?? Number.POSITIVE_INFINITY;
    if (value < least) throw missed(`The figure ${shown} is below ${least}`);
    if (value > most) throw missed(`The figure ${shown} is above ${most}`);
    return shown;
  },
  async assert_pin({ bench }, { number, option }) {
    const wanted = { level: option<0 | 1 | null>("level") ?? null };
    if (!hasLevel(bench, pinOf(bench, number), wanted))
      throw missed(`Pin ${number} is ${stateText(bench, number)}, not ${wantedText(wanted)}`);
    return "";
  },
  async assert_pwm({ bench }, { number, option }) {
    const wanted = wantedPulse(option);
    if (!hasPulse(bench, pinOf(bench, number), wanted))
      throw missed(`Pin ${number} is ${stateText(bench, number)}, not ${wantedText(wanted)}`);
    return stateText(bench, number);
  },
  async assert_flash({ bench }, { text, option }) {
    const { flash } = bench.sim;
    const from = option<number>("from") ?? 0;
    const bytes = option<number>("bytes") ?? flash.bytes;
    if (from + bytes > flash.bytes) throw missed(`The model partition has ${flash.bytes} bytes`);
    const sha = createHash("sha256").update(flash.read(from, bytes)).digest("hex");
    if (sha !== text.toLowerCase()) throw missed(`Flash from ${from}, ${bytes} bytes, has the sha256 ${sha}`);
    return "";
  },
  async assert_model({ bench, scenario }, { text, until }) {
    const end = until();
    const device = await bench.device(end);
    const infos = await bench.settle(listModels(device), end, "");
    const active = infos.find(({ state }) => state === "active" || state === "test");
    if (text === "none") {
      if (active !== undefined) throw missed(`The model ${active.name} is active`);
      return "";
    }
    const image = await modelBytes(text, scenario.folder);
    const has = infos.filter(isWhole).map(({ name, state }) => `${name} ${state}`);
    if (active === undefined || !sameBytes(active.sha, uploadSha(image)))
      throw missed(`The active model is not ${text}; the device has ${has.join(", ") || "none"}`);
    const start = recordBytes(bench.sim) + device.hello.slots[active.slot].offset;
    const inFlash = bench.sim.flash.read(start, image.length);
    if (!sameBytes(inFlash, image))
      throw missed(`The active model is ${text}, and its bytes in flash are others: sha256 ${hex(uploadSha(inFlash))}`);
    return "";
  },
  async assert_state({ bench }, { text }) {
    if (bench.sim.state !== text) throw missed(`The board is ${bench.sim.state}`);
    return "";
  },
};

function baselineGoal(baseline: Baseline | null, { name }: Scenario, key: string, value: number): number | undefined {
  if (baseline === null)
    throw new TritkitError(
      "E_STEP_NO_FIGURE",
      `"${key}" is compared with a baseline, and there is none.`,
      "Give --baseline FILE.",
    );
  if (baseline.update) {
    baseline.set(name, key, value);
    return undefined;
  }
  const goal = baseline.get(name, key);
  if (goal !== undefined) return goal;
  throw new TritkitError("E_STEP_NO_FIGURE", `The baseline has no "${key}" of ${name}.`, "--update writes it.");
}

function figure(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function missed(what: string): TritkitError {
  return new TritkitError("E_STEP_ASSERT", `${what}.`);
}
