// The models that a scenario names: bundled ones by their name, others by a path relative to the scenario; and a board that is delivered with one.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { partitionRuns } from "../../boards/board.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import { modelPath } from "../assets.ts";
import { TritkitError } from "../errors.ts";
import { readImage } from "../image/reader.ts";
import type { SimBoard } from "../transports/sim.ts";

/** @throws TritkitError E_UNKNOWN_MODEL, E_FILE_NOT_FOUND, E_IMAGE_* */
export async function modelBytes(name: string, folder: string): Promise<Uint8Array> {
  const path = /[./\\]/.test(name) ? resolve(folder, name) : await modelPath(name);
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new TritkitError(
      "E_FILE_NOT_FOUND",
      `There is no file ${path}.`,
      "Paths begin at the scenario's folder.",
      1,
      {
        cause,
      },
    );
  });
  readImage(bytes);
  return new Uint8Array(bytes);
}

/**
 * The image where slot 0 begins and no journal: a board that boots so finds the image by its digests and makes it the active one
 * (spec/STORE.md).
 * @throws TritkitError E_FLASH_FULL
 */
export function deliver(sim: SimBoard, image: Uint8Array): void {
  const start = recordBytes(sim);
  const content = new Uint8Array(sim.flash.bytes).fill(0xff);
  if (start + image.length > content.length) {
    const message = `The image has ${image.length} bytes, the slots of ${sim.board.name} have ${content.length - start}.`;
    throw new TritkitError("E_FLASH_FULL", message, "Choose a smaller model or another board.");
  }
  content.set(image, start);
  sim.flash.load(content);
}

/** Bytes of the sectors before slot 0. */
export function recordBytes(sim: SimBoard): number {
  const sectors = partitionRuns(sim.board).flatMap(({ count, bytes }) => new Array<number>(count).fill(bytes));
  return sectors.slice(0, RECORD_SECTORS).reduce((sum, bytes) => sum + bytes, 0);
}
