/**
 * SentencePiece's tokenizer.model -> TOKENIZER section. Fields by number, from https://github.com/google/sentencepiece, src/sentencepiece_model.proto:
 *
 *     ModelProto      1 pieces, 2 trainer_spec, 3 normalizer_spec
 *     SentencePiece   1 piece, 2 score (float), 3 type (1 normal)
 *     TrainerSpec     3 model_type (1 unigram, 2 BPE, 3 word, 4 char), 24 treat_whitespace_as_suffix, 35 byte_fallback, 40 unk_id, 41 bos_id, 42 eos_id
 *     NormalizerSpec  1 name, 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces (all three true)
 *
 * NOT IMPLEMENTED: normalisation (nmt_nfkc and its like), white space that is folded or a suffix. They are refused by name; models that publish
 * weights for generation (Llama 2, 1bitLLM) use none of it.
 */
import { NONE_ID, TOK_ADD_SPACE_PREFIX } from "../../../spec/image.ts";
import { checkVocabSize, damaged, type ImportedTokenizer, idsOfTexts, unsupported } from "./build.ts";
import { NORMAL, type Piece, tokenizerOfPieces, UNUSED, USER_DEFINED } from "./pieces.ts";
import { type ProtoField, protoFields, protoFloat, protoText } from "./protobuf.ts";

const UNIGRAM = 1;
const BPE = 2;

/** Of what the file says, with the format's defaults. */
export interface SentencePieceModel extends ImportedTokenizer {
  /** Ids, -1 for none. */
  readonly bos: number;
  readonly eos: number;
}

/**
 * @param where the file, for messages
 * @param vocabSize of the model: tokens beyond the file's are unused
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function importTokenizerModel(where: string, bytes: Uint8Array, vocabSize: number): SentencePieceModel {
  checkVocabSize(where, vocabSize);
  const pieces: Piece[] = [];
  const trainer = new Map<number, ProtoField>();
  const normalizer = new Map<number, ProtoField>();
  for (const field of protoFields(where, bytes)) {
    if (field.number === 1) pieces.push(readPiece(where, field.bytes));
    else if (field.number === 2) for (const part of protoFields(where, field.bytes)) trainer.set(part.number, part);
    else if (field.number === 3) for (const part of protoFields(where, field.bytes)) normalizer.set(part.number, part);
  }
  if (pieces.length === 0) throw damaged(where, "is no SentencePiece model");
  const type = trainer.get(3)?.value ?? UNIGRAM;
  if (type !== UNIGRAM && type !== BPE) throw unsupported(where, `a SentencePiece model of type ${type}`);
  const flag = (spec: ReadonlyMap<number, ProtoField>, number: number, fallback: boolean) => {
    const field = spec.get(number);
    return field === undefined ? fallback : field.value !== 0;
  };
  const name = normalizer.get(1);
  if ((normalizer.get(2)?.bytes.length ?? 0) > 0)
    throw unsupported(where, `the normalisation ${name ? protoText(where, name) : "of its own"}`);
  if (flag(normalizer, 4, true)) throw unsupported(where, "the option remove_extra_whitespaces");
  if (!flag(normalizer, 5, true)) throw unsupported(where, "spaces that are not escaped");
  if (flag(trainer, 24, false)) throw unsupported(where, "the option treat_whitespace_as_suffix");

  const idOf = (number: number, fallback: number) => {
    const value = trainer.get(number)?.value ?? fallback;
    return value < pieces.length ? value : NONE_ID;
  };
  const tokenizer = tokenizerOfPieces(where, pieces, {
    unigram: type === UNIGRAM,
    flags: flag(normalizer, 3, true) ? TOK_ADD_SPACE_PREFIX : 0,
    unk: idOf(40, 0),
    vocabSize,
  });
  const ids = idsOfTexts(pieces.map(({ text }) => text));
  return { tokenizer, ids, addsFirst: null, notes: [], bos: idOf(41, 1), eos: idOf(42, 2) };
}

function readPiece(where: string, message: Uint8Array): Piece {
  let [text, score, type] = ["", 0, NORMAL];
  for (const field of protoFields(where, message)) {
    if (field.number === 1) text = protoText(where, field);
    else if (field.number === 2) score = protoFloat(where, field);
    else if (field.number === 3) type = field.value;
  }
  // Text has its spaces as U+2581 when pieces are looked for: one with a space of the other kind is never found.
  const hidden = (type === NORMAL || type === USER_DEFINED) && text.includes(" ");
  return { text, score, type: hidden ? UNUSED : type };
}
