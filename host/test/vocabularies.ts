/** Vocabularies of published models, from packages that carry them, as the files that a converter meets. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { byteCharacters } from "./hf_fixture.ts";

const require = createRequire(import.meta.url);
const CHARACTERS = byteCharacters();

/** Bytes in GPT-2's alphabet. */
export function spell(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => CHARACTERS[byte]).join("");
}

export interface Ranks {
  /** Bytes of each token, by rank = id. */
  readonly tokens: readonly Uint8Array[];
  readonly specials: Readonly<Record<string, number>>;
  readonly pattern: string;
}

interface Encoding {
  readonly pat_str: string;
  readonly special_tokens: Record<string, number>;
  readonly bpe_ranks: string;
}

/** An encoding that tiktoken ships: lines of an offset and tokens in base64. */
export function tiktokenEncoding(name: string): { encoding: Encoding; ranks: Ranks } {
  const encoding = JSON.parse(readFileSync(require.resolve(`tiktoken/encoders/${name}.json`), "utf8")) as Encoding;
  const tokens: Uint8Array[] = [];
  for (const line of encoding.bpe_ranks.split("\n")) {
    const [, offset, ...words] = line.split(" ");
    for (const [i, word] of words.entries()) tokens[Number(offset) + i] = new Uint8Array(Buffer.from(word, "base64"));
  }
  return { encoding, ranks: { tokens, specials: encoding.special_tokens, pattern: encoding.pat_str } };
}

/** The merge that makes each token: what merging with the ranks before it leaves of its bytes. */
export function mergesOfRanks(tokens: readonly Uint8Array[]): [string, string][] {
  const rank = new Map(tokens.map((token, id) => [Buffer.from(token).toString("latin1"), id]));
  const merges: [string, string][] = [];
  for (const [id, token] of tokens.entries()) {
    let parts = Array.from(token, (byte) => String.fromCharCode(byte));
    if (parts.length === 1) continue;
    for (;;) {
      let [best, at] = [id, -1];
      for (let i = 0; i + 1 < parts.length; i++) {
        const found = rank.get(parts[i] + parts[i + 1]);
        if (found !== undefined && found < best) [best, at] = [found, i];
      }
      if (at < 0) break;
      parts = [...parts.slice(0, at), parts[at] + parts[at + 1], ...parts.slice(at + 2)];
    }
    if (parts.length !== 2) throw new Error(`token ${id} comes of ${parts.length} parts`);
    merges.push([spell(Buffer.from(parts[0], "latin1")), spell(Buffer.from(parts[1], "latin1"))]);
  }
  return merges;
}

/** A tokenizer.json, as Hugging Face's converters write it. */
export function byteLevelJson(options: {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (string | readonly [string, string])[];
  readonly specials: Readonly<Record<string, number>>;
  readonly preTokenizer: object;
  readonly ignoreMerges?: boolean;
  readonly normalizer?: object | null;
  readonly added?: readonly object[];
}): object {
  const { vocab, merges, specials, preTokenizer, ignoreMerges = false, normalizer = null, added = [] } = options;
  const special = ([content, id]: [string, number]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...Object.entries(specials).map(special), ...added],
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab,
      merges,
    },
  };
}

export const SPLIT = (Regex: string) => ({
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});
export const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
