/**
 * Reading JSON by hand, one field at a time: every value is checked where it is taken, and what was never taken is an
 * unknown field. Errors name the path, what was expected and what stood there.
 */

/** A board description that cannot be used. `path` is the dotted path of the field, empty for the whole file. */
export class BoardError extends Error {
  readonly code = "BOARD_INVALID";
  readonly path: string;

  constructor(path: string, problem: string) {
    super(path === "" ? problem : `${path}: ${problem}`);
    this.name = "BoardError";
    this.path = path;
  }
}

const SHOWN_CHARS = 40;

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}...`;
}

function refuse(path: string, expected: string, got: unknown): never {
  throw new BoardError(path, `expected ${expected}, got ${shown(got)}`);
}

function whole(path: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
    refuse(path, `an integer from ${least} to ${most}`, value);
  return value;
}

export type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of one JSON object. Call `done()` after the last one: it refuses what nobody asked for. */
export class Fields {
  readonly path: string;
  private readonly object: JsonObject;
  private readonly taken = new Set<string>();

  constructor(value: unknown, path: string) {
    this.path = path;
    this.object = isObject(value) ? value : refuse(path, "an object", value);
  }

  /** Dotted path of a field of this object. */
  at(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  private take(key: string): unknown {
    this.taken.add(key);
    return Object.hasOwn(this.object, key) ? this.object[key] : undefined;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.object, key);
  }

  text(key: string): string {
    const value = this.take(key);
    return typeof value === "string" && value.trim() !== "" ? value : refuse(this.at(key), "a text", value);
  }

  integer(key: string, least: number, most: number): number {
    return whole(this.at(key), this.take(key), least, most);
  }

  powerOfTwo(key: string, most: number): number {
    const value = this.take(key);
    if (
      typeof value !== "number" ||
      !Number.isInteger(value) ||
      value < 1 ||
      value > most ||
      (value & (value - 1)) !== 0
    ) {
      refuse(this.at(key), `a power of two from 1 to ${most}`, value);
    }
    return value;
  }

  /** A number that need not be whole, 0 or more. */
  quantity(key: string): number {
    const value = this.take(key);
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
      refuse(this.at(key), "a number of at least 0", value);
    }
    return value;
  }

  flag(key: string): boolean {
    const value = this.take(key);
    return typeof value === "boolean" ? value : refuse(this.at(key), "true or false", value);
  }

  oneOf<const T extends string>(key: string, choices: readonly T[]): T {
    const value = this.take(key);
    return choices.find((choice) => choice === value) ?? refuse(this.at(key), `one of ${choices.join(", ")}`, value);
  }

  /** null where the JSON says null. Anything else, a missing field too, goes to `read`, which refuses what it cannot read. */
  orNull<T>(key: string, read: () => T): T | null {
    return this.take(key) === null ? null : read();
  }

  child(key: string): Fields {
    return new Fields(this.take(key), this.at(key));
  }

  /** A list of at least `least` objects. `read` takes one item's fields; its `done()` is called here. */
  list<T>(key: string, least: number, read: (item: Fields) => T): T[] {
    const value = this.take(key);
    if (!Array.isArray(value)) refuse(this.at(key), "a list", value);
    if (value.length < least) refuse(this.at(key), `a list of at least ${least}`, value);
    return value.map((entry: unknown, i) => {
      const item = new Fields(entry, `${this.at(key)}.${i}`);
      const result = read(item);
      item.done();
      return result;
    });
  }

  /** A list of integers. */
  integers(key: string, least: number, most: number): number[] {
    return this.entries(key).map((entry, i) => whole(`${this.at(key)}.${i}`, entry, least, most));
  }

  /** A list of integers, some of which are null. */
  integersOrNull(key: string, least: number, most: number): (number | null)[] {
    return this.entries(key).map((entry, i) =>
      entry === null ? null : whole(`${this.at(key)}.${i}`, entry, least, most),
    );
  }

  private entries(key: string): unknown[] {
    const value = this.take(key);
    return Array.isArray(value) ? value : refuse(this.at(key), "a list", value);
  }

  /** All fields as texts, keyed by whatever names they have. */
  texts(): ReadonlyMap<string, string> {
    return new Map(Object.keys(this.object).map((key) => [key, this.text(key)]));
  }

  done(): void {
    const unknown = Object.keys(this.object).find((key) => !this.taken.has(key));
    if (unknown !== undefined) {
      throw new BoardError(this.at(unknown), `unknown field; known here: ${[...this.taken].join(", ")}`);
    }
  }
}
