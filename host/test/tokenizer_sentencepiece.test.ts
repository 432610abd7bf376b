/**
 * tokenizer.model against SentencePiece itself. The models of data/sentencepiece were trained on Grimm's fairy tales (public domain) by
 * scripts/tokenizers/sentencepiece_witness.py, the ids beside them are SentencePiece 0.1.97's. `npm run test:tokenizers` asks Debian's python3-sentencepiece
 * for 10,000 texts a model; with TRITKIT_WRITE_VECTORS=1 it writes the committed ids anew.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { importTokenizerModel } from "../convert/tokenizer/model.ts";
import { TextCodec } from "../engine/text_codec.ts";
import { randomBytes, randomTexts } from "./texts.ts";

const FOLDER = "host/test/data/sentencepiece";
const WITNESS = "scripts/tokenizers/sentencepiece_witness.py";
const MODELS = ["bpe", "bpe_plain", "bpe_user", "unigram", "unigram_plain"];
const VOCAB = 1024;
const SEED = 21;

const read = (name: string) => new Uint8Array(readFileSync(`${FOLDER}/${name}.model`));
const codecOf = (name: string) => new TextCodec(importTokenizerModel(name, read(name), VOCAB).tokenizer);

/** Texts, and runs of one piece, where sums are equal and only their rounding decides. */
function texts(count: number): string[] {
  const runs = ["a", "ha", " ", "the ", "  ", "ing the", "<tool>", "\u2581", "\u2581the", "0", "é", "日本"];
  return [
    ...runs.flatMap((run) => [1, 2, 3, 7, 40, 333].map((times) => run.repeat(times))),
    ...randomTexts(count, { seed: SEED }),
  ];
}

function witness(name: string, of: readonly string[]): number[][] {
  const input = of.map((text) => JSON.stringify(text)).join("\n");
  const { stdout, stderr, status } = spawnSync(
    process.env.PYTHON ?? "python3",
    [WITNESS, "ids", `${FOLDER}/${name}.model`],
    { input, encoding: "utf8", maxBuffer: 2 ** 30 },
  );
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as number[]);
}

const all = process.env.TRITKIT_TEST_TOKENIZERS === "1";
const committed = JSON.parse(readFileSync(`${FOLDER}/ids.json`, "utf8")) as Record<string, [string, number[]][]>;

for (const name of MODELS) {
  test(`${name}: SentencePiece's ids`, () => {
    const codec = codecOf(name);
    assert.ok(committed[name].length > 200 || process.env.TRITKIT_WRITE_VECTORS === "1");
    for (const [text, ids] of committed[name]) assert.deepEqual(codec.encode(text), ids, JSON.stringify(text));
  });
  test(`${name}: SentencePiece's ids of 10,000 texts`, { skip: !all && "npm run test:tokenizers" }, () => {
    const codec = codecOf(name);
    const given = texts(10_000);
    const wanted = witness(name, given);
    assert.equal(wanted.length, given.length);
    for (const [i, text] of given.entries()) assert.deepEqual(codec.encode(text), wanted[i], JSON.stringify(text));
    if (process.env.TRITKIT_WRITE_VECTORS === "1")
      committed[name] = given.slice(0, 272).map((text, i) => [text, wanted[i]]);
    if (process.env.TRITKIT_WRITE_VECTORS === "1")
      writeFileSync(`${FOLDER}/ids.json`, `${JSON.stringify(committed)}\n`);
  });
}

for (const name of ["bpe", "bpe_user", "unigram"])
  test(`${name}: with the byte fallback decode(encode(bytes)) is the bytes, but for U+2581, which is a space`, () => {
    const { tokenizer } = importTokenizerModel(name, read(name), VOCAB);
    const codec = new TextCodec(tokenizer);
    for (const bytes of randomBytes(all ? 10_000 : 500, SEED + 1)) {
      const back = Buffer.concat(codec.encode(bytes).map((id) => codec.tokenBytes(id))).toString("latin1");
      const text = Buffer.from(bytes).toString("latin1").replaceAll("\xe2\x96\x81", " ");
      assert.equal(back, text === "" ? "" : ` ${text}`);
    }
  });

test("a tokenizer.model that lies is refused, whatever byte is wrong", () => {
  const good = read("bpe_plain");
  const random = randomBytes(1500, 5);
  let refused = 0;
  for (const [i, noise] of [...random].entries()) {
    const bad = good.slice(0, i % 3 === 0 ? (i * 7919) % good.length : good.length);
    for (let k = 0; k < Math.min(noise.length, 3); k++)
      bad[((k + 1) * i * 104729 + noise[k]) % (i % 2 ? bad.length : 400) || 0] = noise[k];
    try {
      new TextCodec(importTokenizerModel("m", bad, VOCAB).tokenizer).encode("the end");
    } catch (error) {
      refused++;
      assert.match((error as { code: string }).code, /^E_(SOURCE_FORMAT|UNSUPPORTED)$/, (error as Error).stack);
    }
  }
  assert.ok(refused > 500, String(refused));
  assert.throws(() => importTokenizerModel("m", new Uint8Array(0), VOCAB), { code: "E_SOURCE_FORMAT" });
  assert.throws(() => importTokenizerModel("m", good, 300), { code: "E_SOURCE_FORMAT", message: /400 tokens/ });
});
