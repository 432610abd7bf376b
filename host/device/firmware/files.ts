// From a file or folder of firmware to what a board's boot ROM is given.
import { readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import type { Board } from "../../../boards/board.ts";
import { EXIT_USAGE, TritkitError } from "../../errors.ts";
import { readHex } from "./hex.ts";
import { checkFirmwareRange } from "./layout.ts";
import { checkMadeFor, type Firmware, MANIFEST, readFirmwareFolder } from "./release.ts";
import type { FirmwareSegment } from "./segments.ts";
import { readUf2, uf2Chip, writeUf2 } from "./uf2.ts";

/** Firmware for a board, in its flash and outside the partition of its models. */
export interface BoardFirmware {
  readonly segments: readonly FirmwareSegment[];
  /** What to copy to the drive of a chip that takes UF2; null for other chips. */
  readonly uf2: Uint8Array | null;
  /** As the manifest says; null for a single file. */
  readonly version: string | null;
}

/**
 * @param path a .bin (its first byte goes to `address`), .hex or .uf2 file, or a folder with firmware.json
 * @throws TritkitError E_USAGE, E_FILE_NOT_FOUND, E_FIRMWARE_FILE, E_FIRMWARE_BOARD, E_FIRMWARE_RANGE, E_FIRMWARE_CORRUPT,
 *   E_NO_FIRMWARE
 */
export async function readBoardFirmware(path: string, board: Board, address?: number): Promise<BoardFirmware> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${path}.`, "Check the path.");
  const kind = found.isDirectory() ? "folder" : extname(path).toLowerCase();
  if (address !== undefined && kind !== ".bin") {
    throw new TritkitError("E_USAGE", "--address is for a .bin file: others say it.", "Leave it out.", EXIT_USAGE);
  }
  switch (kind) {
    case "folder": {
      const firmware = await readFirmwareFolder(path);
      if (firmware === null)
        throw new TritkitError("E_NO_FIRMWARE", `${path} has no ${MANIFEST}.`, "Give a folder that a build made.");
      return releasedFirmware(firmware, board);
    }
    case ".uf2": {
      if (board.rom !== "uf2") throw unknownKind(path, board);
      const uf2 = new Uint8Array(await readFile(path));
      return forBoard(readUf2(uf2, uf2Chip(board.chip).family), board, null, uf2);
    }
    case ".hex":
    case ".ihex":
      return forBoard(readHex(await readFile(path, "latin1")), board, null, null);
    case ".bin": {
      if (address === undefined) {
        const hint = `Say where its first byte goes: --address 0x${board.flash.base.toString(16)} is the start of flash.`;
        throw new TritkitError("E_USAGE", "A .bin file does not say its address.", hint, EXIT_USAGE);
      }
      return forBoard([{ address, bytes: new Uint8Array(await readFile(path)) }], board, null, null);
    }
    default:
      throw unknownKind(path, board);
  }
}

function unknownKind(path: string, board: Board): TritkitError {
  const kinds = board.rom === "uf2" ? ".bin, .hex or .uf2" : ".bin or .hex";
  const message = `${path} is no firmware that ${board.name} can be given.`;
  return new TritkitError("E_USAGE", message, `Give a ${kinds} file, or a folder with ${MANIFEST}.`, EXIT_USAGE);
}

/**
 * The firmware of a release, held against the board that it is for.
 * @throws TritkitError E_FIRMWARE_BOARD, E_FIRMWARE_RANGE, E_FIRMWARE_CORRUPT
 */
export function releasedFirmware(firmware: Firmware, board: Board): BoardFirmware {
  checkMadeFor(firmware, board.name);
  const { segments, uf2, version } = firmware;
  if (board.rom === "uf2" && uf2 !== null && !holds(readUf2(uf2, uf2Chip(board.chip).family), segments)) {
    const message = `The UF2 file of the firmware for ${board.name} is not what its segments are.`;
    throw new TritkitError("E_FIRMWARE_CORRUPT", message, "Install tritkit or build the firmware again.");
  }
  return forBoard(segments, board, version, uf2);
}

function forBoard(
  segments: readonly FirmwareSegment[],
  board: Board,
  version: string | null,
  uf2: Uint8Array | null,
): BoardFirmware {
  checkFirmwareRange(board, segments);
  if (board.rom !== "uf2") return { segments, uf2: null, version };
  const { family } = uf2Chip(board.chip);
  const file = uf2 ?? writeUf2(segments, family);
  // A UF2 file is filled up to whole sectors, and may bring blocks of its own.
  checkFirmwareRange(board, readUf2(file, family));
  return { segments, uf2: file, version };
}

/** True when `segments` stand in `all`, byte for byte. */
function holds(all: readonly FirmwareSegment[], segments: readonly FirmwareSegment[]): boolean {
  return segments.every(({ address, bytes }) =>
    all.some((run) => {
      const at = address - run.address;
      return at >= 0 && Buffer.compare(run.bytes.subarray(at, at + bytes.length), bytes) === 0;
    }),
  );
}
