/** Writes GGUF files for tests, from the format's document (ggml-org/ggml, docs/gguf.md) and sharing nothing with the reader. */

/** Value types by their names in the document. */
const TYPES = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
};
export type ValueType = keyof typeof TYPES;

export type Field = readonly [key: string, type: ValueType | readonly [ValueType], value: unknown];

export interface WrittenTensor {
  readonly name: string;
  readonly type: number;
  /** Fastest first, as in the file. */
  readonly ne: readonly number[];
  readonly bytes: Uint8Array;
  /** Instead of the one that follows the tensor before. */
  readonly offset?: number | bigint;
}

export interface WriteOptions {
  readonly version?: number;
  readonly alignment?: number;
  /** Instead of the true ones. */
  readonly tensorCount?: number | bigint;
  readonly keyCount?: number | bigint;
}

/** Bytes one after another. */
export class Bytes {
  private readonly parts: Buffer[] = [];
  length = 0;

  raw(bytes: Uint8Array): this {
    this.parts.push(Buffer.from(bytes));
    this.length += bytes.length;
    return this;
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.raw(bytes);
  }

  u64(value: number | bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return this.raw(bytes);
  }

  text(value: string): this {
    return this.u64(Buffer.byteLength(value)).raw(Buffer.from(value));
  }

  pad(to: number): this {
    return this.raw(new Uint8Array((to - (this.length % to)) % to));
  }

  done(): Buffer {
    return Buffer.concat(this.parts);
  }
}

export function ggufBytes(
  fields: readonly Field[],
  tensors: readonly WrittenTensor[],
  { version = 3, alignment = 32, ...counts }: WriteOptions = {},
): Buffer {
  const out = new Bytes().raw(Buffer.from("GGUF")).u32(version);
  out.u64(counts.tensorCount ?? tensors.length).u64(counts.keyCount ?? fields.length);
  for (const [key, type, value] of fields) {
    out.text(key);
    if (typeof type === "string") {
      out.u32(TYPES[type]);
      writeValue(out, type, value);
      continue;
    }
    const list = value as ArrayLike<unknown>;
    out.u32(TYPES.array).u32(TYPES[type[0]]).u64(list.length);
    for (let i = 0; i < list.length; i++) writeValue(out, type[0], list[i]);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.text(tensor.name).u32(tensor.ne.length);
    for (const length of tensor.ne) out.u64(length);
    out.u32(tensor.type).u64(tensor.offset ?? offset);
    offset += Math.ceil(tensor.bytes.length / alignment) * alignment;
  }
  for (const tensor of tensors) out.pad(alignment).raw(tensor.bytes);
  return out.done();
}

function writeValue(out: Bytes, type: ValueType, value: unknown): void {
  const view = Buffer.alloc(8);
  switch (type) {
    case "string":
      out.text(value as string);
      return;
    case "u64":
      view.writeBigUInt64LE(BigInt(value as number));
      break;
    case "i64":
      view.writeBigInt64LE(BigInt(value as number));
      break;
    case "f32":
      view.writeFloatLE(value as number);
      break;
    case "f64":
      view.writeDoubleLE(value as number);
      break;
    default:
      // Two's complement: the lower bytes are the same for signed and unsigned.
      view.writeBigInt64LE(BigInt(Number(value)));
  }
  out.raw(view.subarray(0, { u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4 }[type as "u8"] ?? 8));
}
