/**
 * llama2.c's tokenizer.bin -> TOKENIZER section. https://github.com/karpathy/llama2.c, tokenizer.py (export) and run.c (build_tokenizer, encode):
 *
 *     u32 longest token; for each token: f32 score, i32 bytes, the bytes
 *
 * Tokens 0, 1, 2 are unknown, bos and eos, 3..258 the bytes <0x00>..<0xFF>; spaces are spaces. Text is merged by scores as in SentencePiece,
 * with a space in front of it.
 */
import { TOK_ADD_SPACE_PREFIX } from "../../../spec/image.ts";
import { checkVocabSize, damaged, type ImportedTokenizer, idsOfTexts } from "./build.ts";
import { fallbackByte, LOW_LINE } from "./bytes.ts";
import { BYTE, CONTROL, NORMAL, type Piece, tokenizerOfPieces, UNKNOWN } from "./pieces.ts";

const BOS = 1;
const EOS = 2;
const RECORD_BYTES = 8;

/**
 * @param where the file, for messages
 * @param vocabSize of the model: the file does not say how many tokens it has
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function importTokenizerBin(where: string, bytes: Uint8Array, vocabSize: number): ImportedTokenizer {
  checkVocabSize(where, vocabSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces: Piece[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 4; pieces.length < vocabSize; ) {
    if (at + RECORD_BYTES > bytes.length) throw damaged(where, `ends after ${pieces.length} of ${vocabSize} tokens`);
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    at += RECORD_BYTES;
    if (length < 0 || length > bytes.length - at)
      throw damaged(where, `says that token ${pieces.length} has ${length} bytes`);
    let text: string;
    try {
      text = decoder.decode(bytes.subarray(at, at + length));
    } catch {
      throw damaged(where, `has a token ${pieces.length} that is no UTF-8`);
    }
    at += length;
    pieces.push(readPiece(pieces.length, text, score));
  }
  const tokenizer = tokenizerOfPieces(where, pieces, {
    unigram: false,
    flags: TOK_ADD_SPACE_PREFIX,
    unk: 0,
    vocabSize,
  });
  return { tokenizer, ids: idsOfTexts(pieces.map(({ text }) => text)), addsFirst: true, notes: [] };
}

function readPiece(id: number, text: string, score: number): Piece {
  if (id === 0) return { text, score, type: UNKNOWN };
  // The export wraps them in newlines: "\n<s>\n".
  if (id === BOS || id === EOS) return { text: text.trim(), score, type: CONTROL };
  if (fallbackByte(text) >= 0) return { text, score, type: BYTE };
  return { text: text.replaceAll(" ", LOW_LINE), score, type: NORMAL };
}
