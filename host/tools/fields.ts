/**
 * Fields of a tools.json: whatever is wrong is noted with its place ("tools[2].argument.max") and reading goes on, so that one look at the file shows all
 * of it. A value that is wrong is replaced by one that is right, which nobody uses, because a file with problems is refused.
 */

export interface Problem {
  /** "tools[2].argument.max"; "" for the file as a whole. */
  readonly place: string;
  /** A sentence's rest, without its full stop: "10 is below min 20". */
  readonly what: string;
}

export interface Range {
  readonly low: number;
  readonly high: number;
  readonly whole?: boolean;
}

export class Fields {
  readonly place: string;
  readonly problems: Problem[];
  private readonly object: Readonly<Record<string, unknown>>;

  constructor(problems: Problem[], place: string, value: unknown) {
    this.problems = problems;
    this.place = place;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) problems.push({ place, what: `${shown(value)} is no object` });
    this.object = isObject ? (value as Record<string, unknown>) : {};
  }

  /** Place of a field; of the whole with "". */
  at(name: string): string {
    if (name === "") return this.place;
    return this.place === "" ? name : `${this.place}.${name}`;
  }

  bad(name: string, what: string): void {
    this.problems.push({ place: this.at(name), what });
  }

  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  get(name: string): unknown {
    return this.has(name) ? this.object[name] : undefined;
  }

  keys(): string[] {
    return Object.keys(this.object);
  }

  /** A key that nobody reads is a slip, or belongs to another version. */
  only(known: readonly string[]): void {
    for (const key of this.keys()) {
      if (known.includes(key)) continue;
      const near = known.find((candidate) => isNear(candidate, key));
      const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
      this.bad(key, `there is no such key; ${hint}`);
    }
  }

  /** @param fallback without one the field must be there */
  text(name: string, fallback?: string): string {
    const value = this.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === "string") return value;
    this.bad(name, value === undefined ? "a text is missing" : `${shown(value)} is no text`);
    return "";
  }

  flag(name: string): boolean {
    const value = this.get(name) ?? false;
    if (typeof value === "boolean") return value;
    this.bad(name, `${shown(value)} is neither true nor false`);
    return false;
  }

  oneOf<T extends string>(name: string, known: readonly T[], fallback?: T): T | null {
    const value = this.get(name) ?? fallback;
    const found = known.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    const what = value === undefined ? "it is missing" : `there is no ${shown(value)}`;
    this.bad(name, `${what}; known are ${known.join(", ")}`);
    return null;
  }

  /** @param fallback without one the field must be there */
  number(name: string, range: Range, fallback?: number): number {
    return this.#numeric(name, this.at(name), this.get(name) ?? fallback, range);
  }

  /** Two numbers; `fallback` when there are none. */
  pair(name: string, range: Range, fallback: readonly [number, number]): [number, number] {
    const value = this.get(name);
    if (value === undefined) return [...fallback];
    if (Array.isArray(value) && value.length === 2) {
      const [first, last] = value.map((each, i) => this.#numeric(name, `${this.at(name)}[${i}]`, each, range));
      return [first, last];
    }
    this.bad(name, `${shown(value)} is no pair of numbers, as [0, 65535]`);
    return [...fallback];
  }

  list(name: string): unknown[] {
    const value = this.get(name) ?? [];
    if (Array.isArray(value)) return value;
    this.bad(name, `${shown(value)} is no list`);
    return [];
  }

  /** A list of texts; null for what is none. */
  texts(name: string): (string | null)[] {
    return this.list(name).map((value, i) => {
      if (typeof value === "string") return value;
      this.#note(`${this.at(name)}[${i}]`, `${shown(value)} is no text`);
      return null;
    });
  }

  fields(name: string): Fields {
    return new Fields(this.problems, this.at(name), this.get(name) ?? {});
  }

  #numeric(name: string, place: string, value: unknown, { low, high, whole = false }: Range): number {
    const isNumber = typeof value === "number" && Number.isFinite(value);
    const kind = whole ? "whole number" : "number";
    const wanted = `a ${kind} from ${low} to ${high}`;
    if (value === undefined) this.bad(name, `${wanted} is missing`);
    else if (!isNumber || (whole && !Number.isInteger(value))) this.#note(place, `${shown(value)} is no ${kind}`);
    else if (value < low || value > high) this.#note(place, `${value} is not ${wanted}`);
    else return value;
    return low;
  }

  #note(place: string, what: string): void {
    this.problems.push({ place, what });
  }
}

const SHOWN_MAX = 40;

/** A value in a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}

/** Do two names differ by one letter, or only in case, plural or separator? */
function isNear(known: string, given: string): boolean {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z]/g, "");
  const [a, b] = [plain(known), plain(given)];
  if (a === b || `${a}s` === b || a === `${b}s`) return true;
  if (Math.abs(a.length - b.length) > 1 || a.length < 3) return false;
  let same = 0;
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same++;
  const rest = (name: string, skip: number) => name.slice(same + skip);
  return rest(a, 1) === rest(b, 1) || rest(a, 0) === rest(b, 1) || rest(a, 1) === rest(b, 0);
}
