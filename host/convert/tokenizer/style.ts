/** What a tokenizer.json does to a text before its model sees it: normalisers and pre-tokenizers -> `kind`, `flags` and `pre` of the section. */
import {
  PRE_DIGITS,
  PRE_GPT2,
  PRE_SENTENCEPIECE,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_FUSE_UNK,
  TOK_IGNORE_MERGES,
  TOK_NFC,
  TOK_SENTENCEPIECE,
  TOK_UNIGRAM,
} from "../../../spec/image.ts";
import { JsonFields } from "../json.ts";
import { type Style, unsupported } from "./build.ts";
import { LOW_LINE } from "./bytes.ts";
import { ruleOfRegex } from "./words.ts";

/**
 * @param file tokenizer.json
 * @param model its model
 * @throws TritkitError E_UNSUPPORTED for anything that we would not do alike
 */
export function styleOf(where: string, file: JsonFields, model: JsonFields): Style {
  const steps = flatten(file.fields("pre_tokenizer"), "pretokenizers");
  const normal = flatten(file.fields("normalizer"), "normalizers");
  const unigram = model.text("type", "BPE") === "Unigram";
  const isByteLevel = steps.some((step) => step.text("type") === "ByteLevel");
  if (!isByteLevel || unigram) return sentencePieceStyle(where, model, steps, normal, unigram);
  const isNfc = (step: JsonFields) => step.text("type") === "NFC";
  if (!normal.every(isNfc)) throw unsupported(where, `the normalizer ${describeSteps(normal)}`);
  const ignoreMerges = model.flag("ignore_merges", false);
  const flags = (ignoreMerges ? TOK_IGNORE_MERGES : 0) | (normal.length > 0 ? TOK_NFC : 0);
  return { kind: TOK_BYTE_LEVEL, flags, pre: wordRule(where, steps) };
}

/** PRE_* of ByteLevel with its own regular expression (GPT-2's), behind a Split or behind Digits. */
function wordRule(where: string, steps: readonly JsonFields[]): number {
  const names = steps.map((step) => step.text("type")).join();
  const bytes = steps[steps.length - 1];
  if (bytes.get("add_prefix_space") !== true) {
    const own = bytes.flag("use_regex", true);
    const [first] = steps;
    if (names === "ByteLevel" && own) return PRE_GPT2;
    if (names === "Digits,ByteLevel" && own && first.get("individual_digits") === true) return PRE_DIGITS;
    const regex = first.fields("pattern")?.get("Regex");
    const rule = typeof regex === "string" ? ruleOfRegex(regex) : null;
    const isSplit = first.get("behavior") === "Isolated" && first.get("invert") !== true;
    if (names === "Split,ByteLevel" && !own && isSplit && rule !== null) return rule;
  }
  throw unsupported(where, `the pre-tokenizer ${describeSteps(steps)}`);
}

/** Spaces become U+2581, and perhaps one goes in front: by normalisers, or by Metaspace. */
function sentencePieceStyle(
  where: string,
  model: JsonFields,
  steps: readonly JsonFields[],
  normal: readonly JsonFields[],
  unigram: boolean,
): Style {
  if (model.flag("ignore_merges", false)) throw unsupported(where, "the option ignore_merges without words");
  let prefix: boolean;
  if (steps.length === 0 && normal.some(isReplace) && normal.every((step) => isReplace(step) || isPrepend(step)))
    prefix = normal.some(isPrepend);
  else if (normal.length > 0) throw unsupported(where, `the normalizer ${describeSteps(normal)}`);
  else if (steps.length === 1 && isWholeText(model, steps[0])) prefix = metaspacePrefix(steps[0]);
  else throw unsupported(where, `the pre-tokenizer ${describeSteps(steps) || "none"}`);
  const fallback = model.flag("byte_fallback", false);
  const fuse = unigram || model.flag("fuse_unk", false);
  const flags = (prefix ? TOK_ADD_SPACE_PREFIX : 0) | (fallback ? TOK_BYTE_FALLBACK : 0) | (fuse ? TOK_FUSE_UNK : 0);
  return { kind: unigram ? TOK_UNIGRAM : TOK_SENTENCEPIECE, flags, pre: PRE_SENTENCEPIECE };
}

function isReplace(step: JsonFields): boolean {
  const isSpace = step.fields("pattern")?.get("String") === " ";
  return step.text("type") === "Replace" && isSpace && step.get("content") === LOW_LINE;
}

function isPrepend(step: JsonFields): boolean {
  return step.text("type") === "Prepend" && step.get("prepend") === LOW_LINE;
}

/** Metaspace that leaves the text whole, or cuts it where no piece could reach over: before spaces that only begin pieces. */
function isWholeText(model: JsonFields, metaspace: JsonFields): boolean {
  if (metaspace.text("type") !== "Metaspace" || metaspace.text("replacement") !== LOW_LINE) return false;
  return metaspace.get("split") === false || textsOf(model).every((text) => text.lastIndexOf(LOW_LINE) <= 0);
}

function textsOf(model: JsonFields): string[] {
  const vocab = model.get("vocab");
  return Array.isArray(vocab) ? vocab.map((entry) => String((entry as unknown[])?.[0])) : Object.keys(vocab ?? {});
}

function metaspacePrefix(metaspace: JsonFields): boolean {
  return metaspace.text("prepend_scheme", metaspace.flag("add_prefix_space", true) ? "always" : "never") !== "never";
}

/** A step, or the steps of a Sequence. */
export function flatten(step: JsonFields | null, list: string): JsonFields[] {
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
