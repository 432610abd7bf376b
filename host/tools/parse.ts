/** tools.json -> tools, with every default filled in. docs/tools.md is the field table, docs/tools.schema.json the same for editors. */
import { TOOLS_MAX } from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import { parseDrive } from "./drive.ts";
import { Fields, type Problem } from "./fields.ts";
import { KINDS, UNITS, type Unit, VERB_NAMES, type Verb } from "./names.ts";
import type { Drive, Tool, ToolTable } from "./tool.ts";
import { ENGLISH, normalised } from "./words.ts";

/** Of a phrase and of a name, bytes. */
export const PHRASE_MAX = 48;
export const NAME_MAX = 32;
/** A file of 32 tools with every key has 20 kB. */
export const FILE_MAX = 256 * 1024;
/** Thousandths are 32 bits with a sign. */
const NUMBER_MAX = 2_147_483;

export const FILE_KEYS = ["$schema", "name", "description", "dry_run", "tools"] as const;
export const TOOL_KEYS = ["name", "kind", "description", "aliases", "verbs", "argument", "drive"] as const;
export const ARGUMENT_KEYS = ["name", "unit", "min", "max", "step", "on", "values"] as const;

export interface ToolsFile extends ToolTable {
  readonly name: string;
  readonly description: string;
}

export interface ParsedTools {
  readonly file: ToolsFile;
  /** Empty: `file` may be used. In the order of the file. */
  readonly problems: readonly Problem[];
}

/**
 * @param where the file, for messages
 * @throws TritkitError E_TOOLS with the first problem and its place
 */
export function parseTools(where: string, text: string): ToolsFile {
  const { file, problems } = checkTools(where, text);
  if (problems.length > 0) throw problemsError(where, problems);
  return file;
}

/** One sentence for a file that has problems. */
export function problemsError(where: string, problems: readonly Problem[]): TritkitError {
  const [{ place, what }] = problems;
  const more = problems.length - 1;
  const others = more === 0 ? "" : ` and ${more === 1 ? "one more problem" : `${more} more problems`}`;
  const hint = more === 0 ? "docs/tools.md has every key." : `\`tritkit tools check ${where}\` lists them.`;
  return new TritkitError("E_TOOLS", `${[where, place].filter(Boolean).join(", ")}: ${what}${others}.`, hint);
}

/** The same with all problems. @throws TritkitError E_TOOLS for what is no JSON at all */
export function checkTools(where: string, text: string): ParsedTools {
  const problems: Problem[] = [];
  const fields = new Fields(problems, "", readJson(where, text));
  fields.only(FILE_KEYS);
  const list = fields.list("tools");
  if (list.length === 0) fields.bad("tools", "a table has at least one tool");
  if (list.length > TOOLS_MAX) fields.bad("tools", `${list.length} tools are too many: a table holds ${TOOLS_MAX}`);
  const tools = list.map((value, i) => parseTool(new Fields(problems, `tools[${i}]`, value)));
  for (const [i, { name }] of tools.entries()) {
    const first = tools.findIndex((tool) => normalised(tool.name) === normalised(name));
    if (first < i && name !== "")
      problems.push({ place: `tools[${i}].name`, what: `tools[${first}] has the name "${name}" already` });
  }
  const file = {
    name: fields.text("name", ""),
    description: fields.text("description", ""),
    dryRun: fields.flag("dry_run"),
    tools,
    words: ENGLISH,
  };
  return { file, problems };
}

function readJson(where: string, text: string): unknown {
  if (text.length > FILE_MAX)
    throw new TritkitError("E_TOOLS", `${where} has ${text.length} bytes, a tools.json has at most ${FILE_MAX}.`);
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    const at = /at position (\d+)/.exec((cause as Error).message)?.[1];
    const before = at === undefined ? text : text.slice(0, Number(at));
    const place = `line ${before.split("\n").length}, column ${before.length - before.lastIndexOf("\n")}`;
    const message = `${where} is not valid JSON: see ${place}.`;
    throw new TritkitError("E_TOOLS", message, "JSON has no comments and no comma behind the last.", undefined, {
      cause,
    });
  }
}

function parseTool(fields: Fields): Tool {
  fields.only(TOOL_KEYS);
  const name = fields.text("name");
  if (fields.has("name") && normalised(name) === "") fields.bad("name", "there is no word in it");
  if (bytesOf(name) > NAME_MAX)
    fields.bad("name", `${bytesOf(name)} bytes are too many: a name has at most ${NAME_MAX}`);
  const kind = fields.oneOf("kind", KINDS) ?? KINDS[0];
  const drive = parseDrive(fields.fields("drive"));
  const verbs = parseVerbs(fields, drive);
  return {
    name,
    kind,
    description: fields.text("description", ""),
    aliases: parseAliases(fields, name),
    verbs,
    ...parseArgument(fields.fields("argument"), fields.has("argument"), drive, verbs),
    drive,
  };
}

