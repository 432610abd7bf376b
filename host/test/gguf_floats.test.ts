/** Weights and embeddings of a GGUF file where they are numbers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND_ATTN_K, KIND_ATTN_Q, KIND_ATTN_V, KIND_EMBED } from "../../spec/image.ts";
import { decodeFloats } from "../convert/gguf/float_blocks.ts";
import { TYPE_F32, TYPE_Q4_0, TYPE_Q4_K, TYPE_Q6_K, TYPE_Q8_0, TYPE_TQ1_0, typeName } from "../convert/gguf/types.ts";
import { isTernary } from "../convert/model.ts";
import { randomBlocks } from "./ggml_blocks.ts";
import { encodeFloats } from "./gguf_encode.ts";
import { type GgufOptions, SHAPE } from "./gguf_model.ts";
import { llama, opened, ternaryOf, using, valuesOf } from "./gguf_source.ts";
import { seeded } from "./seeded.ts";

const { dim, heads, headDim, vocab } = SHAPE;

for (const type of [TYPE_Q8_0, TYPE_Q4_0, TYPE_Q4_K, TYPE_Q6_K, TYPE_TQ1_0])
  test(`an embedding in ${typeName(type)} is read as ggml reads it, in ranges of rows`, async () => {
    const bytes = randomBlocks(type, (vocab * dim) / (type === TYPE_Q8_0 || type === TYPE_Q4_0 ? 32 : 256), 5);
    const expected = decodeFloats(type, bytes, vocab * dim);
    const name = "token_embd.weight";
    await using(await opened({ tensors: { [name]: { name, type, ne: [dim, vocab], bytes } } }), async (source) => {
      const matrix = await source.matrix(KIND_EMBED);
      assert.deepEqual([matrix.rows, matrix.cols], [vocab, dim]);
      assert.deepEqual(await matrix.values(0, vocab), expected);
      assert.deepEqual(await matrix.values(100, 7), expected.slice(100 * dim, 107 * dim));
    });
  });

test("weights in Q8_0 that were ternary are ternary", async () => {
  await using(await opened({ type: TYPE_Q8_0, architecture: "llama" }), async (source) => {
    const linear = await ternaryOf(source, KIND_ATTN_V, 1);
    const expected = llama.linears.get("1 attn_v");
    assert.ok(expected);
    assert.deepEqual(await linear.trits(0, linear.rows), expected.trits);
    assert.ok(Math.abs(Number(linear.scale) / expected.scale - 1) < 2 ** -9);
  });
});

test("float weights of llama: refused, rounded on request, or real for the float engine, in the model's order of rows", async () => {
  const random = seeded(21);
  const values = Float32Array.from({ length: heads * headDim * dim }, () => random() - 0.5);
  const name = "blk.0.attn_q.weight";
  // The file's row h * 64 + 2j + p is the model's h * 64 + 32p + j.
  const stored = new Float32Array(values.length);
  for (let row = 0; row < heads * headDim; row++) {
    const [head, inHead] = [Math.floor(row / headDim), row % headDim];
    const from = head * headDim + (inHead % 2) * (headDim / 2) + Math.floor(inHead / 2);
    stored.set(values.subarray(from * dim, (from + 1) * dim), row * dim);
  }
  const gguf: Partial<GgufOptions> = {
    architecture: "llama",
    type: TYPE_F32,
    tensors: { [name]: { name, type: TYPE_F32, ne: [dim, heads * headDim], bytes: encodeFloats(TYPE_F32, stored) } },
  };
  await using(await opened(gguf), async (source) => {
    assert.equal(source.fakeQuant, false);
    await assert.rejects(async () => source.linear(KIND_ATTN_Q, 0), { code: "E_QUANTIZE", message: /blk\.0\.attn_q/ });
    assert.ok(isTernary(await source.linear(KIND_ATTN_K, 0)), "what is ternary already needs no leave");
  });
  await using(await opened(gguf, { float: true }), async (source) => {
    const real = await source.linear(KIND_ATTN_Q, 0);
    assert.deepEqual(await valuesOf(real), Float64Array.from(values));
    assert.deepEqual(await valuesOf(real, 30, 40), Float64Array.from(values.subarray(30 * dim, 70 * dim)));
  });
  await using(await opened(gguf, { quantize: "absmean" }), async (source) => {
    const rounded = await ternaryOf(source, KIND_ATTN_Q);
    const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
    assert.deepEqual(
      await rounded.trits(0, 256),
      Int8Array.from(values, (value) => (Math.abs(value) > mean / 2 ? Math.sign(value) : 0)),
    );
  });
  await using(await opened(gguf, { quantize: "sign" }), async (source) => {
    assert.equal(source.config.weights, "binary");
    assert.ok((await (await ternaryOf(source, KIND_ATTN_Q)).trits(0, 256)).every((trit) => trit !== 0));
  });
  // BitNet's are latent.
  const latent = {
    type: TYPE_F32,
    tensors: { [name]: { name, type: TYPE_F32, ne: [dim, 256], bytes: encodeFloats(TYPE_F32, values) } },
  };
  await using(await opened(latent, { float: true }), async (source) => {
    assert.ok(isTernary(await source.linear(KIND_ATTN_Q, 0)));
    assert.equal(source.fakeQuant, true);
  });
});
