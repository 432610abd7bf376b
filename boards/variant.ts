/**
 * A variant of a board: a file that says only what it changes.
 *
 *     { "extends": "rp2040-pico", "name": "rp2040-pico+tgemv", "copro": { ... }, "sources": { "copro": "..." } }
 *
 * Objects are merged field by field, everything else takes the place of what was there. In `sources` null takes an entry away, as a value that went needs none.
 * A variant gives the source of every number it changes: those of its board speak for the board's numbers only.
 */
import { leafPaths, sourceKey } from "./checks.ts";
import { BoardError, type JsonObject } from "./fields.ts";

/** The parsed file of another board, or undefined where there is none. */
export type BoardFiles = (name: string) => unknown;

/**
 * @param json what JSON.parse returned
 * @returns `json` itself when it extends no board, else the whole board it stands for
 * @throws BoardError
 */
export function wholeBoard(json: unknown, boards: BoardFiles): unknown {
  if (!isObject(json) || !Object.hasOwn(json, "extends")) return json;
  const { extends: name, ...changes } = json;
  if (typeof name !== "string") throw new BoardError("extends", `expected a board's name, got ${JSON.stringify(name)}`);
  const base = boards(name);
  if (base === undefined) throw new BoardError("extends", `there is no board ${JSON.stringify(name)} beside it`);
  if (!isObject(base)) throw new BoardError("extends", `${name} is no board`);
  if (Object.hasOwn(base, "extends")) throw new BoardError("extends", `${name} is a variant itself`);
  if (typeof changes.name !== "string" || !changes.name.startsWith(`${name}+`))
    throw new BoardError("name", `expected ${name}+ and what it has more, got ${JSON.stringify(changes.name)}`);
  checkSources(changes);
  const whole = merged(base, changes) as Record<string, unknown>;
  whole.sources = Object.fromEntries(Object.entries(whole.sources ?? {}).filter(([, text]) => text !== null));
  return whole;
}

function checkSources(changes: JsonObject): void {
  const { sources = {}, ...facts } = changes;
  const own = isObject(sources) ? (sources as Record<string, string>) : {};
  for (const path of leafPaths(facts, ""))
    if (sourceKey(own, path) === undefined) throw new BoardError(`sources.${path}`, `${path} has no source`);
}

function merged(base: unknown, changes: unknown): unknown {
  if (!isObject(base) || !isObject(changes)) return structuredClone(changes);
  const result: Record<string, unknown> = structuredClone(base);
  for (const [key, value] of Object.entries(changes))
    result[key] = Object.hasOwn(base, key) ? merged(base[key], value) : structuredClone(value);
  return result;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
