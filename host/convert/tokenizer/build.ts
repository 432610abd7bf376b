/** What every tokenizer file comes down to: tokens with their bytes, a style and merges -> the description that becomes a TOKENIZER section. */
import { NONE_ID, TOK_BYTE_LEVEL, TOK_TYPE_BYTE, TOK_TYPE_TEXT, TOK_TYPE_UNUSED } from "../../../spec/image.ts";
import { VOCAB_MAX, VOCAB_MIN } from "../../../spec/numerics.ts";
import { TritkitError } from "../../errors.ts";
import type { Merge, Tokenizer } from "../../image/tokenizer.ts";

export interface ImportedTokenizer {
  readonly tokenizer: Tokenizer;
  /** Token text as the file spells it -> id, special tokens included. */
  readonly ids: ReadonlyMap<string, number>;
  /** Does the post-processor put a special token first? null: the file does not say. */
  readonly addsFirst: boolean | null;
  /** What a user should know. */
  readonly notes: readonly string[];
}

/** How text is cut and what becomes symbols: `kind`, `flags` and `pre` of the section. */
export interface Style {
  readonly kind: number;
  readonly flags: number;
  readonly pre: number;
}

export interface Token {
  /** As the file spells it. */
  readonly text: string;
  /** What it decodes to. */
  readonly bytes: Uint8Array;
  /** TOK_TYPE_*. */
  readonly type: number;
}

/**
 * @param tokens by id; undefined: no token has that id
 * @param unk id or -1
 */
export function buildTokenizer(
  style: Style,
  tokens: readonly (Token | undefined)[],
  merges: readonly Merge[],
  unk: number,
): Tokenizer {
  const byteIds = new Int32Array(256).fill(NONE_ID);
  const byteType = style.kind === TOK_BYTE_LEVEL ? TOK_TYPE_TEXT : TOK_TYPE_BYTE;
  for (const [id, token] of tokens.entries())
    if (token?.type === byteType && token.bytes.length === 1 && byteIds[token.bytes[0]] === NONE_ID)
      byteIds[token.bytes[0]] = id;
  return {
    ...style,
    tokens: tokens.map((token) => token?.bytes ?? new Uint8Array(0)),
    types: Uint8Array.from(tokens, (token) => token?.type ?? TOK_TYPE_UNUSED),
    merges,
    byteIds,
    unk,
  };
}

/** The first of two tokens with one text. */
export function idsOfTexts(texts: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [id, text] of texts.entries()) if (!ids.has(text)) ids.set(text, id);
  return ids;
}

/** @throws TritkitError E_UNSUPPORTED */
export function checkVocabSize(where: string, vocabSize: number): void {
  if (vocabSize < VOCAB_MIN || vocabSize > VOCAB_MAX) throw unsupported(where, `a vocabulary of ${vocabSize} tokens`);
}

/** A rule that we lack. A tokenizer that nearly fits gives a model that nearly works: it is refused by name. */
export function unsupported(where: string, what: string): TritkitError {
  return new TritkitError(
    "E_UNSUPPORTED",
    `${where} uses ${what}, which tritkit does not know.`,
    "Take a model with the tokenizer of GPT-2, Llama 2 or Llama 3.",
  );
}

export function damaged(where: string, what: string): TritkitError {
  return new TritkitError("E_SOURCE_FORMAT", `${where} ${what}.`, "Download the model again.");
}
