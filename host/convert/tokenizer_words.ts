/** Which word rule of spec/IMAGE.md a tokenizer file means: by its regular expression (Hugging Face) or by its name (GGUF). */
import { PRE_BYTES, PRE_GPT2, PRE_LLAMA3 } from "../../spec/image.ts";

/** The six ASCII spaces and everything beyond ASCII, as examples/train/tokenizer.py writes them. */
const SPACES = " \\t\\n\\r\\x0B\\x0C";
const HIGH = "\u0080-\u{10ffff}";
/** PRE_BYTES of spec/IMAGE.md, over characters. */
export const PRE_BYTES_REGEX = ` ?[A-Za-z${HIGH}]+| ?[0-9]| ?[^${SPACES}A-Za-z0-9${HIGH}]+|[${SPACES}]+(?![^${SPACES}])|[${SPACES}]+`;
/** tiktoken's and tokenizers' ByteLevel with use_regex. */
export const GPT2_REGEX = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** meta-llama/Meta-Llama-3-8B, tokenizer.json. */
export const LLAMA3_REGEX =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

export interface WordRule {
  /** PRE_*. */
  readonly pre: number;
  /** A word that is a token is taken whole, whatever the merges say (GGUF: by the name). */
  readonly ignoreMerges: boolean;
}

const BY_REGEX: ReadonlyMap<string, number> = new Map([
  [PRE_BYTES_REGEX, PRE_BYTES],
  [GPT2_REGEX, PRE_GPT2],
  [LLAMA3_REGEX, PRE_LLAMA3],
]);

/** PRE_* or null. */
export function ruleOfRegex(regex: string): number | null {
  return BY_REGEX.get(regex) ?? null;
}

/** tokenizer.ggml.pre -> rule, as llama.cpp's src/llama-vocab.cpp reads it. */
const BY_NAME: readonly [names: readonly string[], rule: WordRule][] = [
  [["gpt-2", "phi-2", "olmo", "mpt", "jais"], { pre: PRE_GPT2, ignoreMerges: false }],
  [["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1"], { pre: PRE_LLAMA3, ignoreMerges: true }],
  [["dbrx", "smaug-bpe"], { pre: PRE_LLAMA3, ignoreMerges: false }],
];

export function ruleOfName(name: string): WordRule | null {
  return BY_NAME.find(([names]) => names.includes(name))?.[1] ?? null;
}
