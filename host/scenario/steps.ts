// What each step of a scenario does. Values were checked when the file was read (read.ts); what fails here, fails the step.
import { createHash } from "node:crypto";
import { flashModel } from "../device/flasher.ts";
import { listModels } from "../device/models.ts";
import { checkFlash, damageError, isWhole } from "../device/verify.ts";
import { TritkitError } from "../errors.ts";
import type { Answer } from "../generation.ts";
import { hex, sameBytes, uploadSha } from "../image/digest.ts";
import { parseFault } from "../transports/sim.ts";
import type { Baseline } from "./baseline.ts";
import type { Bench } from "./bench.ts";
import type { Measure } from "./measure.ts";
import { modelBytes, recordBytes } from "./model.ts";
import type { Scenario, Step } from "./read.ts";
import type { Metric } from "./rules.ts";

export interface StepContext {
  readonly bench: Bench;
  readonly measure: Measure;
  readonly scenario: Scenario;
  readonly baseline: Baseline | null;
}

/** What a step sees of itself: its value and options, which are what the rules say. */
interface Given {
  text: string;
  number: number;
  value: unknown;
  option<T>(key: string): T | undefined;
  /** Simulated time at which the step gives up, ns. */
  until(): number;
}

/** @returns what it found out, or "" */
type Action = (context: StepContext, given: Given) => Promise<string>;

const US = 1000;
const MS = 1_000_000;
const PRESS_MS = 50;
/** A large model over a slow line takes minutes. */
const FLASH_MS = 600_000;

/** @throws TritkitError with the step's number in front of what failed; SimError */
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

const ACTIONS: Readonly<Record<string, Action>> = {
  // -- the board --
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
    const { adc, board } = bench.sim;
    if (number >= adc.channels)
      throw new TritkitError("E_STEP_NO_PIN", `${board.name} has ${adc.channels} ADC channels, from 0 on.`);
    adc.set(number, option<number>("value") ?? 0);
    return "";
  },
  async fault({ bench }, { text }) {
    if (text !== "clear") return bench.faults.inject(parseFault(text));
    bench.faults.clear();
    return "";
  },

  // -- time --
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

  // -- the line --
  async send({ bench }, { text }) {
    bench.sim.uart.hostWrite(Buffer.from(text, "utf8"));
    return "";
  },
  async send_hex({ bench }, { text }) {
    bench.sim.uart.hostWrite(fromHex(text));
    return "";
  },
  receive: (context, given) => receive(context, Buffer.from(given.text, "utf8").toString("latin1"), given),
  receive_hex: (context, given) => receive(context, Buffer.from(fromHex(given.text)).toString("latin1"), given),
  receive_regex: (context, given) => receive(context, new RegExp(given.text, "s"), given),
  async baud({ bench }, { number }) {
    bench.sim.uart.setHostBaud(number);
    return "";
  },

  // -- the device --
  async flash({ bench, scenario }, { text, option, until }) {
    const image = await modelBytes(text, scenario.folder);
    const end = until();
    const device = await bench.device(end);
    const options = {
      confirm: option<boolean>("test") !== true,
      context: option<number>("context") ?? 0,
      single: option<boolean>("single"),
    };
    let shown = "";
    const onProgress = ({ phase, bytes, total }: { phase: string; bytes: number; total: number }) => {
      shown = `${phase}, ${bytes} of ${total} bytes`;
    };
    const done = await bench.settle(flashModel(device, image, { ...options, onProgress }), end, "").catch((error) => {
      if (error instanceof TritkitError && error.code === "E_STEP_TIMEOUT")
        throw new TritkitError(error.code, error.message.replace(/\.$/, `; ${shown}.`), error.hint);
      throw error;
    });
    return `${done.total - done.skipped} of ${done.total} bytes sent, sha256 ${done.sha256.slice(0, 8)}`;
  },
  async chat({ bench }, { text, option, until }) {
    const end = until();
    const options = {
      maxTokens: option<number>("max") ?? 60,
      temperature: option<number>("temp") ?? 0,
      topK: option<number>("top_k"),
      topP: option<number>("top_p"),
      repeat: option<number>("repeat"),
      seed: option<number>("seed") ?? 0,
      keep: option<boolean>("keep"),
    };
    await bench.begin(text, options, end);
    return option<boolean>("wait") === false ? "" : told(await bench.answered(end));
  },
  async answer({ bench }, { until }) {
    if (bench.chat === null) throw new TritkitError("E_STEP_EXPECT", "Nothing was asked yet.");
    return told(await bench.answered(until()));
  },
  async stop({ bench }, { until }) {
    bench.chat?.abort.abort();
    return told(await bench.answered(until()));
  },
  expect: (context, given) => expectText(context, given.text, given),
  expect_regex: (context, given) => expectText(context, new RegExp(given.text, "s"), given),
  async expect_ids({ bench }, { value, until }) {
    const chat = chatOf(bench);
    const wanted = value as number[];
    const shown = () => `the next tokens are ${JSON.stringify(chat.ids.slice(0, wanted.length + 8))}`;
    const differs = () => chat.ids.some((id, i) => i < wanted.length && id !== wanted[i]);
    await bench.until(
      () => chat.ids.length >= wanted.length || differs(),
      until(),
      shown,
      () => ended(bench),
    );
    if (differs())
      throw new TritkitError("E_STEP_EXPECT", `The tokens are others than ${wanted.join(", ")}; ${shown()}.`);
    chat.ids.splice(0, wanted.length);
    return "";
  },
  async verify({ bench, scenario }, { text, until }) {
    const image = await modelBytes(text, scenario.folder);
    const end = until();
    const device = await bench.device(end);
    const found = await bench.settle(checkFlash(device, image), end, "");
    if (found.damaged.length > 0) throw damageError(found);
    return `${found.blocks} blocks of slot ${found.slot} are as they were`;
  },

  // -- what must hold --
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
    const level = bench.sim.gpio.level(pinOf(bench, number));
    const wanted = option<0 | 1 | null>("level") ?? null;
    if (level !== wanted) throw missed(`Pin ${number} is ${levelText(level)}, not ${levelText(wanted)}`);
    return "";
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

