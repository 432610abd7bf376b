/**
 * tokenizer.json of Hugging Face -> TOKENIZER section: byte-level BPE with our word rule, and SentencePiece-style BPE (Llama 2).
 *
 * NOT IMPLEMENTED: the word rules of GPT-2 and Llama 3 (PRE 3 and 4 of spec/IMAGE.md are reserved), WordPiece, Unigram, normalisers. They are refused by name:
 * a tokenizer that nearly fits gives a model that nearly works.
 */
import {
  NONE_ID,
  PRE_BYTES,
  PRE_SENTENCEPIECE,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_SENTENCEPIECE,
  TOK_TYPE_BYTE,
  TOK_TYPE_SPECIAL,
  TOK_TYPE_TEXT,
  TOK_TYPE_UNUSED,
} from "../../spec/image.ts";
import { VOCAB_MAX, VOCAB_MIN } from "../../spec/numerics.ts";
import { TritkitError } from "../errors.ts";
import type { Merge, Tokenizer } from "../image/tokenizer.ts";
import { JsonFields } from "./json.ts";

export interface ImportedTokenizer {
  readonly tokenizer: Tokenizer;
  /** Token text as the file spells it -> id, special tokens included. */
  readonly ids: ReadonlyMap<string, number>;
  /** Does the post-processor put a special token first? null: the file does not say. */
  readonly addsFirst: boolean | null;
}

/** The six ASCII spaces and everything beyond ASCII, as examples/train/tokenizer.py writes them. */
const SPACES = " \\t\\n\\r\\x0B\\x0C";
const HIGH = "\u0080-\u{10ffff}";
/** PRE_BYTES of spec/IMAGE.md, over characters. */
export const PRE_BYTES_REGEX = ` ?[A-Za-z${HIGH}]+| ?[0-9]| ?[^${SPACES}A-Za-z0-9${HIGH}]+|[${SPACES}]+(?![^${SPACES}])|[${SPACES}]+`;
const LOW_LINE = "\u2581";

/**
 * @param where the file, for messages
 * @param vocabSize of the model: tokens beyond the file's are unused
 * @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export function importTokenizer(where: string, text: string, vocabSize: number): ImportedTokenizer {
  if (vocabSize < VOCAB_MIN || vocabSize > VOCAB_MAX) throw unsupported(where, `a vocabulary of ${vocabSize} tokens`);
  const file = JsonFields.parse(where, text);
  const model = file.fields("model");
  if (!model) throw file.bad("model", "an object");
  const type = model.text("type", "BPE");
  if (type !== "BPE") throw unsupported(where, `a ${type} model`);
  for (const option of ["continuing_subword_prefix", "end_of_word_suffix"])
    if ((model.get(option) ?? "") !== "") throw unsupported(where, `the option ${option}`);
  if (model.get("ignore_merges") === true) throw unsupported(where, "the option ignore_merges");

  const style = styleOf(where, file, model);
  const vocabulary = readVocabulary(where, file, model, vocabSize);
  const decode = style.kind === TOK_BYTE_LEVEL ? byteLevelDecoder(where) : sentencePieceBytes;
  const tokens: Uint8Array[] = [];
  const types = new Uint8Array(vocabSize);
  for (const [id, entry] of vocabulary.entries.entries()) {
    const byte = style.kind === TOK_SENTENCEPIECE && entry ? fallbackByte(entry.text) : -1;
    types[id] = !entry ? TOK_TYPE_UNUSED : entry.special ? TOK_TYPE_SPECIAL : byte >= 0 ? TOK_TYPE_BYTE : TOK_TYPE_TEXT;
    // Added tokens are spelled as text, those of the model in its alphabet.
    tokens.push(
      !entry
        ? new Uint8Array(0)
        : byte >= 0
          ? Uint8Array.of(byte)
          : entry.added
            ? utf8(entry.text)
            : decode(entry.text),
    );
  }
  const byteIds = new Int32Array(256).fill(NONE_ID);
  for (const [id, token] of tokens.entries()) {
    const isByte =
      style.kind === TOK_BYTE_LEVEL ? types[id] === TOK_TYPE_TEXT && token.length === 1 : types[id] === TOK_TYPE_BYTE;
    if (isByte && byteIds[token[0]] === NONE_ID) byteIds[token[0]] = id;
  }
  const unk = model.get("unk_token");
  const tokenizer = {
    ...style,
    tokens,
    types,
    byteIds,
    merges: readMerges(where, model, vocabulary.ids),
    unk: typeof unk === "string" ? (vocabulary.ids.get(unk) ?? NONE_ID) : NONE_ID,
  };
  return { tokenizer, ids: vocabulary.ids, addsFirst: addsFirst(file) };
}

interface Style {
  readonly kind: number;
  readonly flags: number;
  readonly pre: number;
}

/** Which of the two families this is, decided by everything that touches the text before the merges. */
function styleOf(where: string, file: JsonFields, model: JsonFields): Style {
  const steps = flatten(file.fields("pre_tokenizer"), "pretokenizers");
  const normal = flatten(file.fields("normalizer"), "normalizers");
  const names = steps.map((step) => step.text("type"));
  if (names.includes("ByteLevel")) {
    if (normal.length > 0) throw unsupported(where, `the normalizer ${normal[0].text("type")}`);
    const [split, bytes] = steps;
    const regex = split.fields("pattern")?.get("Regex");
    const isOurs =
      names.join() === "Split,ByteLevel" &&
      regex === PRE_BYTES_REGEX &&
      split.get("behavior") === "Isolated" &&
      split.get("invert") !== true &&
      bytes.get("add_prefix_space") !== true &&
      bytes.get("use_regex") === false;
    if (!isOurs) throw unsupported(where, `the pre-tokenizer ${describeSteps(steps)}`);
    return { kind: TOK_BYTE_LEVEL, flags: 0, pre: PRE_BYTES };
  }
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
    if (id >= vocabSize)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${where} has token ${id}, the model only ${vocabSize}.`,
        "Take the tokenizer of this model.",
      );
    entries[id] = entry;
    ids.set(entry.text, id);
  };
  for (const text of vocab.keys()) {
    const id = vocab.integer(text);
    if (entries[id])
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${where} has two tokens with the id ${id}.`,
        "Download the model again.",
      );
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

