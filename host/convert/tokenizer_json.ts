/**
 * tokenizer.json of Hugging Face -> TOKENIZER section: byte-level BPE (GPT-2, Llama 3, our own word rule) and SentencePiece-style BPE (Llama 2).
 *
 * NOT IMPLEMENTED: WordPiece, and pre-tokenizers and normalisers that are not named below. They are refused by name: a tokenizer that nearly fits
 * gives a model that nearly works.
 */
import {
  NONE_ID,
  PRE_GPT2,
  PRE_SENTENCEPIECE,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_IGNORE_MERGES,
  TOK_SENTENCEPIECE,
  TOK_TYPE_BYTE,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
} from "../../spec/image.ts";
import { JsonFields } from "./json.ts";
import {
  buildTokenizer,
  checkVocabSize,
  damaged,
  type ImportedTokenizer,
  type Style,
  type Token,
  unsupported,
} from "./tokenizer_build.ts";
import { byteLevelBytes, fallbackByte, LOW_LINE, sentencePieceBytes, utf8 } from "./tokenizer_bytes.ts";
import { mergesOfPairs } from "./tokenizer_merges.ts";
import { ruleOfRegex } from "./tokenizer_words.ts";

export type { ImportedTokenizer } from "./tokenizer_build.ts";
export { PRE_BYTES_REGEX } from "./tokenizer_words.ts";

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
  if (type !== "BPE") throw unsupported(where, `a ${type} model`);
  for (const option of ["continuing_subword_prefix", "end_of_word_suffix"])
    if ((model.get(option) ?? "") !== "") throw unsupported(where, `the option ${option}`);

  const style = styleOf(where, file, model);
  const vocabulary = readVocabulary(where, file, model, vocabSize);
  const tokens = vocabulary.entries.map((entry) => entry && tokenOf(where, style, entry));
  const merges = mergesOfPairs(where, readPairs(where, model), vocabulary.ids);
  const unk = model.get("unk_token");
  const unkId = typeof unk === "string" ? (vocabulary.ids.get(unk) ?? NONE_ID) : NONE_ID;
  return { tokenizer: buildTokenizer(style, tokens, merges, unkId), ids: vocabulary.ids, addsFirst: addsFirst(file) };
}

function tokenOf(where: string, style: Style, { text, special, added }: Entry): Token {
  const byte = style.kind === TOK_SENTENCEPIECE ? fallbackByte(text) : -1;
  const type = special ? TOK_TYPE_SPECIAL : byte >= 0 ? TOK_TYPE_BYTE : TOK_TYPE_TEXT;
  if (byte >= 0) return { text, bytes: Uint8Array.of(byte), type };
  // Added tokens are spelled as text, those of the model in its alphabet.
  const decode = style.kind === TOK_BYTE_LEVEL ? (word: string) => byteLevelBytes(where, word) : sentencePieceBytes;
  return { text, bytes: added ? utf8(text) : decode(text), type };
}

/** Which of the two families this is, decided by everything that touches the text before the merges. */
function styleOf(where: string, file: JsonFields, model: JsonFields): Style {
  const steps = flatten(file.fields("pre_tokenizer"), "pretokenizers");
  const normal = flatten(file.fields("normalizer"), "normalizers");
  const names = steps.map((step) => step.text("type"));
  if (names.includes("ByteLevel")) {
    if (normal.length > 0) throw unsupported(where, `the normalizer ${normal[0].text("type")}`);
    const ignoreMerges = model.flag("ignore_merges", false);
    return { kind: TOK_BYTE_LEVEL, flags: ignoreMerges ? TOK_IGNORE_MERGES : 0, pre: wordRule(where, steps) };
  }
  if (model.flag("ignore_merges", false)) throw unsupported(where, "the option ignore_merges without words");
  const isReplace = (step: JsonFields) =>
    step.text("type") === "Replace" &&
    step.fields("pattern")?.get("String") === " " &&
    step.get("content") === LOW_LINE;
  const isPrepend = (step: JsonFields) => step.text("type") === "Prepend" && step.get("prepend") === LOW_LINE;
  let prefix: boolean;
  if (
    steps.length === 0 &&
    normal.length > 0 &&
    normal.every((step) => isReplace(step) || isPrepend(step)) &&
    normal.some(isReplace)
  )
    prefix = normal.some(isPrepend);
  else if (normal.length === 0 && names.join() === "Metaspace" && isWholeText(steps[0]))
    prefix = metaspacePrefix(steps[0]);
  else if (normal.length > 0) throw unsupported(where, `the normalizer ${describeSteps(normal)}`);
  else throw unsupported(where, `the pre-tokenizer ${describeSteps(steps) || "none"}`);
  const fallback = model.flag("byte_fallback", false);
  const flags = (prefix ? TOK_ADD_SPACE_PREFIX : 0) | (fallback ? TOK_BYTE_FALLBACK : 0);
  return { kind: TOK_SENTENCEPIECE, flags, pre: PRE_SENTENCEPIECE };
}

