// Where firmware goes in an ESP32's flash, cut into pieces that are written, verified and found again one by one.
import type { Board } from "../../../boards/board.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { type FirmwareSegment, totalBytes } from "./segments.ts";

/** Erase unit of the SPI flash; the stub erases every sector that it writes to. */
const SECTOR = 4096;
/**
 * Three sectors: even what does not compress travels in one block of the stub (16 KiB), so a block that is sent again, because its answer
 * was lost, cannot end up twice in a stream. And a stream that filled the stub's window of 32 KiB exactly would fail on its last bytes
 * (esp-flasher-stub, command_handler.c).
 */
const CHUNK = 3 * SECTOR;

export interface Chunk {
  /** From the beginning of flash. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** @throws TritkitError E_FIRMWARE_RANGE for segments that do not belong into this board's firmware */
export function planChunks(board: Board, segments: readonly FirmwareSegment[]): Chunk[] {
  const { base, bytes: flashBytes, partition } = board.flash;
  const wrong = ({ address, bytes }: FirmwareSegment, why: string): TritkitError => {
    const where = `${bytes.length} bytes at 0x${address.toString(16)}`;
    const hint = `Use the firmware that was built for ${board.name}.`;
    return new TritkitError("E_FIRMWARE_RANGE", `The firmware has ${where}, which ${why}.`, hint, EXIT_REFUSED);
  };
  if (totalBytes(segments) === 0)
    throw new TritkitError("E_FIRMWARE_RANGE", "The firmware is empty.", "", EXIT_REFUSED);
  const sorted = segments.filter(({ bytes }) => bytes.length > 0).sort((a, b) => a.address - b.address);
  sorted.forEach((segment, i) => {
    const start = segment.address - base;
    const end = start + segment.bytes.length;
    const next = sorted[i + 1];
    if (!Number.isInteger(start) || start < 0 || end > flashBytes)
      throw wrong(segment, `${board.name} has no flash for`);
    if (end > partition.offset && start < partition.offset + partition.bytes)
      throw wrong(segment, "is where models lie");
    if (start % SECTOR !== 0) throw wrong(segment, `does not begin with a sector of ${SECTOR} bytes`);
    if (next !== undefined && next.address < segment.address + segment.bytes.length)
      throw wrong(next, "overlaps another piece");
  });
  const chunks: Chunk[] = [];
  for (const { address, bytes } of sorted)
    for (let at = 0; at < bytes.length; at += CHUNK)
      chunks.push({ offset: address - base + at, bytes: bytes.subarray(at, at + CHUNK) });
  return chunks;
}
