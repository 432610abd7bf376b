/**
 * Held-out examples (examples/assistant/eval/README.md): a line of JSON each, beside the tools that they are said to. Read with distrust: a set with a slip in it
 * would only lower a figure, and nobody would know.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { SAYS, type Say, VERB_NAMES, type Verb } from "../../host/tools/names.ts";
import { parseTools, type ToolsFile } from "../../host/tools/parse.ts";
import { ROOT } from "../lib/root.mjs";

export const SETS_FOLDER = join(ROOT, "examples/assistant/eval");
const TABLES_FOLDER = join(ROOT, "examples/assistant/tools");

export interface WantedCall {
  readonly verb: Verb;
  /** Name of the tool, or "all". */
  readonly tool: string;
  /** Thousandths of the tool's unit: of set the value, of up and down the amount; null: none was said. */
  readonly value: number | null;
  /** Thousandths; 0: for good. */
  readonly seconds: number;
}

/** A call of the turn before. */
export interface PreviousCall extends WantedCall {
  /** The slot's token as the user said it, "w1"; null: the first of the class that the tool's unit has. */
  readonly slot: string | null;
}

export interface Example {
  /** The file's name. */
  readonly set: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly tools: ToolsFile;
  /** Equal for equal tables. */
  readonly table: string;
  readonly previous: readonly PreviousCall[];
  /** The turn before ended with the board asking whether its calls were meant. */
  readonly unsure: boolean;
  readonly say: Say;
  readonly calls: readonly WantedCall[];
  readonly source: string;
  readonly tags: readonly string[];
}

type Json = Record<string, unknown>;

/** Names of the sets that are there. */
export async function setNames(folder = SETS_FOLDER): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  return files.filter((name) => name.endsWith(".jsonl")).sort();
}

/** @throws Error that names file, line and what is wrong */
export async function readSet(file: string): Promise<Example[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  const tables = new Tables();
  const examples: Example[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    try {
      examples.push(await exampleOf(JSON.parse(line) as Json, basename(file), i + 1, tables));
    } catch (error) {
      throw new Error(`${file}, line ${i + 1}: ${(error as Error).message}`);
    }
  }
  return examples;
}

async function exampleOf(json: Json, set: string, line: number, tables: Tables): Promise<Example> {
  const expect = object(json.expect, "expect");
  const say = oneOf(expect.say, SAYS, "expect.say");
  const [table, tools] = await tables.of(json.tools);
  const calls = list(expect.calls, "expect.calls").map((call) => callOf(call, tools, say === "call"));
  if ((say === "call") !== calls.length > 0) throw new Error(`say "${say}" with ${calls.length} calls`);
  return {
    ...{ set, line, tools, table, say, calls },
    text: text(json.text, "text"),
    previous: list(json.prev, "prev").map((call) => {
      const { slot } = call as Json;
      return { ...callOf(call, tools, false), slot: slot === undefined ? null : text(slot, "prev.slot") };
    }),
    unsure: json.unsure === true,
    source: text(json.source ?? "", "source"),
    tags: list(json.tags, "tags").map((tag) => text(tag, "tags")),
  };
}

/** @param complete set needs its value */
function callOf(json: unknown, { tools }: ToolsFile, complete: boolean): WantedCall {
  const call = object(json, "a call");
  const verb = oneOf(call.verb, VERB_NAMES, "verb");
  const tool = text(call.tool, "tool");
  if (tool !== "all" && !tools.some(({ name }) => name === tool)) throw new Error(`there is no tool "${tool}"`);
  const value = thousandths(call.value, "value");
  if (complete && verb === "set" && value === null) throw new Error("set without a value");
  return { verb, tool, value, seconds: thousandths(call.seconds, "seconds") ?? 0 };
}

/** Tables by what an example says of them: a file's name, or the table itself. */
class Tables {
  readonly #known = new Map<string, ToolsFile>();

  async of(value: unknown): Promise<[key: string, tools: ToolsFile]> {
    const named = typeof value === "string";
    const key = named ? value : JSON.stringify(object(value, "tools"));
    let tools = this.#known.get(key);
    if (tools === undefined) {
      const source = named ? await readFile(join(TABLES_FOLDER, `${basename(key)}.json`), "utf8") : key;
      tools = parseTools(named ? `${key}.json` : "its tools", source);
      this.#known.set(key, tools);
    }
    return [key, tools];
  }
}

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Json;
}

function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Error(`${what} is no text`);
  return value;
}

function oneOf<T extends string>(value: unknown, known: readonly T[], what: string): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw new Error(`${what} ${JSON.stringify(value)} is none of ${known.join(", ")}`);
  return found;
}

function thousandths(value: unknown, what: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "number") throw new Error(`${what} is no number`);
  return Math.round(value * 1000);
}
