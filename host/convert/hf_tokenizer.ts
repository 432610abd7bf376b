/** The tokenizer beside a model's weights, in whichever of the published files it is. */
import { basename, join } from "node:path";
import { TritkitError } from "../errors.ts";
import { JsonFields } from "./json.ts";
import { readTextIfThere, TOKENIZER_MAX } from "./source_files.ts";
import { type ImportedTokenizer, importTokenizer } from "./tokenizer_json.ts";

/**
 * @param given --tokenizer
 * @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export async function readTokenizer(
  directory: string,
  given: string | undefined,
  vocabSize: number,
): Promise<ImportedTokenizer> {
  const path = given ?? join(directory, "tokenizer.json");
  const text = await readTextIfThere(path, TOKENIZER_MAX);
  if (text !== null) return importTokenizer(basename(path), text, vocabSize);
  throw new TritkitError(
    "E_SOURCE_MISSING",
    given === undefined ? `${directory} has no tokenizer.json.` : `${given} is not there.`,
    "Give the tokenizer's file with --tokenizer.",
  );
}

export async function readJsonIfThere(directory: string, name: string): Promise<JsonFields | null> {
  const text = await readTextIfThere(join(directory, name));
  return text === null ? null : JsonFields.parse(name, text);
}