/** PRE_* of ByteLevel with its own regular expression (GPT-2's), or of a Split before it. */
function wordRule(where: string, steps: readonly JsonFields[]): number {
  const bytes = steps[steps.length - 1];
  const names = steps.map((step) => step.text("type")).join();
  if (bytes.get("add_prefix_space") !== true) {
    const own = bytes.flag("use_regex", true);
    if (names === "ByteLevel" && own) return PRE_GPT2;
    const [split] = steps;
    const regex = split.fields("pattern")?.get("Regex");
    const rule = typeof regex === "string" ? ruleOfRegex(regex) : null;
    const isSplit = split.get("behavior") === "Isolated" && split.get("invert") !== true;
    if (names === "Split,ByteLevel" && !own && isSplit && rule !== null) return rule;
  }
  throw unsupported(where, `the pre-tokenizer ${describeSteps(steps)}`);
}

function isWholeText(metaspace: JsonFields): boolean {
  return metaspace.text("replacement") === LOW_LINE && metaspace.get("split") === false;
}

function metaspacePrefix(metaspace: JsonFields): boolean {
  return metaspace.text("prepend_scheme", metaspace.flag("add_prefix_space", true) ? "first" : "never") !== "never";
}

/** A step, or the steps of a Sequence. */
function flatten(step: JsonFields | null, list: string): JsonFields[] {
  if (!step) return [];
  if (step.text("type") !== "Sequence") return [step];
  return step.list(list).map((inner, i) => new JsonFields(`${step.where} ${i}`, inner));
}

function describeSteps(steps: readonly JsonFields[]): string {
  return steps
    .map((step) => {
      const regex = step.fields("pattern")?.get("Regex");
      return typeof regex === "string"
        ? `${step.text("type")} ${regex.slice(0, 60)}${regex.length > 60 ? "..." : ""}`
        : step.text("type");
    })
    .join(" + ");
}

interface Entry {
  readonly text: string;
  readonly special: boolean;
  readonly added: boolean;
}

function readVocabulary(where: string, file: JsonFields, model: JsonFields, vocabSize: number) {
  const vocab = model.fields("vocab");
  if (!vocab) throw model.bad("vocab", "an object");
  const entries: (Entry | undefined)[] = new Array(vocabSize).fill(undefined);
  const ids = new Map<string, number>();
  const enter = (id: number, entry: Entry) => {
    if (id >= vocabSize) throw damaged(where, `has token ${id}, the model only ${vocabSize}`);
    entries[id] = entry;
    ids.set(entry.text, id);
  };
  for (const text of vocab.keys()) {
    const id = vocab.integer(text);
    if (entries[id]) throw damaged(where, `has two tokens with the id ${id}`);
    enter(id, { text, special: false, added: false });
  }
  for (const [i, value] of file.list("added_tokens").entries()) {
    const token = new JsonFields(`${where}, added_tokens ${i}`, value);
    const [id, text] = [token.integer("id"), token.text("content")];
    // <0x0A> and its like stand in added_tokens of some files, but are bytes of the model.
    const added = entries[id]?.text !== text || token.flag("special", false);
    enter(id, { text, special: token.flag("special", false), added });
  }
  return { entries, ids };
}

function readPairs(where: string, model: JsonFields): [string, string][] {
  return model.list("merges").map((value, rank) => {
    const pair: unknown = typeof value === "string" ? value.split(" ") : value;
    if (!Array.isArray(pair) || pair.length !== 2) throw damaged(where, `has the merge ${rank} of not two tokens`);
    return [String(pair[0]), String(pair[1])];
  });
}

/** TemplateProcessing whose template for one text begins with a special token. */
function addsFirst(file: JsonFields): boolean | null {
  const steps = flatten(file.fields("post_processor"), "processors");
  const template = steps.find((step) => step.text("type") === "TemplateProcessing");
  if (!template) return null;
  const [first] = template.list("single");
  return typeof first === "object" && first !== null && "SpecialToken" in first;
}
