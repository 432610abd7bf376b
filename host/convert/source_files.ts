/** Files of a model's source: texts, and bytes by position. */
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { TritkitError } from "../errors.ts";

/** config.json has kilobytes; the index of the largest models half a megabyte. */
const TEXT_MAX = 8 << 20;
/** tokenizer.json of the largest vocabularies has 35 MB. */
export const TOKENIZER_MAX = 40 << 20;

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT */
export async function readText(path: string, most = TEXT_MAX): Promise<string> {
  const text = await readTextIfThere(path, most);
  if (text === null) throw new TritkitError("E_SOURCE_MISSING", `${path} is not there.`, "Is it a complete download?");
  return text;
}

/** null when there is no such file. */
export async function readTextIfThere(path: string, most = TEXT_MAX): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return null;
  if (found.size > most) throw fileTooLarge(path, found.size, most);
  return readFile(path, "utf8");
}

export function fileTooLarge(path: string, bytes: number, most: number): TritkitError {
  return new TritkitError(
    "E_SOURCE_FORMAT",
    `${path} has ${bytes} bytes, such a file has at most ${most}.`,
    "Download the model again.",
  );
}

/** @throws TritkitError E_SOURCE_MISSING */
export function openSource(path: string): Promise<FileHandle> {
  return open(path, "r").catch((cause: unknown) => {
    throw new TritkitError("E_SOURCE_MISSING", `${path} cannot be opened.`, "Is it a complete download?", undefined, {
      cause,
    });
  });
}

/**
 * @returns a fresh buffer of `length` bytes from `position`
 * @throws TritkitError E_SOURCE_FORMAT when the file ends before
 */
export async function readExactly(
  file: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${basename(path)} ends at byte ${position + done}.`,
        "Download the model again.",
      );
    done += bytesRead;
  }
  return bytes;
}
