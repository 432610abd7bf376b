import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import {
  PRE_BYTES,
  PRE_SENTENCEPIECE,
  TOK_ADD_SPACE_PREFIX,
  TOK_BYTE_FALLBACK,
  TOK_BYTE_LEVEL,
  TOK_FUSE_UNK,
  TOK_SENTENCEPIECE,
} from "../../spec/image.ts";
import { importTokenizer, PRE_BYTES_REGEX } from "../convert/tokenizer/json.ts";
import { encodeTokenizer, parseTokenizer, type Tokenizer } from "../image/tokenizer.ts";
import { byteTokenizer } from "./hf_fixture.ts";

/** What spec/IMAGE.md says about encoding, in the plainest way. */
function encode_ref(tokenizer: Tokenizer, text: string): number[] {
  const byteLevel = tokenizer.kind === TOK_BYTE_LEVEL;
  const prefix = tokenizer.flags & TOK_ADD_SPACE_PREFIX && text !== "" ? " " : "";
  const words = byteLevel
    ? [...text.matchAll(new RegExp(PRE_BYTES_REGEX, "gu"))].map(([word]) => word)
    : [prefix + text];
  const idOf = new Map(
    tokenizer.tokens
      .map((token, id) => [Buffer.from(token).toString("latin1"), id] as const)
      .filter(([, id]) => tokenizer.types[id] === 0),
  );
  const bytesOf = (character: string) => [...Buffer.from(character)].map((byte) => tokenizer.byteIds[byte]);
  return words.flatMap((word) => {
    const ids = [...word].flatMap((character) => {
      const whole = byteLevel ? undefined : idOf.get(Buffer.from(character).toString("latin1"));
      return whole === undefined ? bytesOf(character) : [whole];
    });
    for (;;) {
      const found = ids.flatMap((id, i) =>
        tokenizer.merges
          .filter((merge) => merge.left === id && merge.right === ids[i + 1])
          .map((merge) => ({ i, merge })),
      );
      if (found.length === 0) return ids;
      const { i, merge } = found.reduce((best, next) => (next.merge.rank < best.merge.rank ? next : best));
      ids.splice(i, 2, merge.result);
    }
  });
}

const MODELS = "examples/models";
const heldout = readFileSync(join(MODELS, "fixtures/heldout.txt"), "utf8");
const directories = readdirSync(MODELS).filter((name) => existsSync(join(MODELS, name, "hf/tokenizer.json")));

for (const name of directories)
  test(`${name}: the section gives the ids of Hugging Face's tokenizer`, () => {
    const text = readFileSync(join(MODELS, name, "hf/tokenizer.json"), "utf8");
    const config = JSON.parse(readFileSync(join(MODELS, name, "hf/tokenizer_config.json"), "utf8")) as object;
    const { vocab_size } = JSON.parse(readFileSync(join(MODELS, name, "hf/config.json"), "utf8")) as {
      vocab_size: number;
    };
    const tokenizer = parseTokenizer(encodeTokenizer(importTokenizer("tokenizer.json", text, vocab_size).tokenizer));
    const witness = new HfTokenizer(JSON.parse(text) as object, config);
    assert.deepEqual([tokenizer.kind, tokenizer.pre], [TOK_BYTE_LEVEL, PRE_BYTES]);
    const odd = [
      "",
      " ",
      "  a",
      "a\n\n\nb",
      "\t x  1 234,5!?",
      "naïve — “quoted” 日本語 🙂",
      " \u00a0\u2003x",
      "x \r\n",
    ];
    for (const sample of [heldout.slice(0, 3000), ...odd]) {
      const ids = witness.encode(sample, { add_special_tokens: false }).ids;
      assert.deepEqual(encode_ref(tokenizer, sample), ids);
      assert.equal(Buffer.concat(ids.map((id) => tokenizer.tokens[id])).toString(), sample);
    }
    const { added_tokens } = JSON.parse(text) as { added_tokens: unknown[] };
    assert.ok(added_tokens.length >= 2);
    assert.equal(tokenizer.types.filter((type) => type === 1).length, added_tokens.length);
  });

/** Llama 2's kind of file, with few words. */
function llamaTokenizer(changes: object = {}) {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const words = ["\u2581", "t", "h", "e", "a", "\u00e9", "\u2581t", "he", "\u2581the", "\u2581\u2581"];
  const special = (id: number, content: string) => ({ id, content, special: true, normalized: false });
  return {
    added_tokens: [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(["<unk>", "<s>", "</s>", ...bytes, ...words].map((text, id) => [text, id])),
      merges: ["\u2581 t", "h e", "\u2581t he", "\u2581 \u2581"],
    },
    ...changes,
  };
}

test("who puts a special token first: the post-processor, and nobody where another one stands", () => {
  const first = (post_processor: unknown) =>
    importTokenizer("tokenizer.json", JSON.stringify(llamaTokenizer({ post_processor })), 272).addsFirst;
  assert.equal(first(null), null);
  assert.equal(first({ type: "ByteLevel", trim_offsets: true }), false);
  assert.equal(first({ type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 1] }), true);
});

test("special tokens beyond the model's vocabulary are left out, others are refused", () => {
  const added = (special: boolean) => {
    const json = llamaTokenizer();
    const tokens = [...(json.added_tokens as unknown[]), { id: 272, content: "<pad>", special }];
    return importTokenizer("tokenizer.json", JSON.stringify({ ...json, added_tokens: tokens }), 272);
  };
  const { ids, notes } = added(true);
  assert.equal(ids.has("<pad>"), false);
  assert.match(notes.join(), /<pad>/);
  assert.throws(() => added(false), { code: "E_SOURCE_FORMAT" });
});

