/** Which file beside the weights a tokenizer comes from, and that each kind reaches the image. The formats themselves: tokenizer_*.test.ts. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TOK_BYTE_LEVEL, TOK_SENTENCEPIECE } from "../../spec/image.ts";
import { openModel } from "../convert/convert.ts";
import type { OpenOptions } from "../convert/model.ts";
import type { Tokenizer } from "../image/tokenizer.ts";
import { gridTensor, latentGrid, llamaConfig, llamaTensors, SHAPE, writeDirectory } from "./family_fixture.ts";
import { byteTokenizer } from "./hf_fixture.ts";
import { legacyFile, llama2cModel } from "./llama2c_fixture.ts";
import { tokenizerBin, tokenizerModel } from "./sentencepiece_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-tokenizers-"));
after(() => rm(folder, { recursive: true }));

async function tokenizerOf(source: string, options: OpenOptions = {}): Promise<Tokenizer> {
  const model = await openModel(source, { float: true, ...options });
  await model.close();
  return model.tokenizer;
}

const lastToken = (tokenizer: Tokenizer) => Buffer.from(tokenizer.tokens[SHAPE.vocab - 1]).toString();

test("a Hugging Face directory: tokenizer.json leads, tokenizer.model stands in", async () => {
  const tensors = llamaTensors((name, layer, rows, cols) => ({
    weight: gridTensor(latentGrid(name.length + layer, rows, cols)),
  }));
  const source = await writeDirectory(join(folder, "hf"), llamaConfig(), tensors);
  await writeFile(join(source, "tokenizer.model"), tokenizerModel("\u2581piece"));
  assert.equal((await tokenizerOf(source)).kind, TOK_BYTE_LEVEL);
  await rm(join(source, "tokenizer.json"));
  const tokenizer = await tokenizerOf(source);
  assert.deepEqual([tokenizer.kind, lastToken(tokenizer)], [TOK_SENTENCEPIECE, " piece"]);
  await rm(join(source, "tokenizer.model"));
  await assert.rejects(tokenizerOf(source), {
    code: "E_SOURCE_MISSING",
    message: /no tokenizer\.json and no tokenizer\.model/,
  });
  const given = join(folder, "given.bin");
  await writeFile(given, tokenizerBin(" given"));
  assert.equal(lastToken(await tokenizerOf(source, { tokenizer: given })), " given");
});

test("llama2.c: tokenizer.bin beside the model, then tokenizer.model, then tokenizer.json", async () => {
  const place = join(folder, "llama2c");
  await mkdir(place);
  const source = join(place, "model.bin");
  await writeFile(source, legacyFile(llama2cModel(true)));
  await assert.rejects(tokenizerOf(source), { code: "E_SOURCE_MISSING", message: /tokenizer\.bin/ });
  await writeFile(join(place, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  assert.equal((await tokenizerOf(source)).kind, TOK_BYTE_LEVEL);
  await writeFile(join(place, "tokenizer.model"), tokenizerModel("\u2581piece"));
  assert.equal(lastToken(await tokenizerOf(source)), " piece");
  await writeFile(join(place, "tokenizer.bin"), tokenizerBin(" bin"));
  const tokenizer = await tokenizerOf(source);
  assert.deepEqual([tokenizer.kind, lastToken(tokenizer), tokenizer.byteIds[65]], [TOK_SENTENCEPIECE, " bin", 3 + 65]);
});

test("files that are cut, or of another model, are refused in one sentence", async () => {
  const source = join(folder, "llama2c", "model.bin");
  const cases: [string, Buffer][] = [
    ["cut.bin", tokenizerBin(" word").subarray(0, 900)],
    ["empty.bin", Buffer.alloc(0)],
    ["length.bin", Buffer.concat([tokenizerBin(" word").subarray(0, 8), Buffer.from([0xff, 0xff, 0xff, 0x7f])])],
    ["cut.model", tokenizerModel(" word").subarray(0, 900)],
    ["empty.model", Buffer.alloc(0)],
    ["text.model", Buffer.from("no protobuf, but words")],
    ["cut.json", Buffer.from(JSON.stringify(byteTokenizer())).subarray(0, 900)],
  ];
  for (const [name, bytes] of cases) {
    const tokenizer = join(folder, name);
    await writeFile(tokenizer, bytes);
    await assert.rejects(tokenizerOf(source, { tokenizer }), { name: "TritkitError", code: "E_SOURCE_FORMAT" }, name);
  }
});
