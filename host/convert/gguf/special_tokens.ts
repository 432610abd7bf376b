/**
 * tokenizer.ggml.* of a GGUF file (ggml-org/ggml, docs/gguf.md): the vocabulary as it stands there, and which tokens begin and end a text. Defaults are those of
 * llama.cpp's llama-vocab.cpp.
 */
import { STOP_MAX } from "../../../spec/image.ts";
import { type GgufTokenizer, isLlama3Vocabulary, isUnnamedRule } from "../tokenizer/gguf.ts";
import { badGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";

export interface Specials {
  readonly bos: number;
  readonly eos: number;
  readonly unk: number;
  /** Further tokens that end an answer. */
  readonly stop: readonly number[];
  readonly addBos: boolean;
}

/** The vocabulary without its special ids. */
export type Vocabulary = Omit<GgufTokenizer, "bos" | "eos" | "unk" | "addBos">;

/**
 * @param vocabSize rows of the embedding
 * @throws TritkitError E_SOURCE_FORMAT
 */
export function readVocabulary(file: GgufFile, vocabSize: number): Vocabulary {
  const { fields } = file;
  const tokens = fields.texts(key("tokens"));
  if (!tokens || tokens.length === 0) throw fields.bad(key("tokens"), "the tokenizer's tokens");
  if (tokens.length > vocabSize)
    throw badGguf(file.name, `has ${tokens.length} tokens and embeddings for ${vocabSize}`);
  const scores = fields.numbers(key("scores"));
  const types = fields.numbers(key("token_type"));
  for (const [name, list] of Object.entries({ scores, token_type: types }))
    if (list && list.length !== tokens.length)
      throw badGguf(file.name, `has ${list.length} values in ${key(name)} for ${tokens.length} tokens`);
  return {
    model: fields.text(key("model")),
    pre: fields.textIfThere(key("pre")),
    tokens,
    scores: scores && Float32Array.from(scores),
    types: types && Int32Array.from(types),
    merges: fields.texts(key("merges")),
    addSpacePrefix: fields.flagIfThere(key("add_space_prefix")),
    chatTemplate: fields.textIfThere("tokenizer.chat_template"),
  };
}

/** Names that end a turn where the file does not say so: those that llama.cpp looks for too (llama-vocab.cpp, eot and eom ids). */
const TURN_ENDS = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "<|end_of_text|>",
  "<|eom_id|>",
];
const CONTROL = 3;
const NO_TOKEN = 0xffffffff;

/** @throws TritkitError E_SOURCE_FORMAT for an id that no token has */
export function readSpecials(file: GgufFile, { model, pre, tokens, types }: Vocabulary): Specials {
  const { fields } = file;
  const id = (name: string, fallback = NO_TOKEN): number => {
    const none = fields.get(key(`${name}_token_id`)) === -1;
    const value = none ? NO_TOKEN : fields.integer(key(`${name}_token_id`), fallback);
    if (value !== NO_TOKEN && value >= tokens.length)
      throw badGguf(file.name, `has the token ${value} in ${key(`${name}_token_id`)}, of ${tokens.length} tokens`);
    return value === NO_TOKEN ? -1 : value;
  };
  const sentencePiece = model === "llama";
  const bos = id("bos", sentencePiece ? 1 : NO_TOKEN);
  const eos = id("eos", sentencePiece ? 2 : NO_TOKEN);
  const stop = new Set([id("eot"), id("eom")]);
  for (const [token, text] of tokens.entries())
    if (types?.[token] === CONTROL && TURN_ENDS.includes(text)) stop.add(token);
  stop.delete(-1);
  stop.delete(eos);
  const saysBos = fields.flagIfThere(key("add_bos_token"));
  return {
    bos,
    eos,
    unk: id("unknown", sentencePiece ? 0 : NO_TOKEN),
    stop: [...stop].slice(0, STOP_MAX),
    addBos: bos >= 0 && (saysBos ?? (sentencePiece || startsWithBos(pre, tokens))),
  };
}

/** llama.cpp puts bos first for these word rules unless the file says otherwise (llama-vocab.cpp). */
function startsWithBos(pre: string | null, tokens: readonly string[]): boolean {
  if (isUnnamedRule(pre)) return isLlama3Vocabulary(tokens);
  return ["llama3", "llama-v3", "llama-bpe", "falcon3"].includes(pre);
}

function key(name: string): string {
  return `tokenizer.ggml.${name}`;
}
