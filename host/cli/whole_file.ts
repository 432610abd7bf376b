// A result in a file: there is the old file or the whole new one, never a part.
import { type FileHandle, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TritkitError } from "../errors.ts";

/** @throws TritkitError E_OUTPUT */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = partOf(path);
  try {
    await writeFile(part, bytes, { flag: "wx", flush: true });
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {});
    throw outputError(path, cause);
  }
}

/** The folder that results go to; it may be there. @throws TritkitError E_OUTPUT */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw outputError(path, cause);
  }
}

/** A result that grows. What is no plain file (a pipe, /dev/stdout) is written as it is. */
export interface GrowingFile {
  readonly file: FileHandle;
  /** Gives the file its name. */
  finish(): Promise<void>;
  /** Leaves nothing, unless it was finished. */
  close(): Promise<void>;
}

/** @throws TritkitError E_OUTPUT */
export async function growWhole(path: string): Promise<GrowingFile> {
  const found = await stat(path).catch(() => null);
  const target = found === null || found.isFile() ? partOf(path) : path;
  let isOpen = true;
  try {
    const file = await open(target, target === path ? "w" : "wx");
    return {
      file,
      async finish() {
        await file.close();
        isOpen = false;
        if (target !== path) await rename(target, path);
      },
      async close() {
        if (!isOpen) return;
        await file.close();
        if (target !== path) await rm(target, { force: true });
      },
    };
  } catch (cause) {
    throw outputError(path, cause);
  }
}

function partOf(path: string): string {
  return join(dirname(path), `.${process.pid}-${Date.now().toString(36)}.part`);
}

function outputError(path: string, cause: unknown): TritkitError {
  const reason = (cause as Error).message.split(",")[0];
  const options = { cause };
  return new TritkitError(
    "E_OUTPUT",
    `${path} cannot be written: ${reason}.`,
    "Choose another place.",
    undefined,
    options,
  );
}
