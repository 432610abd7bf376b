/** Firmware releases for tests: the one that ships for a board, or a made-up one where none was built yet. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Board } from "../../boards/board.ts";
import { firmwareFolder } from "../assets.ts";
import { readRelease } from "../device/firmware/release.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";

/** Writes a release as the firmware build does. */
export async function writeRelease(folder: string, board: string, segments: readonly FirmwareSegment[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const entries = segments.map(({ address, bytes }) => ({
    file: `firmware-${address.toString(16).padStart(8, "0")}.bin`,
    address,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  }));
  for (const [i, { file }] of entries.entries()) await writeFile(join(folder, file), segments[i].bytes);
  const manifest = { board, version: "0.1.0", wasm_sha256: "", segments: entries, uf2: null, elf: null };
  await writeFile(join(folder, "firmware.json"), JSON.stringify(manifest));
}

/** The folder of the release that ships, or `folder` with `madeUp` in it. */
export async function releaseOf(
  board: Board,
  folder: string,
  madeUp: readonly FirmwareSegment[],
): Promise<{ folder: string; segments: FirmwareSegment[] }> {
  const shipped = firmwareFolder(board);
  const used = existsSync(join(shipped, "firmware.json")) ? shipped : folder;
  if (used === folder) await writeRelease(folder, board.name, madeUp);
  return { folder: used, segments: await readRelease(used, board.name) };
}
