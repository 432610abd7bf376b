/**
 * Keys and values of a GGUF header (ggml-org/ggml, docs/gguf.md), and typed access to them.
 *
 *     string key | u32 type | value                     string: u64 bytes | UTF-8
 *     array:     u32 type | u64 count | values          no array of arrays: ggml's own reader takes none
 */

import type { TritkitError } from "../../errors.ts";
import type { Cursor } from "./cursor.ts";
import { badGguf } from "./errors.ts";

type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;
type Scalar = number | bigint | boolean | string;
export type Value = Scalar | string[] | NumberArray | BigUint64Array | BigInt64Array;

const TYPE_BOOL = 7;
const TYPE_STRING = 8;
const TYPE_ARRAY = 9;
const KEY_MAX = 65535;
/** The longest values are chat templates. */
const TEXT_MAX = 8 << 20;
/** Of all arrays: the largest vocabularies have a quarter of a million tokens, and twice as many merges. */
const TEXTS_MAX = 2_000_000;
const KEYS_MAX = 65536;

/** Numbers by type: bytes of one, and how many of them are read out of bytes. Typed arrays take the host's byte order, little-endian wherever Node runs but on s390x. */
const NUMBERS: ReadonlyMap<
  number,
  { size: number; of: (bytes: Uint8Array<ArrayBuffer>) => NumberArray | BigUint64Array | BigInt64Array }
> = new Map([
  [0, { size: 1, of: (bytes) => bytes }],
  [1, { size: 1, of: ({ buffer }) => new Int8Array(buffer) }],
  [2, { size: 2, of: ({ buffer }) => new Uint16Array(buffer) }],
  [3, { size: 2, of: ({ buffer }) => new Int16Array(buffer) }],
  [4, { size: 4, of: ({ buffer }) => new Uint32Array(buffer) }],
  [5, { size: 4, of: ({ buffer }) => new Int32Array(buffer) }],
  [6, { size: 4, of: ({ buffer }) => new Float32Array(buffer) }],
  [TYPE_BOOL, { size: 1, of: (bytes) => bytes }],
  [10, { size: 8, of: ({ buffer }) => new BigUint64Array(buffer) }],
  [11, { size: 8, of: ({ buffer }) => new BigInt64Array(buffer) }],
  [12, { size: 8, of: ({ buffer }) => new Float64Array(buffer) }],
] as const);

/** @throws TritkitError E_SOURCE_FORMAT */
export async function readMetadata(cursor: Cursor, count: bigint): Promise<Map<string, Value>> {
  if (count > KEYS_MAX) throw badGguf(cursor.name, `says it has ${count} metadata keys`);
  const values = new Map<string, Value>();
  let texts = 0;
  for (let i = 0; i < Number(count); i++) {
    const key = await cursor.text(`metadata key ${i}`, KEY_MAX);
    if (key === "") throw badGguf(cursor.name, `has no name for metadata key ${i}`);
    const shown = JSON.stringify(key.slice(0, 64));
    if (values.has(key)) throw badGguf(cursor.name, `has the metadata key ${shown} twice`);
    await cursor.need(4, shown);
    const type = cursor.u32();
    const value = type === TYPE_ARRAY ? await readArray(cursor, shown, texts) : await readScalar(cursor, shown, type);
    if (Array.isArray(value)) texts += value.length;
    values.set(key, value);
  }
  return values;
}

async function readScalar(cursor: Cursor, key: string, type: number): Promise<Scalar> {
  if (type === TYPE_STRING) return cursor.text(key, TEXT_MAX);
  const numbers = NUMBERS.get(type);
  if (!numbers) throw badGguf(cursor.name, `has ${key} in the unknown type ${type}`);
  await cursor.need(numbers.size, key);
  const [value] = numbers.of(cursor.bytes(numbers.size));
  if (type === TYPE_BOOL) return toBoolean(cursor, key, Number(value));
  return typeof value === "bigint" && isSafe(value) ? Number(value) : value;
}

/** @param before texts that the file's arrays have had */
async function readArray(cursor: Cursor, key: string, before: number): Promise<Value> {
  await cursor.need(12, key);
  const type = cursor.u32();
  const count = cursor.u64();
  const size = type === TYPE_STRING ? 8 : NUMBERS.get(type)?.size;
  if (type === TYPE_ARRAY) throw badGguf(cursor.name, `has an array of arrays in ${key}`);
  if (size === undefined) throw badGguf(cursor.name, `has ${key} in the unknown type ${type}`);
  if (count * BigInt(size) > BigInt(cursor.left)) throw badGguf(cursor.name, `says that ${key} has ${count} values`);
  if (type !== TYPE_STRING) {
    await cursor.need(Number(count) * size, key);
    const values = NUMBERS.get(type)?.of(cursor.bytes(Number(count) * size)) ?? [];
    if (type === TYPE_BOOL) for (const value of values) toBoolean(cursor, key, Number(value));
    return values as Value;
  }
  if (count > TEXTS_MAX - before)
    throw badGguf(cursor.name, `says that ${key} has ${count} texts, at most ${TEXTS_MAX} are read of a file`);
  const texts: string[] = [];
  for (let i = 0; i < Number(count); i++) texts.push(cursor.readyText(key) ?? (await cursor.text(key, TEXT_MAX)));
  return texts;
}

function toBoolean(cursor: Cursor, key: string, value: number): boolean {
  if (value > 1) throw badGguf(cursor.name, `has ${value} in ${key}, which is neither true nor false`);
  return value === 1;
}

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** Metadata of a file: each read names what it wanted and where. */
export class GgufFields {
  /** The file. */
  readonly where: string;
  private readonly values: ReadonlyMap<string, Value>;

  constructor(where: string, values: ReadonlyMap<string, Value>) {
    this.where = where;
    this.values = values;
  }

  get(key: string): Value | undefined {
    return this.values.get(key);
  }

  keys(): string[] {
    return [...this.values.keys()];
  }

  number(key: string, fallback?: number): number {
    const value = single(this.get(key)) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.bad(key, "a number");
    return value;
  }

  /** One for all layers: an array of equal numbers is that number, as in llama.cpp. */
  integer(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isSafeInteger(value) || value < 0) throw this.bad(key, "a whole number");
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.get(key) ?? fallback;
    if (typeof value !== "string") throw this.bad(key, "a text");
    return value;
  }

  textIfThere(key: string): string | null {
    return this.get(key) === undefined ? null : this.text(key);
  }

  flagIfThere(key: string): boolean | null {
    const value = this.get(key) ?? null;
    if (value !== null && typeof value !== "boolean") throw this.bad(key, "true or false");
    return value;
  }

  /** null when absent. */
  texts(key: string): string[] | null {
    const value = this.get(key);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw this.bad(key, "a list of texts");
    return value;
  }

  /** null when absent. */
  numbers(key: string): NumberArray | null {
    const value = this.get(key);
    if (value === undefined) return null;
    if (!ArrayBuffer.isView(value) || value instanceof BigUint64Array || value instanceof BigInt64Array)
      throw this.bad(key, "a list of numbers");
    return value;
  }

  bad(key: string, wanted: string): TritkitError {
    return badGguf(this.where, `needs ${wanted} in ${key}`);
  }
}

function single(value: Value | undefined): Value | undefined {
  if (!ArrayBuffer.isView(value) || value.length === 0) return value;
  const [first, ...others] = value;
  return others.every((other) => other === first) ? first : value;
}
