// A scenario file, checked: every key is known, every value is of its kind, and what is wrong is said with step and key.
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { parseFault } from "../transports/sim.ts";
import { COMMON, HEAD, type KeyRule, STEPS } from "./rules.ts";

export interface Step {
  /** From 1. */
  readonly number: number;
  readonly kind: string;
  /** What stands behind the step's own key. */
  readonly value: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  /** What a report calls it: its name, or key and value. */
  readonly label: string;
}

export interface Scenario {
  readonly name: string;
  /** Where relative paths begin. */
  readonly folder: string;
  readonly board: string;
  /** In flash before the board is switched on; null: blank. */
  readonly model: string | null;
  readonly seed: number;
  readonly timing: "typ" | "max";
  readonly cpu: "metered" | "flat";
  readonly timeoutMs: number;
  readonly steps: readonly Step[];
}

const LABEL_MAX = 60;
const SUGGESTION_MAX = 3;

/** @throws TritkitError E_FILE_NOT_FOUND (as node's), E_SCENARIO */
export async function readScenario(path: string): Promise<Scenario> {
  const text = await readFile(path, "utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw bad(`${basename(path)} is no JSON: ${(cause as Error).message}.`, cause);
  }
  return parseScenario(json, basename(path).replace(/\.json$/, ""), dirname(path));
}

/** @param name without one of its own. @throws TritkitError E_SCENARIO */
export function parseScenario(json: unknown, name: string, folder: string): Scenario {
  if (!isObject(json)) throw bad("A scenario is an object with steps.");
  const { steps, ...head } = json;
  checkKeys("The scenario", head, HEAD);
  if (!Array.isArray(steps) || steps.length === 0)
    throw bad('The scenario has no steps: "steps" is a list of objects.');
  return {
    name: (head.name as string | undefined) ?? name,
    folder,
    board: (head.board as string | undefined) ?? "rp2040-pico",
    model: (head.model as string | undefined) ?? null,
    seed: (head.seed as number | undefined) ?? 0,
    timing: (head.timing as "typ" | "max" | undefined) ?? "typ",
    cpu: (head.cpu as "metered" | "flat" | undefined) ?? "metered",
    timeoutMs: (head.timeout_ms as number | undefined) ?? 60_000,
    steps: steps.map((step, i) => parseStep(step, i + 1)),
  };
}

function parseStep(step: unknown, number: number): Step {
  const where = `Step ${number}`;
  if (!isObject(step)) throw bad(`${where} is no object.`);
  const keys = Object.keys(step);
  const kinds = keys.filter((key) => Object.hasOwn(STEPS, key));
  if (kinds.length > 1) throw bad(`${where} has ${kinds.join(" and ")}: each is a step of its own.`);
  const [kind] = kinds;
  if (kind === undefined) {
    const [key = "nothing"] = keys.filter((each) => !Object.hasOwn(COMMON, each));
    throw bad(`${where}: there is no step "${key}".${suggestion(key, Object.keys(STEPS))}`);
  }
  const { value: rule, options: rules } = STEPS[kind];
  const { [kind]: value, ...options } = step;
  const what = `${where} (${kind})`;
  check(what, kind, value, rule);
  checkKeys(what, options, { ...rules, ...COMMON });
  checkTogether(what, kind, value, options);
  return { number, kind, value, options, label: (options.name as string | undefined) ?? labelOf(kind, value) };
}

/** Keys that need or exclude one another. */
function checkTogether(what: string, kind: string, value: unknown, options: Record<string, unknown>): void {
  const given = (...keys: string[]) => keys.filter((key) => options[key] !== undefined);
  if (["pin", "assert_pin", "expect_pin"].includes(kind)) need(what, options, "level");
  if (kind === "assert_pwm" || kind === "expect_pwm") need(what, options, "duty");
  if (kind === "call") need(what, options, "verb");
  if (options.duty === null && given("hz").length > 0) throw bad(`${what}: hz goes with a pulse, not with null.`);
  if (kind === "sensor") need(what, options, "value");
  if (kind === "power" && given("in_us", "in_ms", "flash_op").length > 1)
    throw bad(`${what}: in_us, in_ms and flash_op exclude one another.`);
  if (kind === "power" && value === "on" && given("in_us", "in_ms", "flash_op").length > 0)
    throw bad(`${what}: ${given("in_us", "in_ms", "flash_op")[0]} is for "off".`);
  if (kind === "assert") {
    if (given("is", "at_least", "at_most", "baseline").length === 0)
      throw bad(`${what} needs is, at_least, at_most or baseline.`);
    if (given("is", "baseline").length > 1) throw bad(`${what}: is and baseline exclude one another.`);
    if (given("within_percent").length > 0 && given("is", "baseline").length === 0)
      throw bad(`${what}: within_percent goes with is or baseline.`);
  }
  if (kind === "assert_flash" && given("from", "bytes").length === 1) throw bad(`${what}: from and bytes go together.`);
}

