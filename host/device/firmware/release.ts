// A firmware release on disk: firmware.json and the files it names, as `npm run firmware` leaves them in boards/<name>/release/.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { TritkitError } from "../../errors.ts";
import type { FirmwareSegment } from "./segments.ts";

const MANIFEST = "firmware.json";

/**
 * The segments of the release in `folder`, in the manifest's order: the one with the entry first.
 * @throws TritkitError E_NO_FIRMWARE when there is none, E_FIRMWARE_DAMAGED when it is not what its manifest says or not for this board
 */
export async function readRelease(folder: string, board: string): Promise<FirmwareSegment[]> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    const message = `There is no firmware for ${board} in ${folder}.`;
    throw new TritkitError("E_NO_FIRMWARE", message, "A release is a folder with firmware.json.", 1, { cause });
  });
  const entries = segmentEntries(parse(text), board);
  if (entries === null) throw damaged(path, `it is no manifest of ${board}'s firmware`);
  return Promise.all(
    entries.map(async ({ file, address, sha256 }) => {
      const bytes = new Uint8Array(
        await readFile(join(folder, file)).catch((cause: Error) => {
          throw damaged(path, `${file} is missing`, cause);
        }),
      );
      if (createHash("sha256").update(bytes).digest("hex") !== sha256)
        throw damaged(path, `${file} is not what its SHA-256 says`);
      return { address, bytes };
    }),
  );
}

interface Entry {
  file: string;
  address: number;
  sha256: string;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** null: not the manifest of this board. */
function segmentEntries(manifest: unknown, board: string): Entry[] | null {
  const { board: name, segments } = (manifest ?? {}) as { board?: unknown; segments?: unknown };
  if (name !== board || !Array.isArray(segments) || segments.length === 0) return null;
  const isEntry = ({ file, address, sha256 }: Partial<Entry>): boolean =>
    typeof file === "string" && file === basename(file) && Number.isSafeInteger(address) && typeof sha256 === "string";
  return segments.every((each) => isEntry(each ?? {})) ? segments : null;
}

function damaged(path: string, why: string, cause?: Error): TritkitError {
  return new TritkitError("E_FIRMWARE_DAMAGED", `${path} cannot be used: ${why}.`, "Build or fetch it again.", 1, {
    cause,
  });
}
