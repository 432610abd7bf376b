// Where pieces of firmware lie: put in order, joined, and held against what a board keeps for firmware.
import type { Board } from "../../../boards/board.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import type { FirmwareSegment } from "./segments.ts";

/** "0x08000000..0x08004000", the second one past the last byte. */
export function rangeText(address: number, bytes: number): string {
  const hex = (n: number): string => `0x${n.toString(16).padStart(8, "0")}`;
  return `${hex(address)}..${hex(address + bytes)}`;
}

/**
 * In order of address, neighbours joined to one.
 * @throws TritkitError E_FIRMWARE_FILE when two cover the same address
 */
export function joinSegments(segments: readonly FirmwareSegment[]): FirmwareSegment[] {
  const runs: { address: number; end: number; pieces: Uint8Array[] }[] = [];
  for (const { address, bytes } of [...segments].sort((a, b) => a.address - b.address)) {
    if (bytes.length === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && address < last.end) {
      const twice = rangeText(address, Math.min(last.end - address, bytes.length));
      throw new TritkitError("E_FIRMWARE_FILE", `The firmware has two contents for ${twice}.`, "Build it again.");
    }
    if (last === undefined || address > last.end) runs.push({ address, end: address + bytes.length, pieces: [bytes] });
    else {
      last.pieces.push(bytes);
      last.end += bytes.length;
    }
  }
  return runs.map(({ address, pieces }) => ({ address, bytes: new Uint8Array(Buffer.concat(pieces)) }));
}

/**
 * Firmware lies in the board's flash and outside the model partition: a model that is there stays.
 * @throws TritkitError E_FIRMWARE_RANGE; E_FIRMWARE_FILE when there is nothing at all
 */
export function checkFirmwareRange(board: Board, segments: readonly FirmwareSegment[]): void {
  const { base, bytes: flashBytes, partition } = board.flash;
  if (segments.every(({ bytes }) => bytes.length === 0))
    throw new TritkitError("E_FIRMWARE_FILE", "The firmware is empty.", "Build it again.");
  const refuse = (message: string, hint: string): never => {
    throw new TritkitError("E_FIRMWARE_RANGE", message, hint, EXIT_REFUSED);
  };
  for (const { address, bytes } of segments) {
    const end = address + bytes.length;
    const range = rangeText(address, bytes.length);
    if (address < base || end > base + flashBytes) {
      const flash = rangeText(base, flashBytes);
      refuse(`The firmware has bytes for ${range}, the flash of ${board.name} is ${flash}.`, "Is it for this board?");
    }
    const models = base + partition.offset;
    if (address < models + partition.bytes && end > models) {
      const kept = rangeText(models, partition.bytes);
      const message = `The firmware has bytes for ${range}; ${board.name} keeps its models at ${kept}.`;
      refuse(message, "Models are flashed without --firmware; --address says where a .bin goes.");
    }
  }
}
