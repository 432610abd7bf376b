/**
 * SentencePiece vocabularies -> the neutral description: pieces with a score and a type, as tokenizer.model, GGUF's "llama" tokenizers and llama2.c's tokenizer.bin hold them.
 * Piece types are sentencepiece's (src/sentencepiece_model.proto), which GGUF took over.
 */
import {
  PRE_SENTENCEPIECE,
  SCORE_FRAC,
  TOK_BYTE_FALLBACK,
  TOK_FLOAT_SUMS,
  TOK_FUSE_UNK,
  TOK_SENTENCEPIECE,
  TOK_TYPE_ADDED,
  TOK_TYPE_BYTE,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
  TOK_UNIGRAM,
} from "../../../spec/image.ts";
import type { Tokenizer } from "../../image/tokenizer.ts";
import { buildTokenizer, damaged, type Token, unsupported } from "./build.ts";
import { fallbackByte, sentencePieceBytes, utf8 } from "./bytes.ts";
import { mergesOfScores } from "./merges.ts";

export const NORMAL = 1;
export const UNKNOWN = 2;
export const CONTROL = 3;
export const USER_DEFINED = 4;
export const UNUSED = 5;
export const BYTE = 6;

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

/** What an unknown character costs more than the costliest piece (src/unigram_model.cc, kUnkPenalty). */
const UNKNOWN_PENALTY = 10;
/**
 * Of a symbol that the trainer was given: length * max_score - 0.1, where max_score starts at FLT_MIN, the smallest float above 0, and scores are
 * below 0. So measured: Debian's 0.1.97 takes it at 0.1.
 */
const USER_DEFINED_SCORE = -0.1;
const COST_MAX = 2 ** (32 - SCORE_FRAC);

/**
 * @param pieces by id, at most vocabSize
 * @param flags TOK_ADD_SPACE_PREFIX or 0; the others follow from the pieces
 * @param unk id or -1
 */
export function tokenizerOfPieces(
  where: string,
  pieces: readonly Piece[],
  options: { readonly unigram: boolean; readonly flags: number; readonly unk: number; readonly vocabSize: number },
): Tokenizer {
  const { unigram, unk, vocabSize } = options;
  if (pieces.length > vocabSize) throw damaged(where, `has ${pieces.length} tokens, the model only ${vocabSize}`);
  for (const { text, score } of pieces)
    if (!Number.isFinite(score)) throw damaged(where, `has the score ${score} for ${JSON.stringify(text)}`);
  const tokens: (Token | undefined)[] = new Array(vocabSize).fill(undefined);
  for (const [id, piece] of pieces.entries()) tokens[id] = tokenOf(where, piece, unigram);
  const fallback = tokens.some((token) => token?.type === TOK_TYPE_BYTE);
  const flags = options.flags | TOK_FUSE_UNK | (fallback ? TOK_BYTE_FALLBACK : 0) | (unigram ? TOK_FLOAT_SUMS : 0);
  const style = { kind: unigram ? TOK_UNIGRAM : TOK_SENTENCEPIECE, flags, pre: PRE_SENTENCEPIECE };
  if (unigram) return { ...buildTokenizer(style, tokens, [], unk), costs: costsOf(where, pieces, unk, vocabSize) };
  const texts = pieces.flatMap(({ text, score }, id) =>
    tokens[id]?.type === TOK_TYPE_TEXT ? [{ text, id, score }] : [],
  );
  return buildTokenizer(style, tokens, mergesOfScores(texts), unk);
}

function tokenOf(where: string, { text, type }: Piece, unigram: boolean): Token {
  switch (type) {
    case UNKNOWN:
    case CONTROL:
      return { text, bytes: utf8(text), type: TOK_TYPE_SPECIAL };
    case BYTE: {
      const byte = fallbackByte(text);
      if (byte < 0) throw damaged(where, `has the byte ${JSON.stringify(text)}, which is not spelled <0x..>`);
      return { text, bytes: Uint8Array.of(byte), type: TOK_TYPE_BYTE };
    }
    case UNUSED:
      return { text, bytes: sentencePieceBytes(text), type: TOK_TYPE_UNUSED };
    case USER_DEFINED:
      // BPE cuts them out of the text; in the unigram model they are pieces with a score that nearly always wins.
      return { text, bytes: sentencePieceBytes(text), type: unigram ? TOK_TYPE_TEXT : TOK_TYPE_ADDED };
    case NORMAL:
      return { text, bytes: sentencePieceBytes(text), type: TOK_TYPE_TEXT };
    default:
      throw damaged(where, `has a token of type ${type}`);
  }
}

/** -log probability in 2^-SCORE_FRAC. */
function costsOf(where: string, pieces: readonly Piece[], unk: number, vocabSize: number): Uint32Array {
  const normal = pieces.filter(({ type }) => type === NORMAL);
  if (normal.length === 0) throw damaged(where, "has no pieces");
  const costs = new Uint32Array(vocabSize);
  for (const [id, { text, score, type }] of pieces.entries()) {
    if (type === NORMAL) costs[id] = costOf(where, text, score);
    else if (type === USER_DEFINED) costs[id] = costOf(where, text, USER_DEFINED_SCORE);
  }
  const least = normal.reduce((low, { score }) => Math.min(low, score), Number.POSITIVE_INFINITY);
  if (unk >= 0) costs[unk] = costOf(where, "unknown", Math.fround(least - UNKNOWN_PENALTY));
  return costs;
}

/** @throws TritkitError E_UNSUPPORTED */
export function costOf(where: string, text: string, score: number): number {
  const cost = Math.round(-score * 2 ** SCORE_FRAC);
  if (!(cost >= 0 && cost < COST_MAX * 2 ** SCORE_FRAC))
    throw unsupported(where, `the score ${score} of ${JSON.stringify(text)}`);
  return cost;
}

export { UNKNOWN_PENALTY };
