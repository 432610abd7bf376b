/** Text files of a model's source. */
import { readFile, stat } from "node:fs/promises";
import { TritkitError } from "../errors.ts";

/** tokenizer.json of the largest vocabularies has 20 MB. */
const TEXT_MAX = 256 << 20;

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT */
export async function readText(path: string): Promise<string> {
  const text = await readTextIfThere(path);
  if (text === null) throw new TritkitError("E_SOURCE_MISSING", `${path} is not there.`, "Is it a complete download?");
  return text;
}

/** null when there is no such file. */
export async function readTextIfThere(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return null;
  if (found.size > TEXT_MAX)
    throw new TritkitError("E_SOURCE_FORMAT", `${path} has ${found.size} bytes, which is no text of a model.`);
  return readFile(path, "utf8");
}
