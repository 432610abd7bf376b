/**
 * Ids against the reference libraries, with vocabularies of published models: OpenAI's tiktoken (its Rust compiled to WebAssembly) for GPT-2 and Llama 3,
 * @huggingface/tokenizers and llama3-tokenizer-js for both. What a board runs is what is tested: TextCodec is the device's code.
 *
 * A sample here; all 10,000 texts of each kind with `npm run test:tokenizers` (TRITKIT_TEST_TOKENIZERS=1).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import { Llama3Tokenizer } from "llama3-tokenizer-js";
import { Tiktoken } from "tiktoken";
import { PRE_DIGITS, PRE_GPT2, PRE_LLAMA3, PRE_QWEN2 } from "../../spec/image.ts";
import { importTokenizer } from "../convert/tokenizer/json.ts";
import { GPT2_REGEX, LLAMA3_REGEX, QWEN2_REGEX } from "../convert/tokenizer/words.ts";
import { TextCodec } from "../engine/text_codec.ts";
import { randomBytes, randomTexts } from "./texts.ts";
import { BYTE_LEVEL, byteLevelJson, mergesOfRanks, SPLIT, spell, tiktokenEncoding } from "./vocabularies.ts";

const COUNT = process.env.TRITKIT_TEST_TOKENIZERS ? 10_000 : 150;
/** Where JavaScript's \s is not Unicode's White_Space, and where its regular expressions fold no long s. */
const JS_DIFFERS = /[\u0085\ufeff]|'\u017f/u;

const gpt2 = tiktokenEncoding("gpt2");
const gpt2Merges = mergesOfRanks(gpt2.ranks.tokens);
const gpt2Vocab = Object.fromEntries(gpt2.ranks.tokens.map((token, id) => [spell(token), id]));
const gpt2Json = (preTokenizer: object, more: object = {}) =>
  byteLevelJson({ vocab: gpt2Vocab, merges: gpt2Merges, specials: gpt2.ranks.specials, preTokenizer, ...more });

function codecOf(json: object, vocabSize: number) {
  const imported = importTokenizer("tokenizer.json", JSON.stringify(json), vocabSize);
  return { codec: new TextCodec(imported.tokenizer), pre: imported.tokenizer.pre };
}

/** The witness that reads JSON, without what it adds. */
function hfOf(json: object): (text: string) => number[] {
  const tokenizer = new HfTokenizer(json, {});
  return (text) => Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids);
}

function tiktokenOf(pattern: string, tokens: readonly Uint8Array[]): (text: string) => number[] {
  const packed = `! 0 ${tokens.map((token) => Buffer.from(token).toString("base64")).join(" ")}`;
  const tokenizer = new Tiktoken(packed, {}, pattern);
  return (text) => Array.from(tokenizer.encode_ordinary(text));
}

function compare(codec: TextCodec, witness: (text: string) => number[], texts: Iterable<string>): void {
  for (const text of texts) assert.deepEqual(codec.encode(text), witness(text), JSON.stringify(text));
}

function roundTrip(codec: TextCodec, seed: number): void {
  for (const bytes of randomBytes(COUNT, seed)) {
    const back = Buffer.concat(codec.encode(bytes).map((id) => codec.tokenBytes(id)));
    assert.equal(back.toString("hex"), Buffer.from(bytes).toString("hex"));
  }
}

const RULES: [name: string, regex: string, pre: number, json: object][] = [
  ["GPT-2", GPT2_REGEX, PRE_GPT2, gpt2Json(BYTE_LEVEL)],
  ["Llama 3", LLAMA3_REGEX, PRE_LLAMA3, gpt2Json(SPLIT(LLAMA3_REGEX))],
  ["Qwen 2", QWEN2_REGEX, PRE_QWEN2, gpt2Json(SPLIT(QWEN2_REGEX))],
];

for (const [name, regex, pre, json] of RULES) {
  const { codec, pre: found } = codecOf(json, 50257);
  test(`GPT-2's vocabulary, words of ${name}: tiktoken's ids`, () => {
    assert.equal(found, pre);
    compare(codec, tiktokenOf(regex, gpt2.ranks.tokens), randomTexts(COUNT, { seed: 100 + pre }));
  });
  test(`GPT-2's vocabulary, words of ${name}: the ids of @huggingface/tokenizers`, () =>
    compare(codec, hfOf(json), randomTexts(COUNT, { seed: 200 + pre, without: JS_DIFFERS })));
  test(`GPT-2's vocabulary, words of ${name}: decode(encode(bytes)) is the bytes`, () => roundTrip(codec, 300 + pre));
}

test("digits apart, as SmolLM and StarCoder have them: the ids of @huggingface/tokenizers", () => {
  const digits = { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, BYTE_LEVEL] };
  const json = gpt2Json(digits);
  const { codec, pre } = codecOf(json, 50257);
  assert.equal(pre, PRE_DIGITS);
  // The JavaScript library cuts at 0-9 only, the Rust one (char::is_numeric) and llama.cpp at \p{N}.
  const without = /[\u0085\ufeff]|(?![0-9])\p{N}/u;
  compare(codec, hfOf(json), randomTexts(COUNT, { seed: 6, without }));
});

test("GPT-NeoX's kind: NFC and added runs of spaces", () => {
  const added = Array.from({ length: 23 }, (_, i) => ({
    id: 50257 + i,
    content: " ".repeat(24 - i),
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: false,
  }));
  const json = gpt2Json(BYTE_LEVEL, { normalizer: { type: "NFC" }, added });
  const { codec } = codecOf(json, 50432);
  compare(codec, hfOf(json), randomTexts(COUNT, { seed: 7, without: JS_DIFFERS }));
  assert.deepEqual(codec.encode("e\u0301"), codec.encode("\u00e9"));
});

test("Llama 3, its own vocabulary", async (t) => {
  const library = new Llama3Tokenizer();
  const own = library as unknown as { vocabById: string[]; merges: Map<string, number> };
  const specials = Object.fromEntries(own.vocabById.slice(128000).map((text, i) => [text, 128000 + i]));
  const vocab = Object.fromEntries(own.vocabById.slice(0, 128000).map((text, id) => [text, id]));
  const merges = [...own.merges].sort(([, a], [, b]) => a - b).map(([pair]) => pair);
  const json = byteLevelJson({ vocab, merges, specials, preTokenizer: SPLIT(LLAMA3_REGEX), ignoreMerges: true });
  const { codec } = codecOf(json, 128256);
  // The library cuts at special tokens, which we never make of text.
  const texts = (seed: number) => randomTexts(COUNT, { seed, without: JS_DIFFERS });
  await t.test("the ids of llama3-tokenizer-js", () =>
    compare(codec, (text) => library.encode(text, { bos: false, eos: false }), texts(8)),
  );
  await t.test("the ids of @huggingface/tokenizers", () => compare(codec, hfOf(json), texts(9)));
  await t.test("tiktoken's ids", () => {
    const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [spell(Uint8Array.of(byte)), byte]));
    const tokens = own.vocabById.slice(0, 128000).map((text) => Uint8Array.from(text, (c) => byteOf.get(c) as number));
    compare(codec, tiktokenOf(LLAMA3_REGEX, tokens), randomTexts(COUNT, { seed: 10 }));
  });
  await t.test("decode(encode(bytes)) is the bytes", () => roundTrip(codec, 11));
});
