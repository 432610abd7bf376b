/**
 * The tokenizer in a GGUF file's metadata -> TOKENIZER section.
 *
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer": `tokenizer.ggml.model` names the algorithm ("llama": SentencePiece BPE by scores,
 * "gpt2": byte-level BPE with a list of merges), `token_type` is 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. Defaults are llama.cpp's
 * (src/llama-vocab.cpp): a "llama" tokenizer puts a space before a text unless it says otherwise, a "gpt2" one does not.
 */
import {
  NONE_ID,
  PRE_SENTENCEPIECE,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_IGNORE_MERGES,
  TOK_SENTENCEPIECE,
  TOK_TYPE_BYTE,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
} from "../../spec/image.ts";
import {
  buildTokenizer,
  checkVocabSize,
  damaged,
  type ImportedTokenizer,
  type Style,
  type Token,
  unsupported,
} from "./tokenizer_build.ts";
import { byteLevelBytes, fallbackByte, sentencePieceBytes, utf8 } from "./tokenizer_bytes.ts";
import { mergesOfPairs, mergesOfScores } from "./tokenizer_merges.ts";
import { ruleOfName } from "./tokenizer_words.ts";

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

const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;
const BYTE = 6;

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
  if (fields.model === "gpt2") return byteLevel(where, fields, vocabSize);
  if (fields.model === "llama") return sentencePiece(where, fields, vocabSize);
  throw unsupported(where, `a ${JSON.stringify(fields.model)} tokenizer`);
}

function byteLevel(where: string, fields: GgufTokenizer, vocabSize: number): ImportedTokenizer {
  const rule = fields.pre === null ? null : ruleOfName(fields.pre);
  if (!rule)
    throw unsupported(where, fields.pre === null ? "a word rule that it does not name" : `the word rule ${fields.pre}`);
  if (!fields.merges) throw damaged(where, "has no merges");
  // Only normal tokens are spelled in GPT-2's alphabet.
  const tokens = readTokens(where, fields, vocabSize, (text) => byteLevelBytes(where, text));
  const ids = idsOf(fields.tokens);
  const pairs = fields.merges.map((merge, rank): [string, string] => {
    const space = merge.indexOf(" ", 1);
    if (space < 0) throw damaged(where, `has the merge ${rank} of one token`);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
  const style: Style = {
    kind: TOK_BYTE_LEVEL,
    flags: (rule.ignoreMerges ? TOK_IGNORE_MERGES : 0) | (fields.addSpacePrefix ? TOK_ADD_SPACE_PREFIX : 0),
    pre: rule.pre,
  };
  const tokenizer = buildTokenizer(style, tokens, mergesOfPairs(where, pairs, ids), fields.unk);
  return { tokenizer, ids, addsFirst: fields.addBos };
}

function sentencePiece(where: string, fields: GgufTokenizer, vocabSize: number): ImportedTokenizer {
  const { scores } = fields;
  if (!scores) throw damaged(where, "has no scores of its tokens");
  const tokens = readTokens(where, fields, vocabSize, sentencePieceBytes);
  const pieces = fields.tokens.flatMap((text, id) =>
    tokens[id]?.type === TOK_TYPE_TEXT ? [{ text, id, score: scores[id] }] : [],
  );
  if (pieces.some(({ score }) => Number.isNaN(score))) throw damaged(where, "has a score that is no number");
  const fallback = tokens.some((token) => token?.type === TOK_TYPE_BYTE);
  const flags = ((fields.addSpacePrefix ?? true) ? TOK_ADD_SPACE_PREFIX : 0) | (fallback ? TOK_BYTE_FALLBACK : 0);
  const style: Style = { kind: TOK_SENTENCEPIECE, flags, pre: PRE_SENTENCEPIECE };
  const tokenizer = buildTokenizer(style, tokens, mergesOfScores(pieces), fields.unk);
  return { tokenizer, ids: idsOf(fields.tokens), addsFirst: fields.addBos ?? true };
}

function readTokens(
  where: string,
  fields: GgufTokenizer,
  vocabSize: number,
  bytesOf: (text: string) => Uint8Array,
): (Token | undefined)[] {
  for (const [name, id] of [
    ["bos", fields.bos],
    ["eos", fields.eos],
    ["unknown", fields.unk],
  ] as const)
    if (id !== NONE_ID && (id < 0 || id >= fields.tokens.length))
      throw damaged(where, `names token ${id} as ${name}, but has only ${fields.tokens.length}`);
  const tokens: (Token | undefined)[] = new Array(vocabSize).fill(undefined);
  for (const [id, text] of fields.tokens.entries()) tokens[id] = readToken(where, fields, id, text, bytesOf);
  return tokens;
}

function readToken(
  where: string,
  fields: GgufTokenizer,
  id: number,
  text: string,
  bytesOf: (text: string) => Uint8Array,
): Token {
  switch (fields.types?.[id]) {
    case UNKNOWN:
    case CONTROL:
      return { text, bytes: utf8(text), type: TOK_TYPE_SPECIAL };
    case USER_DEFINED:
      return { text, bytes: fields.model === "gpt2" ? utf8(text) : bytesOf(text), type: TOK_TYPE_TEXT };
    case UNUSED:
      return { text, bytes: new Uint8Array(0), type: TOK_TYPE_UNUSED };
    case BYTE: {
      const byte = fallbackByte(text);
      if (byte < 0) throw damaged(where, `has the byte ${JSON.stringify(text)}, which is not spelled <0x..>`);
      return { text, bytes: Uint8Array.of(byte), type: TOK_TYPE_BYTE };
    }
    default:
      if (id === fields.bos || id === fields.eos) return { text, bytes: utf8(text), type: TOK_TYPE_SPECIAL };
      return { text, bytes: bytesOf(text), type: TOK_TYPE_TEXT };
  }
}

function idsOf(tokens: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [id, text] of tokens.entries()) if (!ids.has(text)) ids.set(text, id);
  return ids;
}
