/** Against Hugging Face's tokenizer in JavaScript: files and text that none of our code made. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Tokenizer } from "@huggingface/tokenizers";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as I from "../../spec/image.ts";
import { seeded } from "./as_module.ts";
import { tokenizerModule } from "./tokenizer_module.ts";
import type { TokenizerSpec } from "./tokenizer_section.ts";

interface TokenizerJson {
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
}

const MODELS = join(ROOT, "examples/models");
const module = await tokenizerModule();
const heldout = readFileSync(join(MODELS, "fixtures/heldout.txt"), "utf8");
const random = seeded(11);

/** GPT-2's alphabet: printable bytes are themselves, the others follow from U+0100 in their order. */
const byteOf = new Map<string, number>();
const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
for (let byte = 0, next = 256; byte < 256; byte++)
  byteOf.set(String.fromCharCode(printable(byte) ? byte : next++), byte);

function mergesOf({ vocab, merges }: TokenizerJson["model"]): TokenizerSpec["merges"] {
  return merges.map((merge) => {
    const [left, right] = typeof merge === "string" ? merge.split(" ") : merge;
    return [vocab[left], vocab[right], vocab[left + right]];
  });
}

function byteLevelSpec(json: TokenizerJson): TokenizerSpec {
  const tokens: TokenizerSpec["tokens"] = [];
  const byteIds = Array<number>(256).fill(-1);
  for (const [text, id] of Object.entries(json.model.vocab)) {
    const bytes = Uint8Array.from(text, (character) => byteOf.get(character) ?? assert.fail(character));
    tokens[id] = { bytes, type: I.TOK_TYPE_TEXT };
    if (bytes.length === 1) byteIds[bytes[0]] = id;
  }
  for (const { id, content } of json.added_tokens)
    tokens[id] = { bytes: new Uint8Array(Buffer.from(content)), type: I.TOK_TYPE_SPECIAL };
  return {
    kind: I.TOK_BYTE_LEVEL,
    flags: 0,
    pre: I.PRE_BYTES,
    tokens,
    merges: mergesOf(json.model),
    byteIds,
    unk: -1,
  };
}

function same(text: string, hf: Tokenizer): void {
  const wanted = hf.encode(text, { add_special_tokens: false }).ids;
  assert.deepEqual(module.encode(new Uint8Array(Buffer.from(text))), Array.from(wanted), JSON.stringify(text));
}

/** Pieces of the held-out text, then strings of everything that a word boundary can depend on. */
function* texts(): Generator<string> {
  for (let at = 0; at < heldout.length; at += 997) yield heldout.slice(at, at + 997);
  const pieces = [
    "a",
    "The",
    "'s",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "7",
    "42",
    "...",
    "?!",
    "é",
    "日本",
    "🙂",
    "\u00a0",
    "\u2003",
    "_",
    "x",
  ];
  for (let round = 0; round < 2000; round++)
    yield Array.from({ length: 1 + (random() % 12) }, () => pieces[random() % pieces.length]).join("");
}

const directories = readdirSync(MODELS).filter((name) => existsSync(join(MODELS, name, "hf/tokenizer.json")));
test("there are trained models to compare with", () => assert.ok(directories.length > 0));

for (const name of directories)
  test(`${name}: ids equal those of @huggingface/tokenizers`, () => {
    const read = (file: string) => JSON.parse(readFileSync(join(MODELS, name, "hf", file), "utf8"));
    const json = read("tokenizer.json");
    module.open(byteLevelSpec(json), 2);
    const hf = new Tokenizer(json, read("tokenizer_config.json"));
    for (const text of texts()) same(text, hf);
  });

test("a Llama-2-like tokenizer (prefix, byte fallback, whole text one word): ids equal those of @huggingface/tokenizers", () => {
  const spec = llamaLike();
  module.open(spec.ours, 4);
  const hf = new Tokenizer(spec.json, { tokenizer_class: "LlamaTokenizer", unk_token: "<unk>" });
  for (const text of texts()) same(text.replaceAll("<unk>", ""), hf);
});

/** Trained here: the most frequent pair of the held-out text, again and again, as the first BPE papers say. */
function llamaLike() {
  const vocab: Record<string, number> = { "<unk>": 0, "<s>": 1, "</s>": 2 };
  let count = 3;
  const add = (token: string) => {
    if (vocab[token] === undefined) vocab[token] = count++;
  };
  for (let byte = 0; byte < 256; byte++) add(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  let symbols = Array.from(`▁${heldout.replaceAll(" ", "▁").replaceAll("\n", "")}`);
  symbols.forEach(add);
  const merges: [string, string][] = [];
  for (let round = 0; round < 250; round++) {
    const counts = new Map<string, number>();
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = `${symbols[i]} ${symbols[i + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const [best] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    const [left, right] = best.split(" ");
    add(left + right);
    merges.push([left, right]);
    const merged: string[] = [];
    for (let i = 0; i < symbols.length; i++)
      if (symbols[i] === left && symbols[i + 1] === right) merged.push(symbols[i++] + right);
      else merged.push(symbols[i]);
    symbols = merged;
  }
  const special = ["<unk>", "<s>", "</s>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab,
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
  const tokens: TokenizerSpec["tokens"] = [];
  for (const [token, id] of Object.entries(vocab)) {
    if (id < 3) tokens[id] = { bytes: new Uint8Array(Buffer.from(token)), type: I.TOK_TYPE_SPECIAL };
    else if (id < 259) tokens[id] = { bytes: Uint8Array.of(id - 3), type: I.TOK_TYPE_BYTE };
    else tokens[id] = { bytes: new Uint8Array(Buffer.from(token.replaceAll("▁", " "))), type: I.TOK_TYPE_TEXT };
  }
  const ours: TokenizerSpec = {
    kind: I.TOK_SENTENCEPIECE,
    flags: I.TOK_ADD_SPACE_PREFIX | I.TOK_BYTE_FALLBACK,
    pre: I.PRE_SENTENCEPIECE,
    tokens,
    merges: mergesOf({ vocab, merges }),
    byteIds: Array.from({ length: 256 }, (_, byte) => byte + 3),
    unk: 0,
  };
  return { json, ours };
}
