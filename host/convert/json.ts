/** Fields of a JSON object that came from outside: each read names what it wanted and where. */
import { TritkitError } from "../errors.ts";

export class JsonFields {
  readonly where: string;
  private readonly object: Readonly<Record<string, unknown>>;

  /** @param where the file, for messages */
  constructor(where: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new TritkitError("E_SOURCE_FORMAT", `${where} is no JSON object.`, "Download the model again.");
    this.where = where;
    this.object = value as Record<string, unknown>;
  }

  static parse(where: string, text: string): JsonFields {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new TritkitError("E_SOURCE_FORMAT", `${where} is not valid JSON.`, "Download the model again.", undefined, {
        cause,
      });
    }
    return new JsonFields(where, value);
  }

  /** The value as it is; undefined when absent or null. */
  get(name: string): unknown {
    return Object.hasOwn(this.object, name) ? (this.object[name] ?? undefined) : undefined;
  }

  keys(): string[] {
    return Object.keys(this.object);
  }

  number(name: string, fallback?: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.bad(name, "a number");
    return value;
  }

  integer(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (!Number.isSafeInteger(value) || value < 0) throw this.bad(name, "a whole number");
    return value;
  }

  text(name: string, fallback?: string): string {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "string") throw this.bad(name, "a text");
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "boolean") throw this.bad(name, "true or false");
    return value;
  }

  list(name: string): unknown[] {
    const value = this.get(name) ?? [];
    if (!Array.isArray(value)) throw this.bad(name, "a list");
    return value;
  }

  /** null when absent. */
  fields(name: string): JsonFields | null {
    const value = this.get(name);
    return value === undefined ? null : new JsonFields(`${this.where}, ${name}`, value);
  }

  bad(name: string, wanted: string): TritkitError {
    return new TritkitError(
      "E_SOURCE_FORMAT",
      `${this.where} needs ${wanted} in ${name}.`,
      "Download the model again.",
    );
  }
}

/**
 * JSON.parse keeps the last of equal keys in silence, so that a tensor could hide another.
 * @param text valid JSON
 * @returns a key that the outermost object has twice, or null
 */
export function repeatedKey(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    if (character !== '"') continue;
    const start = at;
    for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
    if (depth !== 1 || !isKey(text, at + 1)) continue;
    const key = JSON.parse(text.slice(start, at + 1)) as string;
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return null;
}

/** Is a string that ends before `at` followed by a colon? */
function isKey(text: string, at: number): boolean {
  while (" \t\n\r".includes(text[at])) at++;
  return text[at] === ":";
}
