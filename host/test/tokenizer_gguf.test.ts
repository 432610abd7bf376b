/** Tokenizers from GGUF metadata: the same vocabulary as tokenizer.json is the same tokenizer, and what lies is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PRE_LLAMA3, TOK_IGNORE_MERGES, TOK_TYPE_ADDED, TOK_TYPE_SPECIAL } from "../../spec/image.ts";
import { type GgufTokenizer, importGgufTokenizer } from "../convert/tokenizer/gguf.ts";
import { importTokenizer } from "../convert/tokenizer/json.ts";
import { LLAMA3_REGEX } from "../convert/tokenizer/words.ts";
import { encodeTokenizer, parseTokenizer } from "../image/tokenizer.ts";
import { byteCharacters } from "./hf_fixture.ts";
import { byteLevelJson, SPLIT } from "./vocabularies.ts";

const MERGES = ["h e", "\u0120 t", "\u0120t he"];
const TEXTS = [...byteCharacters(), "he", "\u0120t", "\u0120the"];
const TOKENS = [...TEXTS, "<|bos|>", "<|eos|>", "  "];
const FIELDS: GgufTokenizer = {
  model: "gpt2",
  pre: "llama-bpe",
  tokens: TOKENS,
  scores: null,
  types: Int32Array.from(TOKENS, (_, id) => (id < TEXTS.length ? 1 : id < TOKENS.length - 1 ? 3 : 4)),
  merges: MERGES,
  bos: 259,
  eos: 260,
  unk: -1,
  addBos: true,
  addSpacePrefix: null,
  chatTemplate: null,
};

test("byte-level BPE is the tokenizer of the same tokenizer.json", () => {
  const { tokenizer, ids, addsFirst, notes } = importGgufTokenizer("m.gguf", FIELDS, 300);
  const json = byteLevelJson({
    vocab: Object.fromEntries(TEXTS.map((text, id) => [text, id])),
    merges: MERGES,
    specials: { "<|bos|>": 259, "<|eos|>": 260 },
    preTokenizer: SPLIT(LLAMA3_REGEX),
    ignoreMerges: true,
    added: [{ id: 261, content: "  ", special: false }],
  });
  assert.deepEqual(tokenizer, importTokenizer("tokenizer.json", JSON.stringify(json), 300).tokenizer);
  assert.deepEqual([tokenizer.pre, tokenizer.flags], [PRE_LLAMA3, TOK_IGNORE_MERGES]);
  assert.deepEqual([tokenizer.types[259], tokenizer.types[261]], [TOK_TYPE_SPECIAL, TOK_TYPE_ADDED]);
  assert.deepEqual([ids.get("<|eos|>"), addsFirst, notes], [260, true, []]);
  assert.deepEqual(parseTokenizer(encodeTokenizer(tokenizer)), tokenizer);
});

test("a file without a word rule is taken when its vocabulary is Llama 3's", () => {
  const tokens = Array.from({ length: 128256 }, (_, id) => TEXTS[id] ?? `x${id}`);
  tokens[128000] = "<|begin_of_text|>";
  tokens[128001] = "<|end_of_text|>";
  tokens[128009] = "<|eot_id|>";
  const fields = { ...FIELDS, tokens, types: null, pre: null, bos: 128000, eos: 128009 };
  const { tokenizer, notes } = importGgufTokenizer("m.gguf", fields, 128256);
  assert.equal(tokenizer.pre, PRE_LLAMA3);
  assert.match(notes[0], /names no word rule/);
});

const llama = (change: Partial<GgufTokenizer>): GgufTokenizer => ({
  ...FIELDS,
  model: "llama",
  scores: new Float32Array(TOKENS.length),
  ...change,
});
const REFUSED: [what: string, fields: GgufTokenizer, code: string, message: RegExp][] = [
  ["another algorithm", { ...FIELDS, model: "bert" }, "E_UNSUPPORTED", /a "bert" tokenizer/],
  ["T5's", { ...FIELDS, model: "t5" }, "E_UNSUPPORTED", /a "t5" tokenizer/],
  ["another word rule", { ...FIELDS, pre: "tekken" }, "E_UNSUPPORTED", /the word rule tekken/],
  ["no word rule", { ...FIELDS, pre: null }, "E_UNSUPPORTED", /does not name/],
  ["no merges", { ...FIELDS, merges: null }, "E_SOURCE_FORMAT", /no merges/],
  ["a merge of one token", { ...FIELDS, merges: ["he"] }, "E_SOURCE_FORMAT", /of one token/],
  ["a merge of strangers", { ...FIELDS, merges: ["he he"] }, "E_SOURCE_FORMAT", /does not have/],
  ["types too few", { ...FIELDS, types: new Int32Array(3) }, "E_SOURCE_FORMAT", /but 3 types/],
  ["bos outside", { ...FIELDS, bos: 99999 }, "E_SOURCE_FORMAT", /token 99999 as bos/],
  ["bos that is no number", { ...FIELDS, bos: Number.NaN }, "E_SOURCE_FORMAT", /as bos/],
  [
    "too many tokens",
    { ...FIELDS, tokens: [...TOKENS, ...TOKENS], types: null },
    "E_SOURCE_FORMAT",
    /the model only 300/,
  ],
  ["no scores", llama({ scores: null }), "E_SOURCE_FORMAT", /no scores/],
  [
    "a score that is no number",
    llama({ scores: new Float32Array(TOKENS.length).fill(Number.NaN) }),
    "E_SOURCE_FORMAT",
    /score NaN/,
  ],
  ["an unknown type", llama({ types: new Int32Array(TOKENS.length).fill(9) }), "E_SOURCE_FORMAT", /type 9/],
  ["bytes that are none", llama({ types: new Int32Array(TOKENS.length).fill(6) }), "E_SOURCE_FORMAT", /not spelled/],
];
for (const [what, fields, code, message] of REFUSED)
  test(`${what}: ${code}`, () => {
    assert.throws(() => importGgufTokenizer("m.gguf", fields, 300), { code, message });
  });
