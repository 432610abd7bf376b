/**
 * GGUF v2 and v3, little-endian (format: ggml-org/ggml, docs/gguf.md).
 *
 *     "GGUF" | u32 version | u64 tensors | u64 keys | keys and values | tensor infos | padding | data
 *     tensor info: string name | u32 dimensions | u64 sizes, fastest first | u32 type | u64 offset in the data
 *
 * A header is believed only as far as it agrees with itself and with the file: every tensor lies inside, aligned, and overlaps no other.
 *
 * Our own reader: @huggingface/gguf, which the tests compare it with, holds at most 50 MB of header, looks for neither twins nor overlaps nor tensors outside the file,
 * and throws plain errors.
 *
 * NOT IMPLEMENTED, refused by name: v1, big-endian files, models split over several files.
 */
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { TritkitError } from "../../errors.ts";
import { Cursor } from "./cursor.ts";
import { badGguf, unsupportedGguf } from "./errors.ts";
import { GgufFields, readMetadata } from "./metadata.ts";
import { blockType, tensorBytes, typeName, typeNames } from "./types.ts";

const MAGIC = 0x46554747;
const NAME_MAX = 63; // GGML_MAX_NAME without its zero.
const DIMENSIONS_MAX = 4;
const TENSORS_MAX = 65536;
const ALIGNMENT_DEFAULT = 32;

export interface GgufTensor {
  readonly name: string;
  readonly type: number;
  /** Slowest first, as in (rows, cols): the reverse of the file's order. */
  readonly shape: readonly number[];
  /** Weights. */
  readonly count: number;
  /** From the file's first byte. */
  readonly offset: number;
  readonly bytes: number;
}

export class GgufFile {
  /** Without its folder. */
  readonly name: string;
  readonly version: number;
  readonly fields: GgufFields;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  private readonly file: FileHandle;

  private constructor(name: string, file: FileHandle, header: Pick<GgufFile, "version" | "fields" | "tensors">) {
    this.name = name;
    this.file = file;
    this.version = header.version;
    this.fields = header.fields;
    this.tensors = header.tensors;
  }

