/** Firmware releases for tests: the one that ships for a board, or a made-up one where none was built yet. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Board } from "../../boards/board.ts";
import { firmwareFolder } from "../assets.ts";
import { readRelease } from "../device/firmware/release.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { writeRelease } from "./firmware_fixture.ts";

/** The folder of the release that ships, or `folder` with `madeUp` in it. */
export async function releaseOf(
  board: Board,
  folder: string,
  madeUp: readonly FirmwareSegment[],
): Promise<{ folder: string; segments: FirmwareSegment[] }> {
  const shipped = firmwareFolder(board);
  const used = existsSync(join(shipped, "firmware.json")) ? shipped : folder;
  if (used === folder) await writeRelease(folder, board.name, [...madeUp]);
  return { folder: used, segments: await readRelease(used, board.name) };
}
