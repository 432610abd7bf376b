/**
 * A release of firmware: a folder with firmware.json, which names the files beside it with their addresses and digests.
 * Nothing of it is used unless all of it is as the manifest says.
 *
 *     { "board": "stm32f405", "version": "0.1.0", "wasm_sha256": hex,
 *       "segments": [{ "file": "firmware-08000000.bin", "address": 134217728, "bytes": n, "sha256": hex }],
 *       "uf2": "firmware.uf2" or null, "elf": "firmware.elf" or null,
 *       "updates": [{ "slot": 0, "file": "firmware-slot0.img", "bytes": n, "sha256": hex }, ...] }
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { joinSegments } from "./layout.ts";
import type { FirmwareSegment } from "./segments.ts";
import { readUpdateFile, type UpdateFile } from "./update_file.ts";

export const MANIFEST = "firmware.json";

export interface Firmware {
  readonly board: string;
  readonly version: string;
  /** SHA-256 of the device module that it was made from, hex; "" when the build did not say it. */
  readonly wasmSha256: string;
  /** In order of address, each checked against its digest. */
  readonly segments: readonly FirmwareSegment[];
  /** The same as a UF2 file; null for chips that take none. */
  readonly uf2: Uint8Array | null;
  /** Path of the ELF file, for debuggers and emulators. */
  readonly elf: string | null;
  /** For an update over the board's line, linked for each slot; none where firmware cannot replace itself. */
  readonly updates: readonly UpdateFile[];
}

/** Of the module, where the build says it. */
const SHA256_OR_NONE = /^([0-9a-f]{64})?$/;
/** A name, no path: the files lie beside the manifest. */
const FILE = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * @returns null when the folder has no firmware.json
 * @throws TritkitError E_FIRMWARE_CORRUPT
 */
export async function readFirmwareFolder(folder: string): Promise<Firmware | null> {
  const corrupt = (what: string, cause?: unknown): TritkitError => {
    const message = `The firmware in ${folder} is damaged: ${what}.`;
    return new TritkitError("E_FIRMWARE_CORRUPT", message, "Install tritkit or build the firmware again.", undefined, {
      cause,
    });
  };
  const content = async (name: unknown): Promise<Uint8Array> => {
    if (typeof name !== "string" || !FILE.test(name))
      throw corrupt(`${JSON.stringify(name)} is no file beside ${MANIFEST}`);
    return new Uint8Array(
      await readFile(join(folder, name)).catch((cause) => {
        throw corrupt(`${name} cannot be read`, cause);
      }),
    );
  };
  const text = await readFile(join(folder, MANIFEST), "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return null;
    throw corrupt(`${MANIFEST} cannot be read`, cause);
  });
  if (text === null) return null;
  const json = parsed(text);
  if (json === null) throw corrupt(`${MANIFEST} is no JSON object`);
  const { board, version, wasm_sha256, segments, uf2, elf, updates = [] } = json;
  if (typeof board !== "string" || typeof version !== "string") throw corrupt(`${MANIFEST} names no board and version`);
  if (typeof wasm_sha256 !== "string" || !SHA256_OR_NONE.test(wasm_sha256)) throw corrupt("wasm_sha256 is no digest");
  if (!Array.isArray(segments) || segments.length === 0) throw corrupt(`${MANIFEST} has no segments`);
  const checked = async ({ file, bytes, sha256 }: Record<string, unknown>): Promise<Uint8Array> => {
    const found = await content(file);
    if (found.length !== bytes) throw corrupt(`${file} has ${found.length} bytes, not ${JSON.stringify(bytes)}`);
    if (createHash("sha256").update(found).digest("hex") !== sha256) throw corrupt(`${file} is not what was built`);
    return found;
  };
  const read: FirmwareSegment[] = [];
  for (const each of segments as unknown[]) {
    const piece = (each ?? {}) as Record<string, unknown>;
    const { address } = piece;
    if (typeof address !== "number" || !Number.isInteger(address) || address < 0 || address >= 2 ** 32)
      throw corrupt(`${JSON.stringify(address)} is no address`);
    read.push({ address, bytes: await checked(piece) });
  }
  if (!Array.isArray(updates)) throw corrupt("updates is no list");
  const files: UpdateFile[] = [];
  for (const each of updates as unknown[])
    files.push(readUpdateFile(await checked((each ?? {}) as Record<string, unknown>)));
  if (files.some((file) => file.board !== board)) throw corrupt("an update in it is for another board");
  if (elf !== null && (typeof elf !== "string" || !FILE.test(elf))) throw corrupt("elf is no file name");
  return {
    board,
    version,
    wasmSha256: wasm_sha256,
    segments: joinSegments(read),
    uf2: uf2 === null ? null : await content(uf2),
    elf: elf === null ? null : join(folder, elf),
    updates: files,
  };
}

/**
 * The segments of the release in `folder`, for `board`.
 * @throws TritkitError E_NO_FIRMWARE, E_FIRMWARE_BOARD, E_FIRMWARE_CORRUPT
 */
export async function readRelease(folder: string, board: string): Promise<FirmwareSegment[]> {
  const firmware = await readFirmwareFolder(folder);
  if (firmware === null) {
    const message = `There is no firmware for ${board} in ${folder}.`;
    throw new TritkitError("E_NO_FIRMWARE", message, `A release is a folder with ${MANIFEST}.`);
  }
  checkMadeFor(firmware, board);
  return [...firmware.segments];
}

/** @throws TritkitError E_FIRMWARE_BOARD */
export function checkMadeFor(firmware: Firmware, board: string): void {
  if (firmware.board === board) return;
  const message = `The firmware is for ${firmware.board}, not for ${board}.`;
  throw new TritkitError("E_FIRMWARE_BOARD", message, "Choose another folder or another --board.", EXIT_REFUSED);
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
