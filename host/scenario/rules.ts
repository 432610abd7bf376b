// What a scenario may say, as data: the keys of the file, the steps, and what each of them takes. docs/scenarios.md is the same for people.
import { CALLS_MAX } from "../../spec/tools.ts";
import { RESULT_NAMES, SAYS, VERB_NAMES } from "../tools/names.ts";

export interface KeyRule {
  /** "true": the value says nothing but that the step is there. */
  readonly type:
    | "text"
    | "integer"
    | "number"
    | "flag"
    | "true"
    | "ids"
    | "word"
    | "level"
    | "duty"
    | "amount"
    | "value"
    | "regex"
    | "hex"
    | "sha256"
    | "fault";
  readonly low?: number;
  readonly high?: number;
  readonly words?: readonly (string | number)[];
}

export interface StepRule {
  readonly value: KeyRule;
  readonly options: Readonly<Record<string, KeyRule>>;
}

const TEXT: KeyRule = { type: "text" };
const TRUE: KeyRule = { type: "true" };
const REGEX: KeyRule = { type: "regex" };
const HEX: KeyRule = { type: "hex" };
const FLAG: KeyRule = { type: "flag" };
const count = (low: number, high = Number.MAX_SAFE_INTEGER): KeyRule => ({ type: "integer", low, high });
const real = (low: number, high: number): KeyRule => ({ type: "number", low, high });
const word = (...words: (string | number)[]): KeyRule => ({ type: "word", words });

const U32 = 2 ** 32 - 1;
/** A day of simulated time. */
const MS_MAX = 86_400_000;
const MS = real(0, MS_MAX);
const US = real(0, MS_MAX * 1000);
const PIN = count(0, 255);

const VERB = word(...VERB_NAMES);
const RESULT = word(...RESULT_NAMES);
const LASTS = real(0, 86_400);

/** Of every step. */
export const COMMON: Readonly<Record<string, KeyRule>> = { name: TEXT, about: TEXT };

const TIMEOUT = { timeout_ms: MS };
/** A step that a device may refuse: then with this code. */
const FAILS = { fails: TEXT };
const MATCH = { ...TIMEOUT };
const CHAT_OPTIONS = {
  max: count(0, U32),
  temp: real(0, 100),
  top_k: count(0, U32),
  top_p: real(0, 1),
  repeat: real(0.1, 10),
  seed: count(0, U32),
  keep: FLAG,
};
/** [least, most] of 65535; null: no pulse. */
const PULSE = { duty: { type: "duty" }, hz: count(1, 65535) } satisfies Record<string, KeyRule>;
const GOALS = {
  is: real(-Number.MAX_VALUE, Number.MAX_VALUE),
  at_least: real(-Number.MAX_VALUE, Number.MAX_VALUE),
  at_most: real(-Number.MAX_VALUE, Number.MAX_VALUE),
  baseline: TEXT,
  within_percent: real(0, 1000),
};

export const METRICS = [
  "us",
  "tokens",
  "tokens_per_second",
  "us_per_token",
  "first_token_us",
  "cycles",
  "instructions",
  "wait_cycles",
  "cycles_per_token",
  "uj",
  "uj_per_token",
  "flash_operations",
  "uart_overruns",
  "uart_framing_errors",
] as const;
export type Metric = (typeof METRICS)[number];

export const STEPS: Readonly<Record<string, StepRule>> = {
  // The board
  power: { value: word("on", "off"), options: { in_us: US, in_ms: MS, flash_op: count(1, U32) } },
  reset: { value: TRUE, options: {} },
  press: { value: { type: "integer", low: 0, high: 255 }, options: { level: word(0, 1), for_ms: MS } },
  pin: { value: PIN, options: { level: { type: "level" } } },
  sensor: { value: count(0, 255), options: { value: count(0, 65535) } },
  fault: { value: { type: "fault" }, options: {} },
  // Time
  wait_us: { value: US, options: {} },
  wait_ms: { value: MS, options: {} },
  pause: { value: TRUE, options: {} },
  resume: { value: TRUE, options: {} },
  step_polls: { value: count(1, 1e9), options: {} },
  step_us: { value: US, options: {} },
  step_tokens: { value: count(1, 1e6), options: TIMEOUT },
  speed: { value: word(1, "max"), options: {} },
  // The line
  send: { value: TEXT, options: {} },
  send_hex: { value: HEX, options: {} },
  receive: { value: TEXT, options: MATCH },
  receive_regex: { value: REGEX, options: MATCH },
  receive_hex: { value: HEX, options: MATCH },
  baud: { value: count(300, 20_000_000), options: {} },
  // The device
  flash: { value: TEXT, options: { context: count(1, U32), single: FLAG, test: FLAG, ...TIMEOUT, ...FAILS } },
  chat: { value: TEXT, options: { ...CHAT_OPTIONS, wait: FLAG, ...TIMEOUT, ...FAILS } },
  answer: { value: TRUE, options: { ...TIMEOUT, ...FAILS } },
  stop: { value: TRUE, options: TIMEOUT },
  expect: { value: TEXT, options: MATCH },
  expect_regex: { value: REGEX, options: MATCH },
  expect_ids: { value: { type: "ids" }, options: MATCH },
  expect_pin: { value: PIN, options: { level: { type: "level" }, ...TIMEOUT } },
  expect_pwm: { value: PIN, options: { ...PULSE, ...TIMEOUT } },
  // An assistant
  tools: { value: TEXT, options: { ...TIMEOUT, ...FAILS } },
  call: {
    value: TEXT,
    options: { verb: VERB, amount: { type: "amount" }, seconds: LASTS, result: RESULT, ...TIMEOUT, ...FAILS },
  },
  expect_call: {
    value: TEXT,
    options: { verb: VERB, value: { type: "value" }, seconds: LASTS, result: RESULT, ...TIMEOUT },
  },
  expect_calls: { value: count(0, CALLS_MAX), options: TIMEOUT },
  expect_say: { value: word(...SAYS), options: TIMEOUT },
  verify: { value: TEXT, options: { ...TIMEOUT, ...FAILS } },
  // What must hold
  mark: { value: TRUE, options: {} },
  assert: { value: word(...METRICS), options: GOALS },
  assert_pin: { value: PIN, options: { level: { type: "level" } } },
  assert_pwm: { value: PIN, options: PULSE },
  assert_flash: { value: { type: "sha256" }, options: { from: count(0, U32), bytes: count(1, U32) } },
  assert_model: { value: TEXT, options: TIMEOUT },
  assert_state: { value: word("on", "off"), options: {} },
};

/** Of the file beside `steps`. */
export const HEAD: Readonly<Record<string, KeyRule>> = {
  name: TEXT,
  about: TEXT,
  board: TEXT,
  model: TEXT,
  seed: count(0, U32),
  timing: word("typ", "max"),
  cpu: word("metered", "flat"),
  timeout_ms: MS,
};
