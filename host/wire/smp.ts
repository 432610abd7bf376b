// SMP messages: an 8-byte header and one CBOR map (spec/WIRE.md). CBOR itself is the library's.
import { decode as decodeCbor, encode as encodeCbor } from "cborg";
import { SMP_HEADER_BYTES, SMP_V2 } from "../../spec/wire.ts";

export type CborValue = number | string | boolean | null | Uint8Array | CborValue[] | CborMap;
export interface CborMap {
  [key: string]: CborValue | undefined;
}

export interface SmpMessage {
  op: number;
  version: number;
  group: number;
  seq: number;
  command: number;
  body: CborMap;
}

/** Bytes of a message. Keys with the value undefined are left out. */
export function encodeMessage(message: Omit<SmpMessage, "version"> & { version?: number }): Uint8Array {
  const entries = Object.entries(message.body).filter(([, value]) => value !== undefined);
  const body = encodeCbor(Object.fromEntries(entries));
  const out = Buffer.alloc(SMP_HEADER_BYTES + body.length);
  out[0] = ((message.version ?? SMP_V2) << 3) | message.op;
  out.writeUInt16BE(body.length, 2);
  out.writeUInt16BE(message.group, 4);
  out[6] = message.seq;
  out[7] = message.command;
  out.set(body, SMP_HEADER_BYTES);
  return out;
}

/** The message in a frame, or null when the bytes are none. */
export function decodeMessage(bytes: Uint8Array): SmpMessage | null {
  if (bytes.length < SMP_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(2) !== bytes.length - SMP_HEADER_BYTES) return null;
  let body: unknown = {};
  try {
    if (bytes.length > SMP_HEADER_BYTES) body = decodeCbor(bytes.subarray(SMP_HEADER_BYTES));
  } catch {
    return null;
  }
  if (typeof body !== "object" || body === null || Array.isArray(body) || body instanceof Uint8Array) return null;
  return {
    op: bytes[0] & 7,
    version: (bytes[0] >> 3) & 3,
    group: view.getUint16(4),
    seq: bytes[6],
    command: bytes[7],
    body: body as CborMap,
  };
}

/** The error a reply carries, in either version's form; rc 0 and no rc are success. */
export function replyError(message: SmpMessage): { group: number; rc: number } | null {
  const { err, rc } = message.body;
  if (typeof err === "object" && err !== null && !Array.isArray(err) && !(err instanceof Uint8Array)) {
    return { group: Number(err.group), rc: Number(err.rc) };
  }
  return typeof rc === "number" && rc !== 0 ? { group: -1, rc } : null;
}
