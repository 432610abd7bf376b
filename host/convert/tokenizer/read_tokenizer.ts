/** The tokenizer beside a model's weights, in whichever of the published files it is. */
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { TritkitError } from "../../errors.ts";
import { fileTooLarge, TOKENIZER_MAX } from "../source_files.ts";
import { importTokenizerBin } from "./bin.ts";
import { type ImportedTokenizer, importTokenizer } from "./json.ts";
import { importTokenizerModel } from "./model.ts";

type Import = (where: string, bytes: Uint8Array, vocabSize: number) => ImportedTokenizer;

/** By the end of the name; anything else is JSON. */
const FORMATS: readonly (readonly [string, Import])[] = [
  [".model", importTokenizerModel],
  [".bin", importTokenizerBin],
  ["", (where, bytes, vocabSize) => importTokenizer(where, new TextDecoder().decode(bytes), vocabSize)],
];

/**
 * @param names of the files that may hold it, the best first
 * @param given --tokenizer, which leads
 * @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export async function readTokenizer(
  directory: string,
  names: readonly string[],
  given: string | undefined,
  vocabSize: number,
): Promise<ImportedTokenizer> {
  if (given !== undefined) return readTokenizerFile(given, vocabSize);
  for (const path of names.map((name) => join(directory, name))) {
    const imported = await importIfThere(path, vocabSize);
    if (imported) return imported;
  }
  throw new TritkitError(
    "E_SOURCE_MISSING",
    `${directory} has no ${names.join(" and no ")}.`,
    "Give the tokenizer's file with --tokenizer.",
  );
}

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED */
export async function readTokenizerFile(path: string, vocabSize: number): Promise<ImportedTokenizer> {
  const imported = await importIfThere(path, vocabSize);
  if (!imported) {
    const what = (await stat(path).catch(() => null)) === null ? "is not there" : "is no file";
    throw new TritkitError(
      "E_SOURCE_MISSING",
      `${path} ${what}.`,
      "Give a tokenizer.json, tokenizer.model or tokenizer.bin.",
    );
  }
  return imported;
}

async function importIfThere(path: string, vocabSize: number): Promise<ImportedTokenizer | null> {
  const bytes = await readIfThere(path);
  const format = FORMATS.find(([end]) => path.endsWith(end));
  return bytes && format ? format[1](basename(path), bytes, vocabSize) : null;
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return null;
  if (found.size > TOKENIZER_MAX) throw fileTooLarge(path, found.size, TOKENIZER_MAX);
  return readFile(path);
}