function need(what: string, options: Record<string, unknown>, key: string): void {
  if (options[key] === undefined) throw bad(`${what} needs "${key}".`);
}

function checkKeys(what: string, object: Record<string, unknown>, rules: Readonly<Record<string, KeyRule>>): void {
  for (const [key, value] of Object.entries(object)) {
    if (!Object.hasOwn(rules, key))
      throw bad(
        `${what} takes no "${key}".${suggestion(key, Object.keys(rules))}`,
        undefined,
        `It takes ${Object.keys(rules).join(", ")}.`,
      );
    check(what, key, value, rules[key]);
  }
}

function check(what: string, key: string, value: unknown, rule: KeyRule): void {
  const wanted = unwelcome(value, rule);
  if (wanted !== null) throw bad(`${what}: "${key}" is ${wanted}, not ${short(JSON.stringify(value))}.`);
}

/** What the value should have been; null: it is. */
function unwelcome(value: unknown, { type, low = 0, high = 0, words = [] }: KeyRule): string | null {
  const isNumber = typeof value === "number" && Number.isFinite(value);
  switch (type) {
    case "text":
      return typeof value === "string" ? null : "a text";
    case "flag":
      return typeof value === "boolean" ? null : "true or false";
    case "true":
      return value === true ? null : "true";
    case "ids":
      return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isInteger(id) && id >= 0)
        ? null
        : "a list of token ids";
    case "word":
      return words.includes(value as string) ? null : words.map((word) => JSON.stringify(word)).join(" or ");
    case "regex":
      return typeof value === "string" && isRegex(value) ? null : "a regular expression";
    case "hex":
      return typeof value === "string" && /^(\s*[0-9a-f]{2})+\s*$/i.test(value) ? null : "bytes in hexadecimal";
    case "sha256":
      return typeof value === "string" && /^[0-9a-f]{64}$/i.test(value) ? null : "64 hexadecimal digits";
    case "fault":
      return typeof value === "string" ? faultTrouble(value) : "a fault";
    case "level":
      return value === 0 || value === 1 || value === null ? null : "0, 1 or null (nobody drives it)";
    case "duty":
      return value === null || isDuty(value) ? null : "[least, most] from 0 to 65535, or null (no pulse)";
    case "amount":
      return isNumber || typeof value === "string" ? null : "a number, or a word that is a value";
    case "value":
      return isNumber || value === null ? null : "a number, or null (none)";
    case "integer":
      return isNumber && Number.isInteger(value) && value >= low && value <= high
        ? null
        : `a whole number ${range(low, high)}`;
    case "number":
      return isNumber && value >= low && value <= high ? null : `a number ${range(low, high)}`;
  }
}

function isDuty(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [least, most] = value;
  return [least, most].every((duty) => Number.isInteger(duty) && duty >= 0 && duty <= 65535) && least <= most;
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text, "s");
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with the fault, in the words of who knows them; null: nothing. */
function faultTrouble(text: string): string | null {
  if (text === "clear") return null;
  try {
    parseFault(text);
    return null;
  } catch (error) {
    return `a fault (${(error as Error).message})`;
  }
}

function range(low: number, high: number): string {
  if (low === -Number.MAX_VALUE) return "of any size";
  return high >= Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
}

function labelOf(kind: string, value: unknown): string {
  return value === true ? kind : `${kind} ${short(JSON.stringify(value))}`;
}

function short(text: string | undefined): string {
  if (text === undefined) return "nothing";
  return text.length > LABEL_MAX ? `${text.slice(0, LABEL_MAX - 3)}...` : text;
}

/** " Did you mean ...?", where somebody nearly wrote something that exists. */
function suggestion(key: string, known: readonly string[]): string {
  const [best] = known
    .map((word) => ({ word, far: distance(key, word) }))
    .filter(({ word, far }) => far <= Math.min(SUGGESTION_MAX, word.length / 2))
    .sort((a, b) => a.far - b.far);
  return best === undefined ? "" : ` Did you mean "${best.word}"?`;
}

/** Levenshtein's: insertions, deletions and substitutions from one to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(message: string, cause?: unknown, hint = "docs/scenarios.md lists the steps."): TritkitError {
  return new TritkitError("E_SCENARIO", message, hint, EXIT_USAGE, { cause });
}
