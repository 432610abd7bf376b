/** Fields of a JSON object that came from outside: each read names what it wanted and where. */
import { TritkitError } from "../errors.ts";

/** `"`, `\\`, `,`, `{`, `[`; the closing brackets are two further. */
const [QUOTE, BACKSLASH, COMMA, BRACE, BRACKET] = [0x22, 0x5c, 0x2c, 0x7b, 0x5b];
/** Files of a model nest 8 deep. */
const DEPTH_MAX = 100;
/** The largest tokenizer.json, of 262,144 tokens, has half as many. */
const VALUES_MAX = 3_000_000;

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
    // Node takes 17 seconds for 60 MB of opening brackets, and 12 for 13 million empty lists (measured).
    const excess = excessOf(text);
    if (excess !== null) throw new TritkitError("E_SOURCE_FORMAT", `${where} ${excess}.`, "Download the model again.");
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

/**
 * Looks at brackets and commas outside strings; whether the text is JSON at all is the parser's to say.
 * @returns what no file of a model has, or null
 */
function excessOf(text: string): string | null {
  let depth = 0;
  let values = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) inString = !inString;
    else if (inString) {
      if (code === BACKSLASH) at++;
    } else if (code === COMMA) {
      if (++values > VALUES_MAX) return `has more than ${VALUES_MAX} values`;
    } else if (code === BRACE || code === BRACKET) {
      if (++depth > DEPTH_MAX) return `nests its values more than ${DEPTH_MAX} deep`;
    } else if (code === BRACE + 2 || code === BRACKET + 2) depth--;
  }
  return null;
}

/** Is a string that ends before `at` followed by a colon? */
function isKey(text: string, at: number): boolean {
  while (" \t\n\r".includes(text[at])) at++;
  return text[at] === ":";
}
