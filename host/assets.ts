// Files that ship in the package, found relative to the bundle: dist/{wasm,boards,models,firmware}. The only place that knows.
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Board, deviceWasmName, parseBoard } from "../boards/board.ts";
import { type Firmware, readFirmwareFolder } from "./device/firmware/release.ts";
import { EXIT_USAGE, TritkitError } from "./errors.ts";

/** dist/ itself: this code runs from dist/, from dist/chunks/, or from a test's bundle elsewhere in the repository. */
function assetsRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "wasm")) && existsSync(join(folder, "boards"))) return folder;
    if (existsSync(join(folder, "dist", "wasm"))) return join(folder, "dist");
    if (dirname(folder) === folder)
      throw new TritkitError("E_NOT_BUILT", "The package is incomplete.", "Run `npm run build`.");
  }
}

async function names(folder: string, extension: string): Promise<string[]> {
  const files = await readdir(join(assetsRoot(), folder)).catch(() => []);
  return files
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length))
    .sort();
}

export async function listBoards(): Promise<Board[]> {
  return Promise.all((await names("boards", ".json")).map(loadBoard));
}

/** @throws TritkitError E_UNKNOWN_BOARD */
export async function loadBoard(name: string): Promise<Board> {
  const known = await names("boards", ".json");
  if (!known.includes(name)) {
    throw new TritkitError(
      "E_UNKNOWN_BOARD",
      `There is no board "${name}".`,
      `Known: ${known.join(", ")}.`,
      EXIT_USAGE,
    );
  }
  return parseBoard(shippedBoardFile(name), name, shippedBoardFile);
}

/** The parsed file of a board that ships, undefined for another name. */
export function shippedBoardFile(name: string): unknown {
  const file = join(assetsRoot(), "boards", `${name}.json`);
  return basename(name) === name && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** The device module of a board: its firmware as WebAssembly. */
export async function loadDeviceWasm(board: Board): Promise<Uint8Array<ArrayBuffer>> {
  return loadWasm(deviceWasmName(board));
}

/**
 * The released firmware of a board for its chip, every byte checked against the manifest.
 * @throws TritkitError E_NO_FIRMWARE, E_FIRMWARE_CORRUPT
 */
export async function loadFirmware(board: Board): Promise<Firmware> {
  const firmware = await readFirmwareFolder(firmwareFolder(board));
  if (firmware !== null) return firmware;
  const message = `tritkit ships no firmware for ${board.name}.`;
  throw new TritkitError("E_NO_FIRMWARE", message, "--file takes one that you built: docs/porting.md says how.");
}

export async function loadWasm(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(join(assetsRoot(), "wasm", file)));
}

/** For small modules whose callers cannot wait. */
export function loadWasmSync(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(assetsRoot(), "wasm", file)));
}

/** Where the firmware release of a board ships; the folder need not be there. */
export function firmwareFolder(board: Board): string {
  return join(assetsRoot(), "firmware", board.name);
}

/** A program beside the command, for a process of its own. */
export function programPath(file: string): string {
  return join(assetsRoot(), file);
}

export function listModels(): Promise<string[]> {
  return names("models", ".trit");
}

/** Path of a bundled model's image. @throws TritkitError E_UNKNOWN_MODEL */
export async function modelPath(name: string): Promise<string> {
  const known = await listModels();
  if (!known.includes(name)) {
    const hint = known.length === 0 ? "None is bundled." : `Bundled: ${known.join(", ")}.`;
    throw new TritkitError("E_UNKNOWN_MODEL", `There is no bundled model "${name}".`, hint, EXIT_USAGE);
  }
  return join(assetsRoot(), "models", `${name}.trit`);
}