test("a Llama 2 tokenizer becomes kind 2, with the ids of Hugging Face's tokenizer", () => {
  const json = llamaTokenizer();
  const { tokenizer, addsFirst, ids } = importTokenizer("tokenizer.json", JSON.stringify(json), 272);
  assert.deepEqual(
    [tokenizer.kind, tokenizer.pre, tokenizer.flags],
    [TOK_SENTENCEPIECE, PRE_SENTENCEPIECE, TOK_ADD_SPACE_PREFIX | TOK_BYTE_FALLBACK | TOK_FUSE_UNK],
  );
  assert.deepEqual([tokenizer.unk, addsFirst, ids.get("</s>")], [0, true, 2]);
  assert.deepEqual([...tokenizer.types.subarray(0, 4)], [1, 1, 1, 2]);
  assert.deepEqual([tokenizer.types[271], tokenizer.tokens[271].length], [3, 0]);
  assert.equal(Buffer.from(tokenizer.tokens[267]).toString(), " the");
  assert.equal(tokenizer.byteIds[10], 13);
  const again = parseTokenizer(encodeTokenizer(tokenizer));
  assert.deepEqual(again, tokenizer);
  const witness = new HfTokenizer(json, {});
  for (const text of ["the", "the the  theta", "h\u00e9 \n \u65e5x", "  the", "Zebra"])
    assert.deepEqual(encode_ref(again, text), witness.encode(text, { add_special_tokens: false }).ids, text);
});

test("Metaspace over the whole text is the same tokenizer", () => {
  const steps = {
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: false },
  };
  const import_ = (json: object) => importTokenizer("tokenizer.json", JSON.stringify(json), 272).tokenizer;
  assert.deepEqual(import_(llamaTokenizer(steps)), import_(llamaTokenizer()));
  assert.equal(
    import_(llamaTokenizer({ ...steps, pre_tokenizer: { ...steps.pre_tokenizer, prepend_scheme: "never" } })).flags,
    TOK_BYTE_FALLBACK | TOK_FUSE_UNK,
  );
});

const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const pre = (pre_tokenizer: object) => ({ ...byteTokenizer(), pre_tokenizer });
const withModel = (change: object) => ({
  ...byteTokenizer(),
  model: { ...(byteTokenizer().model as object), ...change },
});
const UNSUPPORTED: [string, RegExp, object][] = [
  [
    "another word rule",
    /pre-tokenizer Split \\p\{L\}/,
    pre({ type: "Sequence", pretokenizers: [split("\\p{L}+|\\p{N}+"), byteLevel] }),
  ],
  ["no word rule at all", /pre-tokenizer none/, pre({ type: "Sequence", pretokenizers: [] })],
  [
    "another prefix",
    /pre-tokenizer/,
    pre({ type: "Sequence", pretokenizers: [split(PRE_BYTES_REGEX), { ...byteLevel, add_prefix_space: true }] }),
  ],
  ["a normalizer", /normalizer NFKC/, { ...byteTokenizer(), normalizer: { type: "NFKC" } }],
  [
    "Metaspace that splits",
    /pre-tokenizer Metaspace/,
    llamaTokenizer({ normalizer: null, pre_tokenizer: { type: "Metaspace", replacement: "\u2581", split: true } }),
  ],
  ["WordPiece", /a WordPiece model/, withModel({ type: "WordPiece" })],
  ["a continuing prefix", /continuing_subword_prefix/, withModel({ continuing_subword_prefix: "##" })],
  ["ignore_merges without words", /ignore_merges/, llamaTokenizer({ model: { type: "BPE", ignore_merges: true } })],
];

for (const [what, message, json] of UNSUPPORTED)
  test(`${what} is refused by name`, () => {
    assert.throws(() => importTokenizer("tokenizer.json", JSON.stringify(json), 300), {
      code: "E_UNSUPPORTED",
      message,
    });
  });

const DAMAGED: [string, object | string][] = [
  ["no JSON", "{"],
  ["no model", { ...byteTokenizer(), model: null }],
  ["no vocabulary", withModel({ vocab: null })],
  ["a merge of unknown tokens", withModel({ merges: ["q z"] })],
  ["a merge of three", withModel({ merges: ["h e x"] })],
  ["an id twice", withModel({ vocab: { a: 1, b: 1 } })],
  ["an id beyond the vocabulary", withModel({ vocab: { a: 300 } })],
  ["a negative id", withModel({ vocab: { a: -1 } })],
  ["a token of other letters", withModel({ vocab: { "\u65e5": 1 }, merges: [] })],
];

for (const [what, json] of DAMAGED)
  test(`${what} is a damaged file`, () => {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    assert.throws(() => importTokenizer("tokenizer.json", text, 300), { code: "E_SOURCE_FORMAT" });
  });

test("the sections of the vectors are read, and written again mean the same", () => {
  const { sets } = JSON.parse(readFileSync("spec/vectors/tokenizer.json", "utf8")) as {
    sets: { name: string; section: string }[];
  };
  assert.ok(sets.length >= 3);
  for (const { section } of sets) {
    const tokenizer = parseTokenizer(Uint8Array.from(Buffer.from(section, "base64")));
    assert.deepEqual(parseTokenizer(encodeTokenizer(tokenizer)), tokenizer);
  }
});
