/** Which word rule of spec/IMAGE.md a tokenizer file means: by its regular expression (Hugging Face) or by its name (GGUF). */
import { PRE_BYTES, PRE_DIGITS, PRE_GPT2, PRE_LLAMA3, PRE_QWEN2 } from "../../../spec/image.ts";

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

/** Qwen/Qwen2-7B, tokenizer.json: Llama 3's with one number at a time. */
export const QWEN2_REGEX = LLAMA3_REGEX.replace("{1,3}", "");

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
  [QWEN2_REGEX, PRE_QWEN2],
]);

/** PRE_* or null. */
export function ruleOfRegex(regex: string): number | null {
  return BY_REGEX.get(regex) ?? null;
}

export const LLAMA3_RULE: WordRule = { pre: PRE_LLAMA3, ignoreMerges: true };

/** tokenizer.ggml.pre -> rule, as llama.cpp's src/llama-vocab.cpp reads it; falcon_e is bitnet.cpp's name for Falcon-E. */
const BY_NAME: readonly [names: readonly string[], rule: WordRule][] = [
  [["gpt-2", "phi-2", "olmo", "mpt", "jais"], { pre: PRE_GPT2, ignoreMerges: false }],
  [["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "falcon_e"], LLAMA3_RULE],
  [["dbrx", "smaug-bpe"], { pre: PRE_LLAMA3, ignoreMerges: false }],
  [["qwen2", "stablelm2", "hunyuan", "megrez"], { pre: PRE_QWEN2, ignoreMerges: false }],
  [["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone"], { pre: PRE_DIGITS, ignoreMerges: false }],
];

export function ruleOfName(name: string): WordRule | null {
  return BY_NAME.find(([names]) => names.includes(name))?.[1] ?? null;
}
