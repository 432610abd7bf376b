/**
 * The tokenizer in a GGUF file's metadata -> TOKENIZER section.
 *
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer": `tokenizer.ggml.model` names the algorithm ("llama": SentencePiece BPE by scores,
 * "gpt2": byte-level BPE with a list of merges), `token_type` is 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. Defaults are llama.cpp's
 * (src/llama-vocab.cpp): a "llama" tokenizer puts a space before a text unless it says otherwise, a "gpt2" one does not.
 */
import {
  NONE_ID,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_LEVEL,
  TOK_IGNORE_MERGES,
  TOK_TYPE_ADDED,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
} from "../../../spec/image.ts";
import {
  buildTokenizer,
  checkVocabSize,
  damaged,
  type ImportedTokenizer,
  idsOfTexts,
  type Token,
  unsupported,
} from "./build.ts";
import { byteLevelBytes, fallbackByte, utf8 } from "./bytes.ts";
import { mergesOfPairs } from "./merges.ts";
import { BYTE, CONTROL, NORMAL, tokenizerOfPieces, UNKNOWN, UNUSED, USER_DEFINED } from "./pieces.ts";
import { LLAMA3_RULE, ruleOfName, type WordRule } from "./words.ts";

/** Metadata of a GGUF file, read but not judged. Ids are -1 where the file names none. */
export interface GgufTokenizer {
  readonly model: string;
  readonly pre: string | null;
  readonly tokens: readonly string[];
  readonly scores: Float32Array | null;
  readonly types: Int32Array | null;
  readonly merges: readonly string[] | null;
  readonly bos: number;
  readonly eos: number;
  readonly unk: number;
  readonly addBos: boolean | null;
  readonly addSpacePrefix: boolean | null;
  readonly chatTemplate: string | null;
}

/** The beginnings of Llama 3's special tokens, by id. */
const LLAMA3_MARKS: readonly [id: number, text: string][] = [
  [128000, "<|begin_of_text|>"],
  [128001, "<|end_of_text|>"],
];

/**
 * @param where the file, for messages
 * @param vocabSize of the model: tokens beyond the file's are unused
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function importGgufTokenizer(where: string, fields: GgufTokenizer, vocabSize: number): ImportedTokenizer {
  checkVocabSize(where, vocabSize);
  if (fields.tokens.length > vocabSize)
    throw damaged(where, `has ${fields.tokens.length} tokens, the model only ${vocabSize}`);
  for (const [name, list] of [
    ["scores", fields.scores],
    ["types", fields.types],
  ] as const)
    if (list && list.length !== fields.tokens.length)
      throw damaged(where, `has ${fields.tokens.length} tokens, but ${list.length} ${name}`);
  for (const [name, id] of [
    ["bos", fields.bos],
    ["eos", fields.eos],
    ["unknown", fields.unk],
  ] as const)
    if (id !== NONE_ID && !(id >= 0 && id < fields.tokens.length))
      throw damaged(where, `names token ${id} as ${name}, but has only ${fields.tokens.length}`);
  if (fields.model === "gpt2") return byteLevel(where, fields, vocabSize);
  if (fields.model === "llama") return sentencePiece(where, fields, vocabSize);
  throw unsupported(where, `a ${JSON.stringify(fields.model)} tokenizer`);
}

function byteLevel(where: string, fields: GgufTokenizer, vocabSize: number): ImportedTokenizer {
  const { rule, notes } = wordRule(where, fields);
  if (!fields.merges) throw damaged(where, "has no merges");
  const ids = idsOfTexts(fields.tokens);
  const tokens: (Token | undefined)[] = new Array(vocabSize).fill(undefined);
  for (const [id, text] of fields.tokens.entries()) tokens[id] = byteLevelToken(where, fields, id, text);
  const pairs = fields.merges.map((merge, rank): [string, string] => {
    const space = merge.indexOf(" ", 1);
    if (space < 0) throw damaged(where, `has the merge ${rank} of one token`);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
  const flags = (rule.ignoreMerges ? TOK_IGNORE_MERGES : 0) | (fields.addSpacePrefix ? TOK_ADD_SPACE_PREFIX : 0);
  const style = { kind: TOK_BYTE_LEVEL, flags, pre: rule.pre };
  const tokenizer = buildTokenizer(style, tokens, mergesOfPairs(where, pairs, ids), fields.unk);
  return { tokenizer, ids, addsFirst: fields.addBos, notes };
}

export function isUnnamedRule(pre: string | null): pre is null | "default" {
  return pre === null || pre === "default";
}

export function isLlama3Vocabulary(tokens: readonly string[]): boolean {
  return LLAMA3_MARKS.every(([id, text]) => tokens[id] === text);
}

/**
 * A file without a name of its rule is taken only when the vocabulary is Llama 3's: bitnet.cpp's converters leave the name out, in the published 2B-4T files too
 * (microsoft/BitNet, pull request 508).
 */
function wordRule(where: string, { pre, tokens }: GgufTokenizer): { rule: WordRule; notes: string[] } {
  if (isUnnamedRule(pre)) {
    if (isLlama3Vocabulary(tokens))
      return { rule: LLAMA3_RULE, notes: ["The file names no word rule; Llama 3's goes with its vocabulary."] };
    throw unsupported(where, "a word rule that it does not name");
  }
  const rule = ruleOfName(pre);
  if (!rule) throw unsupported(where, `the word rule ${pre}`);
  return { rule, notes: [] };
}

/** Only normal tokens are spelled in GPT-2's alphabet. */
function byteLevelToken(where: string, fields: GgufTokenizer, id: number, text: string): Token {
  switch (fields.types?.[id] ?? NORMAL) {
    case UNKNOWN:
    case CONTROL:
      return { text, bytes: utf8(text), type: TOK_TYPE_SPECIAL };
    case USER_DEFINED:
      return { text, bytes: utf8(text), type: TOK_TYPE_ADDED };
    case UNUSED:
      return { text, bytes: new Uint8Array(0), type: TOK_TYPE_UNUSED };
    default:
      if (id === fields.bos || id === fields.eos) return { text, bytes: utf8(text), type: TOK_TYPE_SPECIAL };
      return { text, bytes: byteLevelBytes(where, text), type: TOK_TYPE_TEXT };
  }
}

function sentencePiece(where: string, fields: GgufTokenizer, vocabSize: number): ImportedTokenizer {
  const { scores, types } = fields;
  if (!scores) throw damaged(where, "has no scores of its tokens");
  const pieces = fields.tokens.map((text, id) => ({
    text,
    score: scores[id],
    type: types?.[id] ?? guessedType(fields, id, text),
  }));
  const flags = (fields.addSpacePrefix ?? true) ? TOK_ADD_SPACE_PREFIX : 0;
  const tokenizer = tokenizerOfPieces(where, pieces, { unigram: false, flags, unk: fields.unk, vocabSize });
  return { tokenizer, ids: idsOfTexts(fields.tokens), addsFirst: fields.addBos ?? true, notes: [] };
}

/** For a file without types. */
function guessedType({ bos, eos, unk }: GgufTokenizer, id: number, text: string): number {
  if (id === unk) return UNKNOWN;
  if (id === bos || id === eos) return CONTROL;
  return fallbackByte(text) >= 0 ? BYTE : NORMAL;
}
