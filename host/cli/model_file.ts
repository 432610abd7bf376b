// The model that a command is given: where it lies, and whether it is an image.
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CONTEXT_MIN, IMAGE_MAGIC } from "../../spec/image.ts";
import { listModels, modelPath } from "../assets.ts";
import { TritkitError } from "../errors.ts";
import { type Arguments, type OptionSpec, usage } from "./command.ts";

/** "GGUF" (docs/gguf.md of ggml), as a little-endian word. */
const GGUF_MAGIC = 0x46554747;

export const CONTEXT_OPTION: OptionSpec = {
  type: "string",
  value: "N",
  help: "positions of the context, one a token (default: the model's longest)",
};

/** --context, 0 without it. @throws TritkitError E_USAGE for one that the model does not have */
export function contextFrom(args: Arguments, seqLen: number): number {
  if (args.text("context") === undefined) return 0;
  const positions = args.integer("context", 0, Math.min(CONTEXT_MIN, seqLen));
  if (positions > seqLen) throw usage(`--context is larger than the model's ${seqLen} positions.`);
  return positions;
}

/** Whether the path holds what `tritkit convert` takes rather than an image. A file that nobody knows counts as a damaged image. */
export async function holdsSource(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) return false;
  if (found.isDirectory()) return true;
  // Opening a pipe waits for who writes it; neither engine reads one anyway, because weights are read by their places.
  if (!found.isFile())
    throw new TritkitError("E_NOT_A_FILE", `${path} is no file and no folder.`, "Give a model's file.");
  const magic = await firstWord(path);
  return magic !== IMAGE_MAGIC && (magic === GGUF_MAGIC || /\.(gguf|safetensors|bin)$/i.test(path));
}

/** The first four bytes; -1 of a shorter file. */
async function firstWord(path: string): Promise<number> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead < 4 ? -1 : buffer.readUInt32LE(0);
  } finally {
    await file.close();
  }
}

/** A path, or that of the bundled model of this name. @throws TritkitError E_UNKNOWN_MODEL */
export async function existing(file: string): Promise<string> {
  if (/[./\\]/.test(file)) return file;
  // A folder of the user's may have a plain name too.
  const isFolder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder && !(await listModels()).includes(file) ? file : modelPath(file);
}

/** A file, or the name of a bundled model. @throws TritkitError E_UNKNOWN_MODEL, E_FILE_NOT_FOUND, E_FILE_IS_FOLDER */
export async function readModel(file: string): Promise<Uint8Array> {
  const path = await existing(file);
  return readFile(path).then(
    (bytes) => new Uint8Array(bytes),
    (error: unknown) => explained(error, file),
  );
}

/** Throws the error, in the words of somebody who was given a model's name. */
export async function explained(cause: unknown, file: string): Promise<never> {
  const { code } = cause as NodeJS.ErrnoException;
  const name = basename(file, ".trit");
  if (code === "ENOENT" && (await listModels()).includes(name)) {
    const hint = `${name} is bundled: give the name alone.`;
    throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${file}.`, hint, 1, { cause });
  }
  if (code === "EISDIR") {
    const hint = "`tritkit convert` makes a .trit file from a Hugging Face folder.";
    throw new TritkitError("E_FILE_IS_FOLDER", `${file} is a folder, not a .trit file.`, hint, 1, { cause });
  }
  throw cause;
}