async function pass(bench: Bench, ns: number): Promise<string> {
  bench.mayPass();
  await bench.drive.run(() => false, bench.sim.now + Math.round(ns));
  return "";
}

async function receive({ bench }: StepContext, wanted: string | RegExp, { until }: Given): Promise<string> {
  await bench.until(
    () => bench.line.take(wanted),
    until(),
    () => bench.line.shown,
    () => null,
  );
  return "";
}

async function expectText({ bench }: StepContext, wanted: string | RegExp, { until }: Given): Promise<string> {
  const { text } = chatOf(bench);
  await bench.until(
    () => text.take(wanted),
    until(),
    () => text.shown,
    () => ended(bench),
  );
  return "";
}

/** Why nothing more comes of the answer; null: it may. @throws what ended it */
function ended({ chat }: Bench): string | null {
  if (chat?.ended?.error != null) throw chat.ended.error;
  const answer = chat?.ended?.answer ?? null;
  return answer === null ? null : `The answer ended (${answer.stop}) without it`;
}

function chatOf(bench: Bench): NonNullable<Bench["chat"]> {
  if (bench.chat === null) throw new TritkitError("E_STEP_EXPECT", "Nothing was asked yet.", 'A step "chat" asks.');
  return bench.chat;
}

function told(answer: Answer | null): string {
  if (answer === null) return "";
  const { tokenIds, stop } = answer;
  return `${tokenIds.length} tokens, ${stop}`;
}

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

function pinOf(bench: Bench, pin: number): number {
  const { name, gpio } = bench.board;
  if (pin < gpio.pins) return pin;
  throw new TritkitError("E_STEP_NO_PIN", `${name} has ${gpio.pins} pins, from 0 on.`);
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ""), "hex"));
}

/** Figures as they are compared, without the noise of a division. */
function figure(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function levelText(level: 0 | 1 | null): string {
  return level === null ? "floating" : level === 1 ? "high" : "low";
}

function missed(what: string): TritkitError {
  return new TritkitError("E_STEP_ASSERT", `${what}.`);
}
