/** The tokenizer of a llama2.c model. */

import type { Tokenizer } from "../image/tokenizer.ts";
import { readTokenizer } from "./hf_tokenizer.ts";

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT */
export async function readLlama2cTokenizer(
  directory: string,
  given: string | undefined,
  vocabSize: number,
): Promise<Tokenizer> {
  return (await readTokenizer(directory, given, vocabSize)).tokenizer;
}
