/**
 * The faults that can be injected, as data: what each is and which numbers it takes. Written `KIND` or `KIND:name=value,name=value` on a
 * command line, and as an object in a scenario. Every random choice comes from `seed`.
 */
import { SimError } from "../sim_error.ts";

export interface OptionRule {
  /** Left out: the fault does without it, as `about` says. */
  readonly fallback?: number | string;
  readonly low?: number;
  readonly high?: number;
  readonly words?: readonly string[];
  readonly about: string;
}

export interface FaultKind {
  readonly about: string;
  /** What has to be on the board. */
  readonly needs?: "coprocessor";
  readonly options: Readonly<Record<string, OptionRule>>;
}

/** A fault whose options were checked and completed. */
export interface Fault {
  readonly kind: string;
  readonly seed: number;
  readonly numbers: Readonly<Record<string, number>>;
  readonly words: Readonly<Record<string, string>>;
}

const U32 = 2 ** 32 - 1;
const MS_MAX = 86_400_000;
const SEED: OptionRule = { fallback: 1, low: 0, high: U32, about: "of what is left to chance" };
const AT: OptionRule = { low: 0, high: U32, about: "byte of the model partition (default: any packed weight)" };
const SLOT: OptionRule = { low: 0, high: 1, about: "of which slot (default: of whatever is there)" };
const BEAT: OptionRule = { fallback: 0, low: 0, high: U32, about: "which word of weights from now, from 0" };

export const FAULT_KINDS: Readonly<Record<string, FaultKind>> = {
  "weight-flip": {
    about: "a flash cell of a packed weight loses a bit for good; the byte still stands for weights",
    options: { at: AT, slot: SLOT, seed: SEED },
  },
  "illegal-code": {
    about: "the same, and the byte stands for no weights any more",
    options: { at: AT, slot: SLOT, seed: SEED },
  },
  misread: {
    about: "a packed weight reads wrong for a while, by a bit, and right again later",
    options: {
      at: AT,
      slot: SLOT,
      ms: { fallback: 1000, low: 1, high: MS_MAX, about: "how long, simulated" },
      code: { fallback: "legal", words: ["legal", "illegal"], about: "what the wrong byte stands for" },
      seed: SEED,
    },
  },
  "brown-out": {
    about: "the supply dips and the chip starts anew; in the middle of a flash operation that is torn",
    options: {
      in_us: { low: 0, high: MS_MAX * 1000, about: "when (default: now)" },
      flash_op: { low: 1, high: U32, about: "instead: in the n-th erase or program from now" },
      dip_us: { fallback: 20_000, low: 1, high: MS_MAX * 1000, about: "until the voltage is back" },
    },
  },
  "uart-noise": {
    about: "bits of the serial line flip",
    options: {
      per: { fallback: 2000, low: 1, high: U32, about: "one byte in so many is hit" },
      to: { fallback: "both", words: ["board", "host", "both"], about: "which direction" },
      ms: { low: 1, high: MS_MAX, about: "how long (default: until it is cleared)" },
      seed: SEED,
    },
  },
  "bus-error": {
    about: "the bus refuses words of weights that the coprocessor fetches",
    needs: "coprocessor",
    options: { beat: BEAT, beats: { fallback: 1, low: 1, high: U32, about: "how many, one after the other" } },
  },
  stall: {
    about: "the coprocessor's weight memory gives nothing for a while",
    needs: "coprocessor",
    options: { beat: BEAT, cycles: { fallback: 1000, low: 1, high: 1_000_000_000, about: "how long" } },
  },
  "stuck-busy": {
    about:
      "a word of weights never comes: the coprocessor stays busy until its driver takes it back, and every time again",
    needs: "coprocessor",
    options: { beat: BEAT },
  },
  "lost-irq": {
    about: "the coprocessor's interrupt does not come any more",
    needs: "coprocessor",
    options: {},
  },
  "copro-gone": {
    about: "the coprocessor answers nothing any more, as if it were not there",
    needs: "coprocessor",
    options: {},
  },
};

/** `KIND[:name=value,...]`. @throws SimError E_SIM_FAULT */
export function parseFault(text: string): Fault {
  const [kind, rest] = text.split(/:(.*)/s);
  const options: Record<string, unknown> = {};
  for (const piece of rest === undefined || rest === "" ? [] : rest.split(",")) {
    const [name, value] = piece.split(/=(.*)/s);
    if (value === undefined || value === "") throw bad(`"${piece}" of the fault ${kind} is not name=value`);
    if (Object.hasOwn(options, name)) throw bad(`the fault ${kind} has ${name} twice`);
    options[name] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return checkFault(kind, options);
}

/** @throws SimError E_SIM_FAULT naming the option */
export function checkFault(kind: string, options: Readonly<Record<string, unknown>>): Fault {
  if (!Object.hasOwn(FAULT_KINDS, kind))
    throw bad(`there is no fault "${kind}"; there are ${Object.keys(FAULT_KINDS).join(", ")}`);
  const rules = FAULT_KINDS[kind].options;
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined)
    throw bad(`the fault ${kind} takes no "${unknown}"; it takes ${Object.keys(rules).join(", ")}`);
  const numbers: Record<string, number> = {};
  const words: Record<string, string> = {};
  for (const [name, rule] of Object.entries(rules)) {
    const value = options[name] ?? rule.fallback;
    if (value === undefined) continue;
    if (rule.words !== undefined) words[name] = wordOf(kind, name, value, rule.words);
    else numbers[name] = numberOf(kind, name, value, rule);
  }
  if (numbers.in_us !== undefined && numbers.flash_op !== undefined)
    throw bad(`the fault ${kind} takes in_us or flash_op, not both`);
  return { kind, seed: numbers.seed ?? 0, numbers, words };
}

function numberOf(kind: string, name: string, value: unknown, { low = 0, high = U32 }: OptionRule): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
  throw bad(`${name} of the fault ${kind} is a whole number from ${low} to ${high}, not ${JSON.stringify(value)}`);
}

function wordOf(kind: string, name: string, value: unknown, words: readonly string[]): string {
  if (typeof value === "string" && words.includes(value)) return value;
  throw bad(`${name} of the fault ${kind} is ${words.join(" or ")}, not ${JSON.stringify(value)}`);
}

function bad(message: string): SimError {
  return new SimError("E_SIM_FAULT", message);
}
