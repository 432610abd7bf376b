/**
 * tokenizer.json of Hugging Face -> TOKENIZER section: byte-level BPE (GPT-2, GPT-NeoX, Llama 3, Qwen 2, our own word rule), SentencePiece-style BPE
 * (Llama 2) and unigram models.
 *
 * NOT IMPLEMENTED: WordPiece, and pre-tokenizers and normalisers that tokenizer/style.ts does not name. They are refused by name: a tokenizer that
 * nearly fits gives a model that nearly works.
 */
import {
  NONE_ID,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_LEVEL,
  TOK_NFC,
  TOK_TYPE_ADDED,
  TOK_TYPE_BYTE,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
} from "../../../spec/image.ts";
import { JsonFields } from "../json.ts";
import {
  buildTokenizer,
  checkVocabSize,
  damaged,
  type ImportedTokenizer,
  type Style,
  type Token,
  unsupported,
} from "./build.ts";
import { byteLevelBytes, fallbackByte, sentencePieceBytes, utf8 } from "./bytes.ts";
import { mergesOfPairs } from "./merges.ts";
import { costOf, UNKNOWN_PENALTY } from "./pieces.ts";
import { flatten, styleOf } from "./style.ts";

export type { ImportedTokenizer } from "./build.ts";
export { PRE_BYTES_REGEX } from "./words.ts";