  /** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED */
  static async open(path: string): Promise<GgufFile> {
    const file = await open(path, "r").catch((cause: unknown) => {
      throw new TritkitError("E_SOURCE_MISSING", `${path} cannot be opened.`, "Is it a complete download?", undefined, {
        cause,
      });
    });
    try {
      const name = basename(path);
      const { size } = await file.stat();
      return new GgufFile(name, file, await readHeader(new Cursor(name, file, size), size));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** @throws TritkitError E_SOURCE_FORMAT */
  get(name: string): GgufTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw badGguf(this.name, `has no tensor ${name}`);
    return tensor;
  }

  /** @returns `count` bytes of a tensor from byte `start` */
  async bytes(tensor: GgufTensor, start: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (start < 0 || start + count > tensor.bytes)
      throw new RangeError(`${tensor.name}: bytes ${start} to ${start + count} are not there`);
    const bytes = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const { bytesRead } = await this.file.read(bytes, done, count - done, tensor.offset + start + done);
      // The header was checked against the size: somebody shortens the file meanwhile.
      if (bytesRead === 0) throw badGguf(this.name, `ends in ${tensor.name}`);
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Files of a store by digest, ollama's for one, have no ending. */
export async function hasGgufMagic(path: string): Promise<boolean> {
  const file = await open(path, "r").catch(() => null);
  if (!file) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32LE() === MAGIC;
  } finally {
    await file.close();
  }
}

async function readHeader(
  cursor: Cursor,
  fileBytes: number,
): Promise<Pick<GgufFile, "version" | "fields" | "tensors">> {
  const { name } = cursor;
  await cursor.need(8, "its first 8 bytes");
  if (cursor.u32() !== MAGIC)
    throw badGguf(name, "is no GGUF file", "Give a .gguf file as llama.cpp or bitnet.cpp write it.");
  const version = cursor.u32();
  // ggml's own test: a version below 65536 whose bytes are swapped.
  if ((version & 0xffff) === 0 && version !== 0)
    throw unsupportedGguf(name, "is a big-endian GGUF file", "Take the little-endian file of the model.");
  if (version === 1)
    throw unsupportedGguf(name, "is of GGUF version 1", "Make it anew with llama.cpp: versions 2 and 3 are read.");
  if (version !== 2 && version !== 3) throw badGguf(name, `is of GGUF version ${version}, 2 and 3 are read`);
  await cursor.need(16, "its first 24 bytes");
  const tensorCount = cursor.u64();
  const fields = new GgufFields(name, await readMetadata(cursor, cursor.u64()));
  if (fields.integer("split.count", 1) > 1)
    throw unsupportedGguf(
      name,
      `is one of ${fields.integer("split.count")} files of a model`,
      "Join them with llama-gguf-split --merge.",
    );
  const alignment = fields.integer("general.alignment", ALIGNMENT_DEFAULT);
  if (!Number.isInteger(Math.log2(alignment)) || alignment > 2 ** 31)
    throw badGguf(name, `aligns its tensors to ${alignment} bytes, which is no power of 2`);
  if (tensorCount > TENSORS_MAX) throw badGguf(name, `says it has ${tensorCount} tensors`);
  const infos: TensorInfo[] = [];
  for (let i = 0; i < Number(tensorCount); i++) infos.push(await readInfo(cursor, i));
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  return { version, fields, tensors: placeTensors(name, infos, alignment, dataStart, fileBytes) };
}

interface TensorInfo {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly bigint[];
  /** In the data. */
  readonly offset: bigint;
}

async function readInfo(cursor: Cursor, index: number): Promise<TensorInfo> {
  const name = await cursor.text(`the name of tensor ${index}`, NAME_MAX);
  const shown = `tensor ${name === "" ? index : name}`;
  await cursor.need(4, shown);
  const dimensions = cursor.u32();
  if (dimensions > DIMENSIONS_MAX) throw badGguf(cursor.name, `has ${shown} with ${dimensions} dimensions`);
  await cursor.need(dimensions * 8 + 12, shown);
  const shape: bigint[] = [];
  for (let i = 0; i < dimensions; i++) shape.unshift(cursor.u64());
  return { name, shape, type: cursor.u32(), offset: cursor.u64() };
}

/** Checks each tensor against the file, and all of them against each other. */
function placeTensors(
  file: string,
  infos: readonly TensorInfo[],
  alignment: number,
  dataStart: number,
  fileBytes: number,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const { name, type, shape, offset } of infos) {
    if (tensors.has(name)) throw badGguf(file, `has the tensor ${name} twice`);
    const block = blockType(type);
    if (!block)
      throw unsupportedGguf(file, `has ${name} in the type ${typeName(type)}`, `Weights may be ${typeNames()}.`);
    const count = shape.reduce((product, length) => product * length, 1n);
    // No type has more than 8 weights in a byte; what is left is a safe integer.
    if (count === 0n || count > BigInt(fileBytes) * 8n)
      throw badGguf(file, `has ${name} in the shape (${shape.join(", ")}), which the file has no room for`);
    if ((shape.at(-1) ?? 1n) % BigInt(block.weights) !== 0n)
      throw badGguf(file, `has ${name} in rows of ${shape.at(-1)} weights, which are no blocks of ${block.name}`);
    if (offset % BigInt(alignment) !== 0n)
      throw badGguf(file, `has ${name} at the offset ${offset}, which is no multiple of ${alignment}`);
    const bytes = tensorBytes(type, Number(count));
    if (BigInt(dataStart) + offset + BigInt(bytes) > BigInt(fileBytes))
      throw badGguf(
        file,
        `has ${name} outside the file: it should end at byte ${BigInt(dataStart) + offset + BigInt(bytes)} of ${fileBytes}`,
      );
    tensors.set(name, {
      name,
      type,
      shape: shape.map(Number),
      count: Number(count),
      offset: dataStart + Number(offset),
      bytes,
    });
  }
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset);
  for (const [i, tensor] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before && before.offset + before.bytes > tensor.offset)
      throw badGguf(file, `has ${before.name} and ${tensor.name} in the same bytes`);
  }
  return tensors;
}
