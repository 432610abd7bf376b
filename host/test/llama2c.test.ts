import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
} from "../../spec/image.ts";
import { convert, openModel } from "../convert/convert.ts";
import { isTernary, type MatrixSource, type ModelSource } from "../convert/model.ts";
import { unpackRows } from "../convert/packing.ts";
import { readImage } from "../image/reader.ts";
import { byteTokenizer } from "./hf_fixture.ts";
import { type Llama2cModel, legacyFile, llama2cModel, version1File, version2File } from "./llama2c_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-llama2c-"));
after(() => rm(folder, { recursive: true }));
const tokenizer = join(folder, "tokenizer.json");
await writeFile(tokenizer, JSON.stringify(byteTokenizer()));

let count = 0;

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${count++}.bin`);
  await writeFile(path, bytes);
  return path;
}

async function opened(bytes: Uint8Array, read: (model: ModelSource) => Promise<void>): Promise<void> {
  const model = await openModel(await fileOf(bytes), { float: true, tokenizer });
  try {
    await read(model);
  } finally {
    await model.close();
  }
}

async function linear(model: ModelSource, kind: number, layer: number): Promise<Float32Array> {
  const matrix = await model.linear(kind, layer);
  assert.ok(!isTernary(matrix));
  // In two pieces, of which the first ends within a head.
  const first = await matrix.values(0, 3);
  return Float32Array.from([...first, ...(await matrix.values(3, matrix.rows - 3))]);
}

const WEIGHTS = [
  [KIND_ATTN_V, "wv"],
  [KIND_ATTN_O, "wo"],
  [KIND_FFN_GATE, "w1"],
  [KIND_FFN_DOWN, "w2"],
  [KIND_FFN_UP, "w3"],
] as const;

const asIs = (values: Float32Array) => values;

async function assertSame(source: ModelSource, model: Llama2cModel, rounded = asIs): Promise<void> {
  for (const [layer, weights] of model.layers.entries()) {
    for (const [kind, name] of WEIGHTS)
      assert.deepEqual(await linear(source, kind, layer), rounded(weights[name]), `${name} ${layer}`);
    assert.deepEqual(await source.gain(KIND_ATTN_NORM, layer), weights.attention_norm);
    assert.deepEqual(await source.gain(KIND_FFN_NORM, layer), weights.ffn_norm);
    await assertScores(source, layer, rounded(weights.wq), rounded(weights.wk), model);
  }
  assert.deepEqual(await source.gain(KIND_FINAL_NORM, 0), model.norm);
  assert.deepEqual(await (await source.matrix(KIND_EMBED)).values(0, model.vocabSize), rounded(model.embed));
  if (model.output)
    assert.deepEqual(await (await source.matrix(KIND_HEAD)).values(0, model.vocabSize), rounded(model.output));
  assert.equal(source.config.tied, model.output === null);
}

/** W (rows, cols) @ x (cols) */
function product(w: Float32Array, x: readonly number[]): number[] {
  return Array.from({ length: w.length / x.length }, (_, row) =>
    x.reduce((sum, value, col) => sum + w[row * x.length + col] * value, 0),
  );
}

/** RoPE of one head: run.c turns neighbours; transformers' rotate_half, which an image is made for, turns halves. */
function turned(head: readonly number[], position: number, pair: (j: number) => readonly [number, number]): number[] {
  const out = [...head];
  for (let j = 0; j < head.length / 2; j++) {
    const [a, b] = pair(j);
    const angle = position * 10000 ** ((-2 * j) / head.length);
    out[a] = head[a] * Math.cos(angle) - head[b] * Math.sin(angle);
    out[b] = head[a] * Math.sin(angle) + head[b] * Math.cos(angle);
  }
  return out;
}

/** Scores of every head between positions, with the weights of the file by run.c's rule and with the imported ones by ours. */
async function assertScores(
  source: ModelSource,
  layer: number,
  wq: Float32Array,
  wk: Float32Array,
  model: Llama2cModel,
) {
  const { headDim } = source.config;
  const queries = await linear(source, KIND_ATTN_Q, layer);
  const keys = await linear(source, KIND_ATTN_K, layer);
  const x = Array.from({ length: model.dim }, (_, i) => Math.sin(i + layer));
  const y = Array.from({ length: model.dim }, (_, i) => Math.cos(3 * i - layer));
  const neighbours = (j: number) => [2 * j, 2 * j + 1] as const;
  const halves = (j: number) => [j, j + headDim / 2] as const;
  const score = (q: Float32Array, k: Float32Array, head: number, pair: typeof neighbours) => {
    const kv = Math.floor(head / (model.nHeads / model.nKvHeads));
    const a = turned(product(q, x).slice(head * headDim, (head + 1) * headDim), 11, pair);
    const b = turned(product(k, y).slice(kv * headDim, (kv + 1) * headDim), 4, pair);
    return a.reduce((sum, value, i) => sum + value * b[i], 0);
  };
  for (let head = 0; head < model.nHeads; head++) {
    const wanted = score(wq, wk, head, neighbours);
    assert.ok(Math.abs(score(queries, keys, head, halves) - wanted) < 1e-9, `head ${head} of layer ${layer}`);
    assert.ok(Math.abs(score(wq, wk, head, halves) - wanted) > 1e-3, "the rules differ on these weights");
  }
}

for (const shared of [true, false]) {
  const model = llama2cModel(shared);
  const what = shared ? "shared head" : "own head";
  test(`v0, ${what}`, () => opened(legacyFile(model), (source) => assertSame(source, model)));
  test(`v1, ${what}`, () => opened(version1File(model), (source) => assertSame(source, model)));
  test(`v2, ${what}: int8 in groups of 8`, async () => {
    const { file, rounded } = version2File(model, 8);
    await opened(file, (source) => assertSame(source, model, (values) => rounded.get(values) ?? values));
  });
}

test("v2: groups that do not end with the rows of w2, as in stories42M", async () => {
  const model = llama2cModel(true, 1, 20);
  const { file, rounded } = version2File(model, 8);
  await opened(file, async (source) => {
    await assertSame(source, model, (values) => rounded.get(values) ?? values);
    const down = (await source.linear(KIND_FFN_DOWN, 1)) as MatrixSource;
    const row = await down.values(3, 1);
    assert.deepEqual(row, rounded.get(model.layers[1].w2)?.slice(60, 80));
  });
});

test("an image takes rounded weights, when that is allowed", async () => {
  const model = llama2cModel(true);
  const path = await fileOf(version1File(model));
  const out = join(folder, "out.trit");
  await assert.rejects(convert(path, out, { tokenizer }), { code: "E_QUANTIZE" });
  await convert(path, out, { tokenizer, quantize: "absmean" });
  const image = readImage(new Uint8Array(await readFile(out)));
  const { wo } = model.layers[1];
  const mean = wo.reduce((sum, w) => sum + Math.abs(w), 0) / wo.length;
  const trits = Int8Array.from(wo, (w) => Math.max(-1, Math.min(1, Math.round(w / mean))));
  assert.deepEqual(unpackRows(1, image.tensor(KIND_ATTN_O, 1).data, 16, 16), trits);
  const { config } = image;
  assert.deepEqual([config.bos, config.eos, config.stop, config.addBos, config.activation], [1, 2, [1], true, 0]);
});

test("files that are none, or not whole, are refused in one sentence", async () => {
  const good = legacyFile(llama2cModel(true));
  const changed = (at: number, value: number, bytes: Buffer = good) => {
    const copy = Buffer.from(bytes);
    copy.writeInt32LE(value, at);
    return copy;
  };
  const v1 = version1File(llama2cModel(true));
  const v2 = version2File(llama2cModel(true), 8).file;
  const cases: [string, Uint8Array, string, RegExp][] = [
    ["empty", Buffer.alloc(0), "E_SOURCE_FORMAT", /less than a header/],
    ["cut", good.subarray(0, good.length - 1), "E_SOURCE_FORMAT", /has \d+ bytes/],
    ["too long", Buffer.concat([good, Buffer.alloc(4)]), "E_SOURCE_FORMAT", /has \d+ bytes/],
    ["cut within the new header", v1.subarray(0, 100), "E_SOURCE_FORMAT", /less than a header/],
    ["no heads", changed(12, 0), "E_SOURCE_FORMAT", /n_heads = 0/],
    ["negative dim", changed(0, -16), "E_SOURCE_FORMAT", /dim = -16/],
    ["a billion layers", changed(8, 1e9), "E_UNSUPPORTED", /n_layers/],
    ["2^30 tokens", changed(20, 2 ** 30), "E_UNSUPPORTED", /vocab_size/],
    ["-2^31 tokens", changed(20, -(2 ** 31)), "E_UNSUPPORTED", /vocab_size/],
    ["version 3", changed(4, 3, v1), "E_UNSUPPORTED", /version 3/],
    ["groups of 0", changed(37, 0, v2), "E_SOURCE_FORMAT", /groups of 0/],
    ["groups of 7", changed(37, 7, v2), "E_SOURCE_FORMAT", /groups of 7/],
    ["a PyTorch archive", Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(400)]), "E_UNSUPPORTED", /PyTorch/],
    [
      "text",
      Buffer.from("There was no model here, only words and words.".repeat(9)),
      "E_SOURCE_FORMAT|E_UNSUPPORTED",
      /./,
    ],
  ];
  for (const [what, bytes, codes, message] of cases) {
    const path = await fileOf(bytes);
    await assert.rejects(openModel(path, { tokenizer, float: true }), (error: Error & { code?: string }) => {
      assert.match(error.code ?? "", new RegExp(`^(${codes})$`), what);
      assert.match(error.message, message, what);
      return true;
    });
  }
});

test("NaN among the weights is refused, and no image is left", async () => {
  const model = llama2cModel(true);
  model.layers[0].wo[5] = Number.NaN;
  const out = join(folder, "nan.trit");
  await assert.rejects(convert(await fileOf(version1File(model)), out, { tokenizer, quantize: "absmean" }), {
    code: "E_SOURCE_FORMAT",
  });
  await assert.rejects(readFile(out), { code: "ENOENT" });
});