/**
 * @param where the file, for messages
 * @param vocabSize of the model: tokens beyond the file's are unused
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function importTokenizer(where: string, text: string, vocabSize: number): ImportedTokenizer {
  checkVocabSize(where, vocabSize);
  const file = JsonFields.parse(where, text);
  const model = file.fields("model");
  if (!model) throw file.bad("model", "an object");
  const type = model.text("type", "BPE");
  if (type !== "BPE" && type !== "Unigram") throw unsupported(where, `a ${type} model`);
  for (const option of ["continuing_subword_prefix", "end_of_word_suffix"])
    if ((model.get(option) ?? "") !== "") throw unsupported(where, `the option ${option}`);

  const style = styleOf(where, file, model);
  const scored = type === "Unigram" ? readScores(where, model) : [];
  const own = type === "Unigram" ? scored.map(({ text }, id) => [text, id] as const) : readVocab(model);
  const vocabulary = collect(where, own, readAdded(where, file), vocabSize);
  const tokens = vocabulary.entries.map((entry) => entry && tokenOf(where, style, entry));
  const unk = type === "Unigram" ? readUnknown(where, model, scored.length) : unknownOf(model, vocabulary.ids);
  const merges = type === "Unigram" ? [] : mergesOfPairs(where, readPairs(where, model), vocabulary.ids);
  const tokenizer = buildTokenizer(style, tokens, merges, unk);
  return {
    tokenizer: type === "Unigram" ? { ...tokenizer, costs: costsOf(where, scored, unk, vocabSize) } : tokenizer,
    ids: vocabulary.ids,
    addsFirst: addsFirst(file),
    notes: notesOf(style, tokens, vocabulary.beyond),
  };
}

function notesOf(style: Style, tokens: readonly (Token | undefined)[], beyond: readonly string[]): string[] {
  const notes: string[] = [];
  if (beyond.length > 0)
    notes.push(
      `Special tokens beyond the model's vocabulary are left out: ${beyond.slice(0, 4).join(", ")}${beyond.length > 4 ? ", ..." : ""}.`,
    );
  if ((style.flags & TOK_NFC) !== 0)
    notes.push(
      "The tokenizer brings text into Unicode's form NFC: tritkit does so in Node, a board takes text as it comes.",
    );
  if ((style.flags & TOK_ADD_SPACE_PREFIX) !== 0 && tokens.some((token) => token?.type === TOK_TYPE_ADDED))
    notes.push("The space in front of a text is not put behind added tokens.");
  return notes;
}

function tokenOf(where: string, style: Style, { text, special, added }: Entry): Token {
  const byte = style.kind === TOK_BYTE_LEVEL ? -1 : fallbackByte(text);
  if (special) return { text, bytes: byte >= 0 ? Uint8Array.of(byte) : utf8(text), type: TOK_TYPE_SPECIAL };
  if (byte >= 0) return { text, bytes: Uint8Array.of(byte), type: TOK_TYPE_BYTE };
  // Added tokens are spelled as text, those of the model in its alphabet.
  if (added && text !== "") return { text, bytes: utf8(text), type: TOK_TYPE_ADDED };
  return {
    text,
    bytes: style.kind === TOK_BYTE_LEVEL ? byteLevelBytes(where, text) : sentencePieceBytes(text),
    type: TOK_TYPE_TEXT,
  };
}

interface Entry {
  readonly text: string;
  readonly special: boolean;
  readonly added: boolean;
}

function readVocab(model: JsonFields): (readonly [string, number])[] {
  const vocab = model.fields("vocab");
  if (!vocab) throw model.bad("vocab", "an object");
  return vocab.keys().map((text) => [text, vocab.integer(text)] as const);
}

interface Added {
  readonly id: number;
  readonly text: string;
  readonly special: boolean;
}

function readAdded(where: string, file: JsonFields): Added[] {
  return file.list("added_tokens").map((value, i) => {
    const token = new JsonFields(`${where}, added_tokens ${i}`, value);
    const [text, special] = [token.text("content"), token.flag("special", false)];
    // Special tokens are not made from text; what surrounds the others in a text counts.
    for (const option of ["single_word", "lstrip", "rstrip"])
      if (!special && token.get(option) === true)
        throw unsupported(where, `the option ${option} of the added token ${JSON.stringify(text)}`);
    return { id: token.integer("id"), text, special };
  });
}

function collect(
  where: string,
  own: readonly (readonly [string, number])[],
  added: readonly Added[],
  vocabSize: number,
) {
  const entries: (Entry | undefined)[] = new Array(vocabSize).fill(undefined);
  const ids = new Map<string, number>();
  const enter = (id: number, entry: Entry) => {
    if (id >= vocabSize) throw damaged(where, `has token ${id}, the model only ${vocabSize}`);
    entries[id] = entry;
    ids.set(entry.text, id);
  };
  for (const [text, id] of own) {
    if (entries[id]) throw damaged(where, `has two tokens with the id ${id}`);
    enter(id, { text, special: false, added: false });
  }
  const beyond: string[] = [];
  for (const { id, text, special } of added) {
    // A model has no embedding of it: it cannot be read, and a special one is in no text.
    if (special && id >= vocabSize) beyond.push(text);
    else enter(id, { text, special, added: true });
  }
  return { entries, ids, beyond };
}

function readPairs(where: string, model: JsonFields): [string, string][] {
  return model.list("merges").map((value, rank) => {
    const pair: unknown = typeof value === "string" ? value.split(" ") : value;
    if (!Array.isArray(pair) || pair.length !== 2) throw damaged(where, `has the merge ${rank} of not two tokens`);
    return [String(pair[0]), String(pair[1])];
  });
}

function unknownOf(model: JsonFields, ids: ReadonlyMap<string, number>): number {
  const unk = model.get("unk_token");
  return typeof unk === "string" ? (ids.get(unk) ?? NONE_ID) : NONE_ID;
}

function readUnknown(where: string, model: JsonFields, count: number): number {
  if (model.get("unk_id") === undefined) return NONE_ID;
  const unk = model.integer("unk_id");
  if (unk >= count) throw damaged(where, `names token ${unk} as unknown, but has only ${count}`);
  return unk;
}

interface Scored {
  readonly text: string;
  readonly score: number;
}

/** The vocabulary of a unigram model: a list of pairs. */
function readScores(where: string, model: JsonFields): Scored[] {
  const scored = model.list("vocab").map((entry, id) => {
    const [text, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof text !== "string" || typeof score !== "number" || !Number.isFinite(score))
      throw damaged(where, `has no text and score for token ${id}`);
    return { text, score };
  });
  if (scored.length === 0) throw model.bad("vocab", "pieces with scores");
  return scored;
}

/** tokenizers, models/unigram/model.rs: the unknown token costs ten more than the costliest one. */
function costsOf(where: string, scored: readonly Scored[], unk: number, vocabSize: number): Uint32Array {
  const costs = new Uint32Array(vocabSize);
  for (const [id, { text, score }] of scored.entries()) costs[id] = costOf(where, text, score);
  const least = scored.reduce((low, { score }) => Math.min(low, score), Number.POSITIVE_INFINITY);
  if (unk >= 0) costs[unk] = costOf(where, "unknown", least - UNKNOWN_PENALTY);
  return costs;
}

/** Post-processors that put their cls token first. */
const ALWAYS_FIRST = ["BertProcessing", "RobertaProcessing"];

/** TemplateProcessing whose template for one text begins with a special token; null without a post-processor, for the model's class may have a mind of its own. */
function addsFirst(file: JsonFields): boolean | null {
  const steps = flatten(file.fields("post_processor"), "processors");
  const template = steps.find((step) => step.text("type") === "TemplateProcessing");
  if (!template) return steps.length > 0 ? steps.some((step) => ALWAYS_FIRST.includes(step.text("type"))) : null;
  const [first] = template.list("single");
  return typeof first === "object" && first !== null && "SpecialToken" in first;
}
