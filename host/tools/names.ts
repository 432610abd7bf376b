/** What the numbers of spec/tools.ts are called in tools.json, in events and on the command line. */
import {
  CALL_CANNOT,
  CALL_DONE,
  CALL_DRY,
  CALL_FAILED,
  CALL_NO_TOOL,
  CALL_RANGE,
  CALL_UNIT,
  CALL_UNSURE,
  TOOL_TOKENS,
  VERBS,
} from "../../spec/tools.ts";

/** By TOOL_*: what a model can tell apart. */
export const KINDS = [
  ...["light", "fan", "heater", "cooler", "switch", "cover", "lock", "volume"],
  ...["timer", "temperature", "humidity", "luminance", "sensor", "robot", "maker", "alarm"],
] as const;
/** By VERB_*. */
export const VERB_NAMES = ["on", "off", "set", "up", "down", "get"] as const;
/** By DRIVE_*. */
export const DRIVES = ["none", "gpio", "pwm", "adc", "timer"] as const;
/** By UNIT_*; the first stands for no unit. */
export const UNITS = ["", "percent", "celsius", "seconds"] as const;
/** By UNIT_*, behind a number. */
export const UNIT_SIGNS = ["", " %", " \u00b0C", " s"] as const;
/** By WORD_*: the lists of spec/words_en.json behind aliases and values. */
export const WORD_NAMES = [
  ...["alias", "value", "units", "tens", "hundred", "half", "article", "and"],
  ...["point", "percent", "degree", "celsius", "fahrenheit", "time", "range"],
] as const;
/** By TOK_CALL .. TOK_CONFIRM: how an answer begins. */
export const SAYS = ["call", "none", "decline", "ask", "say", "user", "board", "confirm"] as const;

export type Kind = (typeof KINDS)[number];
export type Verb = (typeof VERB_NAMES)[number];
export type DriveType = (typeof DRIVES)[number];
export type Unit = Exclude<(typeof UNITS)[number], "">;
export type Say = (typeof SAYS)[number];

/** By CALL_*: what became of a call. */
const RESULTS = {
  [CALL_DONE]: "done",
  [CALL_DRY]: "dry",
  [CALL_NO_TOOL]: "no_tool",
  [CALL_CANNOT]: "cannot",
  [CALL_RANGE]: "range",
  [CALL_UNIT]: "unit",
  [CALL_UNSURE]: "unsure",
  [CALL_FAILED]: "failed",
} as const;
export type CallResult = (typeof RESULTS)[keyof typeof RESULTS];

export const RESULT_NAMES: readonly CallResult[] = Object.values(RESULTS);

/** null for a number that this version does not know. */
export function resultName(rc: number): CallResult | null {
  return (RESULTS as Record<number, CallResult>)[rc] ?? null;
}

/** The special tokens of an assistant as a tokenizer.json spells them, in the order of their ids. */
export const TOKEN_NAMES: readonly string[] = [
  ...SAYS,
  ...VERB_NAMES,
  ...["verb6", "verb7"],
  ...KINDS,
  ...KINDS.map((kind) => `${kind}2`),
  ...["n", "p", "d", "t", "w"].flatMap((slot) => [1, 2, 3].map((ordinal) => `${slot}${ordinal}`)),
  "all",
].map((name) => `<|${name}|>`);

if (TOKEN_NAMES.length !== TOOL_TOKENS || VERB_NAMES.length !== VERBS)
  throw new Error("the names do not match spec/tools.ts");
