/** Llama 2's vocabulary, as llama-tokenizer-js carries it, through every file in which it is published; that library's ids are the witness. */
import assert from "node:assert/strict";
import { test } from "node:test";
import llamaTokenizer from "llama-tokenizer-js";
import { importTokenizerBin } from "../convert/tokenizer/bin.ts";
import { importGgufTokenizer } from "../convert/tokenizer/gguf.ts";
import { importTokenizer } from "../convert/tokenizer/json.ts";
import { TextCodec } from "../engine/text_codec.ts";
import type { Tokenizer } from "../image/tokenizer.ts";
import { randomTexts } from "./texts.ts";

const COUNT = process.env.TRITKIT_TEST_TOKENIZERS ? 10_000 : 200;
const VOCAB = 32000;
const { vocabById: tokens, merges } = llamaTokenizer;
/** Scores are lost in that package, their order is not: that of the first merge that makes a piece. (Runs of spaces come last, at -1e9 in the original.) */
const order = new Map<string, number>();
for (const [pair, rank] of [...merges].sort(([, a], [, b]) => a - b)) {
  const made = pair.replace(" ", "");
  if (!order.has(made)) order.set(made, rank);
}
const score = (id: number) => -(order.get(tokens[id]) ?? 0);

function bin(): Uint8Array {
  const parts = tokens.map((token, id) => {
    const text = Buffer.from(id === 1 ? "\n<s>\n" : id === 2 ? "\n</s>\n" : token.replaceAll("\u2581", " "));
    const head = Buffer.alloc(8);
    head.writeFloatLE(score(id));
    head.writeInt32LE(text.length, 4);
    return Buffer.concat([head, text]);
  });
  return new Uint8Array(Buffer.concat([Buffer.from([27, 0, 0, 0]), ...parts]));
}

const json = () => ({
  added_tokens: [0, 1, 2].map((id) => ({ id, content: tokens[id], special: true, normalized: false })),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "\u2581" },
      { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    ],
  },
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: {
    type: "BPE",
    unk_token: "<unk>",
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: [...merges].sort(([, a], [, b]) => a - b).map(([pair]) => pair),
  },
});

const FILES: [name: string, () => Tokenizer][] = [
  ["tokenizer.bin of llama2.c", () => importTokenizerBin("tokenizer.bin", bin(), VOCAB).tokenizer],
  [
    "GGUF",
    () =>
      importGgufTokenizer(
        "m.gguf",
        {
          model: "llama",
          pre: "default",
          tokens,
          scores: Float32Array.from(tokens, (_, id) => score(id)),
          types: Int32Array.from(tokens, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
          merges: null,
          bos: 1,
          eos: 2,
          unk: 0,
          addBos: true,
          addSpacePrefix: null,
          chatTemplate: null,
        },
        VOCAB,
      ).tokenizer,
  ],
  ["tokenizer.json", () => importTokenizer("tokenizer.json", JSON.stringify(json()), VOCAB).tokenizer],
];

for (const [i, [name, read]] of FILES.entries())
  test(`${name}: Llama 2's ids`, () => {
    const codec = new TextCodec(read());
    assert.deepEqual(codec.encode("Hello world"), [15043, 3186]);
    for (const text of randomTexts(COUNT, { seed: 40 + i }))
      assert.deepEqual(
        codec.encode(text),
        text === "" ? [] : llamaTokenizer.encode(text, false, true),
        JSON.stringify(text),
      );
  });

test("one word of 64 KiB takes n log n", () => {
  const codec = new TextCodec(FILES[1][1]());
  const text = [...randomTexts(2000, { seed: 50 })].join(" ").slice(0, 60_000);
  const times = [0, 1, 2].map(() => {
    const start = performance.now();
    codec.encode(text);
    return performance.now() - start;
  });
  // n * n steps would be four billion.
  assert.ok(Math.min(...times) < 1500, `${times} ms`);
});

test("a tokenizer.bin that lies is refused", () => {
  const good = bin();
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["cut", good.slice(0, 100_000), /ends after|has \d+ bytes/],
    ["empty", new Uint8Array(0), /ends after 0/],
  ];
  const long = good.slice();
  new DataView(long.buffer).setInt32(8, -1, true);
  cases.push(["a negative length", long, /token 0 has -1 bytes/]);
  const nan = good.slice();
  new DataView(nan.buffer).setFloat32(4, Number.NaN, true);
  cases.push(["a score that is no number", nan, /score NaN/]);
  for (const [what, bytes, message] of cases)
    assert.throws(() => importTokenizerBin("tokenizer.bin", bytes, VOCAB), { code: "E_SOURCE_FORMAT", message }, what);
});
