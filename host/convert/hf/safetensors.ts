/**
 * safetensors, read as it is needed (format: huggingface/safetensors, README "Format").
 *
 *     u64 LE n | JSON header of n bytes | data          data_offsets count from the end of the header
 *
 * A header is believed only as far as it agrees with itself and with the file: every tensor's bytes are shape x type, lie inside, and overlap no other's.
 */
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { TritkitError } from "../../errors.ts";
import { bfloatsToFloats, halvesToFloats } from "../halves.ts";
import { JsonFields, repeatedKey } from "../json.ts";
import { openSource, readExactly } from "../source_files.ts";

/** Bytes of one element. */
const TYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ["BOOL", 1],
  ["U8", 1],
  ["I8", 1],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
  ["I16", 2],
  ["U16", 2],
  ["F16", 2],
  ["BF16", 2],
  ["I32", 4],
  ["U32", 4],
  ["F32", 4],
  ["F64", 8],
  ["I64", 8],
  ["U64", 8],
]);
/** The reference implementation reads up to 100 MB. A model of 1024 layers, the most an image holds, has about 4 MB. */
const HEADER_MAX = 16 << 20;
const METADATA = "__metadata__";

export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the file's first byte. */
  readonly offset: number;
  readonly bytes: number;
}

export class SafetensorsFile {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly path: string;
  private readonly file: FileHandle;

  private constructor(path: string, file: FileHandle, tensors: ReadonlyMap<string, TensorInfo>) {
    this.path = path;
    this.file = file;
    this.tensors = tensors;
  }

  /** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await openSource(path);
    try {
      const { size } = await file.stat();
      const start = await readExactly(file, path, 0, 8).catch(() => new Uint8Array(0));
      const header = headerBytes(basename(path), start, size);
      return new SafetensorsFile(
        path,
        file,
        parseHeader(basename(path), await readExactly(file, path, 8, header), size - 8 - header),
      );
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** @throws TritkitError E_SOURCE_FORMAT */
  get(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (!info)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${basename(this.path)} has no tensor ${name}.`,
        "Download the model again.",
      );
    return info;
  }

  /** @returns `count` elements of a tensor from element `start`, as raw bytes */
  async bytes(name: string, start: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    const info = this.get(name);
    const size = TYPE_BYTES.get(info.dtype) ?? 0;
    if (start < 0 || (start + count) * size > info.bytes)
      throw new RangeError(`${name}: elements ${start} to ${start + count} are not there`);
    return readExactly(this.file, this.path, info.offset + start * size, count * size);
  }

  /**
   * @returns `count` elements from element `start` as float32
   * @throws TritkitError E_UNSUPPORTED for a type other than F32, F16, BF16, I8
   */
  async floats(name: string, start: number, count: number): Promise<Float32Array> {
    const decode = DECODERS.get(this.get(name).dtype);
    if (!decode)
      throw new TritkitError(
        "E_UNSUPPORTED",
        `${name} is of type ${this.get(name).dtype}.`,
        "Weights may be F32, F16, BF16 or I8.",
      );
    return decode(await this.bytes(name, start, count));
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/**
 * @param start the first 8 bytes of the file
 * @returns length of the JSON header
 */
export function headerBytes(name: string, start: Uint8Array, fileBytes: number): number {
  if (start.length < 8) throw bad(name, "ends within its first 8 bytes");
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > HEADER_MAX || Number(length) + 8 > fileBytes) throw bad(name, `says its header has ${length} bytes`);
  return Number(length);
}

/**
 * @param header the JSON
 * @param dataBytes what follows it
 * @throws TritkitError E_SOURCE_FORMAT
 */
export function parseHeader(name: string, header: Uint8Array, dataBytes: number): Map<string, TensorInfo> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(header);
  } catch {
    throw bad(name, "has a header that is no UTF-8");
  }
  const fields = JsonFields.parse(`The header of ${name}`, text);
  const twice = repeatedKey(text);
  if (twice !== null) throw bad(name, `has the tensor ${twice} twice`);
  const tensors = new Map<string, TensorInfo>();
  for (const key of fields.keys()) {
    if (key === METADATA) continue;
    tensors.set(
      key,
      parseEntry(name, key, new JsonFields(`${name}, ${key}`, fields.get(key)), header.length + 8, dataBytes),
    );
  }
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  for (const [i, tensor] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before && before.offset + before.bytes > tensor.offset)
      throw bad(name, `has ${before.name} and ${tensor.name} in the same bytes`);
  }
  return tensors;
}

function parseEntry(file: string, name: string, entry: JsonFields, dataStart: number, dataBytes: number): TensorInfo {
  const dtype = entry.text("dtype");
  const size = TYPE_BYTES.get(dtype);
  if (size === undefined) throw bad(file, `has ${name} in the unknown type ${JSON.stringify(dtype)}`);
  const shape = entry
    .list("shape")
    .map((length) => whole(length, () => bad(file, `has ${name} in a shape that is none`)));
  const offsets = entry
    .list("data_offsets")
    .map((offset) => whole(offset, () => bad(file, `has ${name} at offsets that are none`)));
  const [begin, end] = offsets;
  const bytes = shape.reduce((product, length) => product * length, size);
  if (offsets.length !== 2 || begin > end || end > dataBytes) throw bad(file, `has ${name} outside the file`);
  if (end - begin !== bytes) throw bad(file, `has ${end - begin} bytes for ${name} where its shape needs ${bytes}`);
  return { name, dtype, shape, offset: dataStart + begin, bytes };
}

function whole(value: unknown, otherwise: () => TritkitError): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw otherwise();
  return value;
}

/** Bytes of a fresh buffer -> numbers. Typed arrays take the host's byte order, which is little-endian wherever Node runs but on s390x. */
const DECODERS: ReadonlyMap<string, (bytes: Uint8Array<ArrayBuffer>) => Float32Array> = new Map([
  ["F32", (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer)],
  ["F16", (bytes: Uint8Array<ArrayBuffer>) => halvesToFloats(new Uint16Array(bytes.buffer))],
  ["BF16", (bytes: Uint8Array<ArrayBuffer>) => bfloatsToFloats(new Uint16Array(bytes.buffer))],
  ["I8", (bytes: Uint8Array<ArrayBuffer>) => Float32Array.from(new Int8Array(bytes.buffer))],
]);

function bad(name: string, what: string): TritkitError {
  return new TritkitError("E_SOURCE_FORMAT", `${name} ${what}.`, "Download the model again.");
}
