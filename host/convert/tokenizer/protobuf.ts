/**
 * The wire format of Protocol Buffers, read strictly: https://protobuf.dev/programming-guides/encoding. A message is a list of fields,
 * `tag = number << 3 | type`; type 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. Groups (3, 4) are refused.
 */
import { damaged } from "./build.ts";

export interface ProtoField {
  readonly number: number;
  /** Value of a varint, or bits of four bytes; of others 0. */
  readonly value: number;
  /** Of types 1, 2 and 5: the bytes themselves. */
  readonly bytes: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/**
 * Fields in the order in which they stand.
 * @param where the file, for messages
 * @throws TritkitError E_SOURCE_FORMAT
 */
export function* protoFields(where: string, message: Uint8Array): Generator<ProtoField> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= message.length) throw damaged(where, "ends within a number");
      const byte = message[at++];
      // Beyond 2^53 only as the ten bytes of a negative int32 or int64, which no field that we read may be.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw damaged(where, "has a number without an end");
  };
  const take = (count: number) => {
    if (count > message.length - at) throw damaged(where, "ends within a field");
    at += count;
    return message.subarray(at - count, at);
  };
  while (at < message.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (number === 0 || number >= 2 ** 29) throw damaged(where, `has a field of number ${number}`);
    if (type === 0) yield { number, value: varint(), bytes: EMPTY };
    else if (type === 1) yield { number, value: 0, bytes: take(8) };
    else if (type === 2) yield { number, value: 0, bytes: take(varint()) };
    else if (type === 5) {
      const bytes = take(4);
      yield { number, value: new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true), bytes };
    } else throw damaged(where, `has a field of type ${type}`);
  }
}

/** @throws TritkitError E_SOURCE_FORMAT when the bytes are no float */
export function protoFloat(where: string, { bytes }: ProtoField): number {
  if (bytes.length !== 4) throw damaged(where, "has a score that is no float");
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

/** @throws TritkitError E_SOURCE_FORMAT when the bytes are no UTF-8 */
export function protoText(where: string, { bytes }: ProtoField): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged(where, "has a text that is no UTF-8");
  }
}
