// A firmware file for an update over the line (spec/FIRMWARE.md): MCUboot's header and trailer, and what tritkit keeps in the header's padding.
import { createHash } from "node:crypto";
import {
  FW_ADDRESS,
  FW_BOARD,
  FW_HEADER_BYTES,
  FW_HEADER_SIZE,
  FW_MAGIC_HIGH,
  FW_MAGIC_LOW,
  FW_MAJOR,
  FW_MARK,
  FW_MARK_TKFW,
  FW_MINOR,
  FW_PAYLOAD,
  FW_REVISION,
  FW_TLV_MAGIC,
  FW_TLV_SHA256,
  FW_TLV_SHA256_AT,
  FW_TRAILER_BYTES,
} from "../../../spec/firmware.ts";
import { BOARD_NAME_MAX } from "../../../spec/hal.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";

export interface UpdateFile {
  readonly board: string;
  readonly version: string;
  /** Of the slot that it was linked for. */
  readonly address: number;
  /** The image's own digest, 32 bytes, by which SMP clients name it. */
  readonly hash: Uint8Array;
  /** The file. */
  readonly bytes: Uint8Array;
}

export function isUpdateFile(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length >= 4 && view.getUint16(0, true) === FW_MAGIC_LOW && view.getUint16(2, true) === FW_MAGIC_HIGH;
}

/** @throws TritkitError E_FIRMWARE_FILE when it is none of ours, or damaged */
export function readUpdateFile(bytes: Uint8Array): UpdateFile {
  const refuse = (what: string): never => {
    const hint = "An update takes a firmware-slot0.img or firmware-slot1.img of a tritkit release.";
    throw new TritkitError("E_FIRMWARE_FILE", `This firmware file ${what}.`, hint, EXIT_REFUSED);
  };
  if (!isUpdateFile(bytes) || bytes.length < FW_HEADER_BYTES + FW_TRAILER_BYTES) return refuse("is no image");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(FW_MARK, true) !== FW_MARK_TKFW || view.getUint16(FW_HEADER_SIZE, true) !== FW_HEADER_BYTES)
    return refuse("was not made for tritkit");
  const end = FW_HEADER_BYTES + view.getUint32(FW_PAYLOAD, true);
  if (end + FW_TRAILER_BYTES !== bytes.length) return refuse("is cut off");
  const trailer = [0, 2, 4, 6].map((at) => view.getUint16(end + at, true));
  if (String(trailer) !== String([FW_TLV_MAGIC, FW_TRAILER_BYTES, FW_TLV_SHA256, 32])) return refuse("has no digest");
  const hash = bytes.slice(end + FW_TLV_SHA256_AT);
  const digest = createHash("sha256").update(bytes.subarray(0, end)).digest();
  if (digest.compare(hash) !== 0) return refuse("is damaged: its digest does not match");
  const name = bytes.subarray(FW_BOARD, FW_BOARD + BOARD_NAME_MAX);
  const numbers = [view.getUint8(FW_MAJOR), view.getUint8(FW_MINOR), view.getUint16(FW_REVISION, true)];
  return {
    board: Buffer.from(name).toString("utf8").replace(/\0+$/, ""),
    version: numbers.join("."),
    address: view.getUint32(FW_ADDRESS, true),
    hash,
    bytes,
  };
}
