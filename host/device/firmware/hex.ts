/**
 * Intel HEX (Intel, "Hexadecimal Object File Format Specification", revision A, 1988): lines of
 *
 *     :LLAAAATTDD...CC      LL bytes DD for address AAAA, TT what kind of line, CC makes the sum of all bytes 0 (mod 256)
 *
 *     00 data   01 end of file   02 segment address, times 16   04 upper 16 bits of the address
 *     03, 05 where the program starts: of no use for flash, checked and skipped
 *
 * Strict: what is no such line, a sum that is wrong, or a missing end refuses the file.
 */
import { TritkitError } from "../../errors.ts";
import { joinSegments } from "./layout.ts";
import type { FirmwareSegment } from "./segments.ts";

const DATA = 0x00;
const END = 0x01;
const SEGMENT_ADDRESS = 0x02;
const UPPER_ADDRESS = 0x04;
/** Data bytes that a line of each kind has; data lines have any number. */
const FIXED_BYTES = new Map([
  [END, 0],
  [SEGMENT_ADDRESS, 2],
  [0x03, 4],
  [UPPER_ADDRESS, 2],
  [0x05, 4],
]);
/** LL, AAAA, TT and CC. */
const OVERHEAD = 5;

/** @throws TritkitError E_FIRMWARE_FILE with the number of the line */
export function readHex(text: string): FirmwareSegment[] {
  const segments: FirmwareSegment[] = [];
  let upper = 0;
  let ended = false;
  const lines = text.split(/\r\n|\n|\r/);
  lines.forEach((line, i) => {
    const refuse = (what: string): never => {
      const message = `Line ${i + 1} of the HEX file ${what}.`;
      throw new TritkitError("E_FIRMWARE_FILE", message, "Build or download it again.");
    };
    if (line.trim() === "") return;
    if (ended) refuse("stands behind the end of the file");
    if (!/^:([0-9A-Fa-f]{2})+$/.test(line.trimEnd())) refuse("is no line of Intel HEX");
    const record = Uint8Array.from(Buffer.from(line.trimEnd().slice(1), "hex"));
    const [length, high, low, kind] = record;
    if (record.length !== length + OVERHEAD) refuse("is not as long as it says");
    if (record.reduce((sum, byte) => sum + byte, 0) % 256 !== 0) refuse("has a wrong checksum");
    const data = record.subarray(4, 4 + length);
    if (kind !== DATA && FIXED_BYTES.get(kind) !== length) refuse(`is of kind ${kind}, which nobody knows`);
    if (kind === END) ended = true;
    if (kind === UPPER_ADDRESS) upper = ((data[0] << 8) | data[1]) * 0x10000;
    if (kind === SEGMENT_ADDRESS) upper = ((data[0] << 8) | data[1]) * 16;
    if (kind !== DATA || length === 0) return;
    const offset = (high << 8) | low;
    if (offset + length > 0x10000) refuse("runs over the end of its 64 KiB");
    segments.push({ address: upper + offset, bytes: data });
  });
  if (!ended) throw new TritkitError("E_FIRMWARE_FILE", "The HEX file has no end.", "Build or download it again.");
  return joinSegments(segments);
}