function readMerges(where: string, model: JsonFields, ids: ReadonlyMap<string, number>): Merge[] {
  const merges = new Map<string, Merge>();
  for (const [rank, value] of model.list("merges").entries()) {
    const pair: unknown = typeof value === "string" ? value.split(" ") : value;
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? pair.map(String) : ["", ""];
    const [l, r, result] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (l === undefined || r === undefined || result === undefined)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${where} has the merge ${rank} of tokens that it does not have.`,
        "Download the model again.",
      );
    const key = `${l} ${r}`;
    if (!merges.has(key)) merges.set(key, { left: l, right: r, result, rank });
  }
  return [...merges.values()].sort((a, b) => a.left - b.left || a.right - b.right);
}

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on. */
function byteLevelDecoder(where: string): (text: string) => Uint8Array {
  const bytes = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    bytes.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
  return (text) =>
    Uint8Array.from(text, (character) => {
      const byte = bytes.get(character);
      if (byte === undefined)
        throw new TritkitError(
          "E_SOURCE_FORMAT",
          `${where} has the token ${JSON.stringify(text)}, which spells no bytes.`,
          "Download the model again.",
        );
      return byte;
    });
}

function sentencePieceBytes(text: string): Uint8Array {
  return utf8(text.replaceAll(LOW_LINE, " "));
}

/** 10 for "<0x0A>", -1 for other texts. */
function fallbackByte(text: string): number {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? Number.parseInt(text.slice(3, 5), 16) : -1;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** TemplateProcessing whose template for one text begins with a special token. */
function addsFirst(file: JsonFields): boolean | null {
  const steps = flatten(file.fields("post_processor"), "processors");
  const template = steps.find((step) => step.text("type") === "TemplateProcessing");
  if (!template) return null;
  const [first] = template.list("single");
  return typeof first === "object" && first !== null && "SpecialToken" in first;
}

function unsupported(where: string, what: string): TritkitError {
  return new TritkitError(
    "E_UNSUPPORTED",
    `${where} uses ${what}, which tritkit cannot run on a device yet.`,
    "Take a model with the byte-level word rule of examples/train or a Llama 2 tokenizer.",
  );
}