function parseAliases(fields: Fields, name: string): string[] {
  const phrases = new Set([normalised(name)]);
  for (const [i, alias] of fields.texts("aliases").entries()) {
    if (alias === null) continue;
    const phrase = normalised(alias);
    const place = `aliases[${i}]`;
    if (phrase === "") fields.bad(place, "there is no word in it");
    checkLength(fields, place, phrase);
    phrases.add(phrase);
  }
  return [...phrases].filter((phrase) => phrase !== "");
}

/** What a drive can do; `none` whatever is asked, so that a table can be tried without pins. */
const CAN: Record<Drive["type"], readonly Verb[]> = {
  none: VERB_NAMES,
  gpio: ["on", "off", "get"],
  pwm: VERB_NAMES,
  adc: ["get"],
  timer: ["off", "set", "up", "down", "get"],
};

function parseVerbs(fields: Fields, drive: Drive): readonly Verb[] {
  const able = CAN[drive.type];
  if (!fields.has("verbs")) return drive.type === "none" && !fields.has("argument") ? CAN.gpio : able;
  const given = fields.texts("verbs");
  if (given.length === 0) fields.bad("verbs", "a tool has at least one verb");
  for (const [i, verb] of given.entries())
    if (verb !== null && !(able as readonly string[]).includes(verb))
      fields.bad(
        `verbs[${i}]`,
        `a tool with the drive ${drive.type} has no ${JSON.stringify(verb)}, but ${able.join(", ")}`,
      );
  return VERB_NAMES.filter((verb) => given.includes(verb));
}

type Argument = Pick<Tool, "unit" | "min" | "max" | "step" | "on" | "values">;

/** Of a switch: off is 0, on is 1. */
const NO_ARGUMENT: Argument = { unit: null, min: 0, max: 1000, step: 0, on: 1000, values: new Map() };
/** Where a unit alone says the range. */
const RANGES: Partial<Record<Unit, readonly [number, number]>> = { percent: [0, 100], seconds: [1, 86400] };
/** Up and down go this part of the range unless told otherwise. */
const STEPS = 10;

function parseArgument(fields: Fields, given: boolean, drive: Drive, verbs: readonly Verb[]): Argument {
  fields.only(ARGUMENT_KEYS);
  if (drive.type === "gpio" && given) fields.bad("", "a tool with the drive gpio is on or off, and has no argument");
  const moves = verbs.includes("up") || verbs.includes("down");
  if (drive.type === "gpio" || (drive.type === "none" && !given))
    return moves ? { ...NO_ARGUMENT, step: NO_ARGUMENT.max } : NO_ARGUMENT;
  fields.text("name", "");
  const usual = drive.type === "timer" ? "seconds" : given ? "" : "percent";
  const unit = fields.oneOf("unit", UNITS, usual) || null;
  if (drive.type === "timer" && unit !== "seconds") fields.bad("unit", "a timer counts seconds");
  const [low, high] = (unit && RANGES[unit]) ?? [];
  const before = fields.problems.length;
  const min = amount(fields, "min", low);
  const max = amount(fields, "max", high);
  if (fields.problems.length === before && max <= min)
    fields.bad("max", `${max / 1000} is not above min ${min / 1000}`);
  // Without a range nothing can be said of what should lie in it.
  if (fields.problems.length > before) return NO_ARGUMENT;
  const step = amount(fields, "step", moves ? Math.max(0.001, Math.round((max - min) / STEPS) / 1000) : 0);
  if (moves && step <= 0 && fields.problems.length === before) fields.bad("step", `${step / 1000} is not above 0`);
  const on = amount(fields, "on", max / 1000);
  if (on < min || on > max) fields.bad("on", `${on / 1000} is outside ${min / 1000}..${max / 1000}`);
  return { unit, min, max, step: Math.max(step, 0), on, values: parseValues(fields.fields("values"), min, max) };
}

function parseValues(fields: Fields, min: number, max: number): Map<string, number> {
  const values = new Map<string, number>();
  for (const word of fields.keys()) {
    const phrase = normalised(word);
    const value = amount(fields, word);
    if (phrase === "") fields.bad(word, "there is no word in it");
    else if (values.has(phrase)) fields.bad(word, `the words "${phrase}" are there already`);
    else if (value < min || value > max) fields.bad(word, `${value / 1000} is outside ${min / 1000}..${max / 1000}`);
    checkLength(fields, word, phrase);
    values.set(phrase, value);
  }
  return values;
}

/** A number in thousandths. */
function amount(fields: Fields, name: string, fallback?: number): number {
  const before = fields.problems.length;
  const value = fields.number(name, { low: -NUMBER_MAX, high: NUMBER_MAX }, fallback);
  if (fields.problems.length > before) return 0;
  const thousandths = Math.round(value * 1000);
  // 21.3 * 1000 is 21300.000000000004.
  if (Math.abs(thousandths - value * 1000) > 1e-3) fields.bad(name, `${value} has more than three decimals`);
  return thousandths;
}

function checkLength(fields: Fields, place: string, phrase: string): void {
  if (bytesOf(phrase) > PHRASE_MAX)
    fields.bad(place, `${bytesOf(phrase)} bytes are too many: a phrase has at most ${PHRASE_MAX}`);
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text, "utf8");
}
