/** What a GGUF file means: scales, order of rows, types of weights, configuration, special tokens; and what is refused. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  KIND_ATTN_K,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
  KIND_ROUTER,
} from "../../spec/image.ts";
import { GgufFile } from "../convert/gguf/file.ts";
import { decodeFloats } from "../convert/gguf/float_blocks.ts";
import { openGguf } from "../convert/gguf/open_gguf.ts";
import { readVocabulary } from "../convert/gguf/special_tokens.ts";
import {
  TYPE_F32,
  TYPE_I2_S,
  TYPE_Q4_0,
  TYPE_Q4_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
  TYPE_TQ1_0,
  TYPE_TQ2_0,
  typeName,
} from "../convert/gguf/types.ts";
import {
  isTernary,
  type LinearSource,
  type MatrixSource,
  type ModelSource,
  type OpenOptions,
} from "../convert/model.ts";
import { randomBlocks } from "./ggml_blocks.ts";
import { encodeFloats, encodeTrits } from "./gguf_encode.ts";
import { type GgufOptions, permuteRows, SHAPE, type Tiny, TOKENS, tinyGguf, tinyModel } from "./gguf_model.ts";
import { type Field, ggufBytes, type WrittenTensor } from "./gguf_writer.ts";
import { seeded } from "./seeded.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-open-"));
after(() => rm(folder, { recursive: true }));
const bitnet = tinyModel();
const llama = tinyModel({ subNorm: false, tied: false, activation: "silu" });
const { dim, hidden, heads, kv, headDim, vocab } = SHAPE;

async function opened(gguf: Partial<GgufOptions>, options: OpenOptions = {}, model?: Tiny): Promise<ModelSource> {
  const path = join(folder, "model.gguf");
  const tiny = model ?? (gguf.architecture === "llama" ? llama : bitnet);
  await writeFile(path, tinyGguf(tiny, { type: TYPE_TQ2_0, ...gguf }));
  return openGguf(path, options);
}

async function using<T>(source: ModelSource, use: (source: ModelSource) => T | Promise<T>): Promise<T> {
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

async function ternaryOf(source: ModelSource, kind: number, layer = 0): Promise<LinearSource> {
  const linear = await source.linear(kind, layer);
  assert.ok(isTernary(linear));
  return linear;
}

async function valuesOf(linear: LinearSource | MatrixSource, start = 0, count = linear.rows): Promise<Float64Array> {
  if (!isTernary(linear)) return Float64Array.from(await linear.values(start, count));
  const trits = await linear.trits(start, count);
  return Float64Array.from(trits, (trit, i) => {
    const row = start + Math.floor(i / linear.cols);
    return trit * (typeof linear.scale === "number" ? linear.scale : linear.scale[row]);
  });
}

const f32 = (name: string, values: ArrayLike<number>, ne = [values.length]): Record<string, WrittenTensor> => ({
  [name]: { name, type: TYPE_F32, ne, bytes: encodeFloats(TYPE_F32, Float32Array.from(values)) },
});
const field = (key: string, type: Field[1], value: unknown): Record<string, Field> => ({ [key]: [key, type, value] });

test("rows come in ranges, whatever the order of the file is", async () => {
  for (const gguf of [
    { architecture: "llama", type: TYPE_TQ1_0 },
    { architecture: "llama", type: TYPE_I2_S },
    { architecture: "bitnet", type: TYPE_I2_S },
  ] as const)
    await using(await opened(gguf, { i2s: "x86" }), async (source) => {
      for (const kind of [KIND_ATTN_K, KIND_FFN_DOWN]) {
        const linear = await ternaryOf(source, kind, 1);
        const whole = await linear.trits(0, linear.rows);
        for (const [start, count] of [
          [0, 1],
          [63, 2],
          [5, 100],
          [linear.rows - 4, 4],
        ])
          assert.deepEqual(
            await linear.trits(start, count),
            whole.slice(start * linear.cols, (start + count) * linear.cols),
          );
      }
    });
});

test("I2_S blocks run through the tensor where rows are no blocks", async () => {
  // 3B of 1bitLLM has rows of 8640 weights: 67.5 blocks of 128. Here it is 320 of 2.5 blocks.
  const random = seeded(4);
  const trits = Int8Array.from({ length: 256 * 320 }, () => Math.floor(random() * 3) - 1);
  const gguf: Partial<GgufOptions> = {
    fields: field("bitnet-b1.58.feed_forward_length", "u32", 320),
    tensors: {},
  };
  const tensors: Record<string, WrittenTensor> = {};
  for (const layer of [0, 1]) {
    const wide = Int8Array.from({ length: 320 * 256 }, (_, i) => trits[i]);
    for (const name of ["ffn_gate", "ffn_up"])
      tensors[`blk.${layer}.${name}.weight`] = {
        name: `blk.${layer}.${name}.weight`,
        type: TYPE_I2_S,
        ne: [256, 320],
        bytes: encodeTrits(TYPE_I2_S, wide, 0.5),
      };
    tensors[`blk.${layer}.ffn_down.weight`] = {
      name: `blk.${layer}.ffn_down.weight`,
      type: TYPE_I2_S,
      ne: [320, 256],
      bytes: encodeTrits(TYPE_I2_S, trits, 0.5),
    };
    Object.assign(tensors, f32(`blk.${layer}.ffn_sub_norm.weight`, new Float32Array(320).fill(1)));
  }
  await using(await opened({ ...gguf, type: TYPE_I2_S, tensors }, { i2s: "x86" }), async (source) => {
    const down = await ternaryOf(source, KIND_FFN_DOWN);
    for (const [start, count] of [
      [0, 256],
      [1, 1],
      [7, 3],
    ])
      assert.deepEqual(await down.trits(start, count), trits.slice(start * 320, (start + count) * 320));
  });
});

test("scores of llama.cpp's attention agree: norm RoPE on the file's rows is our RoPE on the model's", async () => {
  // One query and one key from random inputs, rotated by either rule at several positions: the scores are equal.
  const random = seeded(9);
  const input = Float64Array.from({ length: dim }, () => random() * 2 - 1);
  const apply = (weights: Float64Array, rows: number) =>
    Float64Array.from({ length: rows }, (_, row) =>
      input.reduce((sum, x, col) => sum + x * weights[row * dim + col], 0),
    );
  const angle = (position: number, j: number) => position * 10000 ** ((-2 * j) / headDim);
  /** ggml_rope_ext: type norm turns (2j, 2j + 1), type neox (j, j + half). */
  const rotate = (
    values: Float64Array,
    position: number,
    first: (j: number) => number,
    second: (j: number) => number,
  ) => {
    const out = new Float64Array(values.length);
    for (let head = 0; head < values.length; head += headDim)
      for (let j = 0; j < headDim / 2; j++) {
        const [cos, sin] = [Math.cos(angle(position, j)), Math.sin(angle(position, j))];
        const [a, b] = [values[head + first(j)], values[head + second(j)]];
        out[head + first(j)] = a * cos - b * sin;
        out[head + second(j)] = a * sin + b * cos;
      }
    return out;
  };
  const norm = [(j: number) => 2 * j, (j: number) => 2 * j + 1] as const;
  const neox = [(j: number) => j, (j: number) => j + headDim / 2] as const;
  const score = (q: Float64Array, k: Float64Array, head: number) => {
    const [qAt, kAt] = [head * headDim, Math.floor(head / (heads / kv)) * headDim];
    return Array.from({ length: headDim }, (_, i) => q[qAt + i] * k[kAt + i]).reduce((a, b) => a + b, 0);
  };
  await using(await opened({ architecture: "llama" }), async (source) => {
    const ours = await Promise.all(
      [KIND_ATTN_Q, KIND_ATTN_K].map(async (kind) => valuesOf(await source.linear(kind, 0))),
    );
    const stored = (["attn_q", "attn_k"] as const).map((name) => {
      const linear = llama.linears.get(`0 ${name}`);
      assert.ok(linear);
      const rows = permuteRows(linear.trits, dim, name === "attn_q" ? heads : kv);
      return Float64Array.from(rows, (trit) => trit * linear.scale);
    });
    assert.notDeepEqual(ours[0], stored[0]);
    for (const [position, other] of [
      [0, 0],
      [5, 1],
      [40, 17],
    ]) {
      const q = rotate(apply(ours[0], heads * headDim), position, ...neox);
      const k = rotate(apply(ours[1], kv * headDim), other, ...neox);
      const fileQ = rotate(apply(stored[0], heads * headDim), position, ...norm);
      const fileK = rotate(apply(stored[1], kv * headDim), other, ...norm);
      for (let head = 0; head < heads; head++)
        assert.ok(Math.abs(score(q, k, head) - score(fileQ, fileK, head)) < 1e-9);
    }
  });
});

/** ffn_down of layer 0 in TQ2_0 with a scale for every block. */
function downWith(scales: (row: number, block: number) => number, trits?: Int8Array): Record<string, WrittenTensor> {
  const name = "blk.0.ffn_down.weight";
  const linear = bitnet.linears.get("0 ffn_down");
  assert.ok(linear);
  const across = hidden / 256;
  return {
    [name]: {
      name,
      type: TYPE_TQ2_0,
      ne: [hidden, dim],
      bytes: encodeTrits(TYPE_TQ2_0, trits ?? linear.trits, 1, {
        scales: (block) => scales(Math.floor(block / across), block % across),
      }),
    },
  };
}

test("one scale of all blocks is the tensor's, one of each row the row's", async () => {
  await using(await opened({ tensors: downWith(() => 0.25) }), async (source) => {
    assert.equal((await ternaryOf(source, KIND_FFN_DOWN)).scale, 0.25);
  });
  await using(await opened({ tensors: downWith((row) => (1 + row) / 1024) }), async (source) => {
    const { scale } = await ternaryOf(source, KIND_FFN_DOWN);
    assert.deepEqual(
      scale,
      Float64Array.from({ length: dim }, (_, row) => (1 + row) / 1024),
    );
  });
});

test("blocks of zeros may have any scale, and a block of scale 0 is zero whatever its codes are", async () => {
  const trits = Int8Array.from({ length: dim * hidden }, (_, i) => (i % 3) - 1);
  trits.fill(0, 256, 512); // row 0, block 1
  trits.fill(0, 3 * hidden, 4 * hidden); // row 3
  const scales = (row: number, block: number) =>
    row === 0 && block === 1 ? 0.75 : row === 3 ? 0 : row === 5 && block === 0 ? 0 : 0.5;
  await using(await opened({ tensors: downWith(scales, trits) }), async (source) => {
    const linear = await ternaryOf(source, KIND_FFN_DOWN);
    assert.equal(linear.scale, 0.5);
    const expected = trits.slice();
    expected.fill(0, 5 * hidden, 5 * hidden + 256);
    assert.deepEqual(await linear.trits(0, dim), expected);
  });
});

test("scales of columns pass to the rows that feed them, as in TriLM", async () => {
  const tensors = downWith((_, block) => [0.5, 0.125][block]);
  await using(await opened({ tensors }), async (source) => {
    const down = await ternaryOf(source, KIND_FFN_DOWN);
    const up = await ternaryOf(source, KIND_FFN_UP);
    assert.equal(down.scale, 0.5);
    const upScale = bitnet.linears.get("0 ffn_up")?.scale ?? 0;
    assert.deepEqual(
      up.scale,
      Float64Array.from({ length: hidden }, (_, row) => (row < 256 ? upScale : upScale / 4)),
    );
    // The other layer has none.
    assert.equal(typeof (await ternaryOf(source, KIND_FFN_UP, 1)).scale, "number");
  });
});

test("different scales inside a row are no ternary matrix: refused by name, rounded, or left as they are", async () => {
  const scales = (row: number, block: number) => [0.5, 0.25][(row + block) % 2];
  const gguf = { tensors: downWith(scales) };
  await using(await opened(gguf), async (source) => {
    await assert.rejects(async () => source.linear(KIND_FFN_DOWN, 0), {
      code: "E_UNSUPPORTED",
      message: /blk\.0\.ffn_down\.weight in TQ2_0/,
    });
  });
  const trits = bitnet.linears.get("0 ffn_down")?.trits ?? new Int8Array(0);
  const values = Float64Array.from(
    trits,
    (trit, i) => trit * scales(Math.floor(i / hidden), Math.floor((i % hidden) / 256)),
  );
  await using(await opened(gguf, { float: true }), async (source) => {
    const real = await source.linear(KIND_FFN_DOWN, 0);
    assert.ok(!isTernary(real));
    assert.deepEqual(await valuesOf(real), values);
    // What is ternary stays it.
    assert.ok(isTernary(await source.linear(KIND_FFN_DOWN, 1)));
  });
  await using(await opened(gguf, { quantize: "absmean" }), async (source) => {
    const rounded = await ternaryOf(source, KIND_FFN_DOWN);
    const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
    assert.ok(Math.abs(Number(rounded.scale) / mean - 1) < 1e-6);
  });
});

test("the factor of a layer is multiplied in", async () => {
  await using(await opened({ tensors: f32("blk.0.attn_output.scale", [0.5]) }), async (source) => {
    const linear = bitnet.linears.get("0 attn_output");
    assert.ok(linear);
    assert.deepEqual(
      await valuesOf(await source.linear(KIND_ATTN_O, 0)),
      Float64Array.from(linear.trits, (trit) => trit * linear.scale * 0.5),
    );
  });
});

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

test("the order of I2_S is asked for", async () => {
  await using(await opened({ type: TYPE_I2_S }), async (source) => {
    await assert.rejects(async () => source.linear(KIND_ATTN_Q, 0), {
      code: "E_I2S_LAYOUT",
      hint: /--i2s x86 .*--i2s arm/,
    });
  });
});

test("configuration: activation, inputs, head, RoPE", async () => {
  const said = (name: string) => field(`bitnet.hidden_activation`, "string", name);
  const cases: [Partial<GgufOptions>, Partial<ModelSource["config"]>, Partial<ModelSource>][] = [
    [{ architecture: "bitnet-b1.58" }, { activation: "relu2", tied: true, subNorm: true }, { fakeQuant: true }],
    [{ architecture: "bitnet" }, { activation: "silu" }, { fakeQuant: true }],
    [{ architecture: "bitnet", fields: said("relu2") }, { activation: "relu2" }, {}],
    [{ architecture: "bitnet", fields: said("silu") }, { activation: "silu" }, {}],
    [{ architecture: "llama" }, { activation: "silu", tied: false, subNorm: false }, { fakeQuant: true }],
    [{ architecture: "llama", fields: field("general.name", "string", "TriLM 99M") }, {}, { fakeQuant: false }],
    [{ fields: field("bitnet-b1.58.rope.freq_base", "f32", 500000) }, { ropeTheta: 500000, normEps: 1e-5 }, {}],
  ];
  for (const [gguf, config, source] of cases)
    await using(await opened(gguf), (found) => {
      for (const [key, value] of Object.entries(config))
        assert.equal(found.config[key as keyof ModelSource["config"]], value, `${JSON.stringify(gguf)} ${key}`);
      for (const [key, value] of Object.entries(source)) assert.equal(found[key as keyof ModelSource], value);
    });
});

test("RoPE: a linear factor and the factors of Llama 3 change the frequencies", async () => {
  const plain = Array.from({ length: headDim / 2 }, (_, j) => 10000 ** ((-2 * j) / headDim));
  const close = (found: Float64Array | undefined, expected: number[]) => {
    assert.equal(found?.length, expected.length);
    for (const [j, value] of expected.entries()) assert.ok(Math.abs((found?.[j] ?? 0) / value - 1) < 1e-7);
  };
  const factors = plain.map((_, j) => 1 + j / 4);
  const linear = {
    ...field("llama.rope.scaling.type", "string", "linear"),
    ...field("llama.rope.scaling.factor", "f32", 4),
  };
  const one = { ...linear, ...field("llama.rope.scaling.factor", "f32", 1) };
  await using(await opened({ architecture: "llama", fields: one }), ({ config }) => {
    assert.equal(config.ropeFrequencies, undefined);
  });
  await using(await opened({ architecture: "llama", fields: linear }), ({ config }) => {
    close(
      config.ropeFrequencies,
      plain.map((frequency) => frequency / 4),
    );
  });
  await using(await opened({ architecture: "llama", tensors: f32("rope_freqs.weight", factors) }), ({ config }) => {
    close(
      config.ropeFrequencies,
      plain.map((frequency, j) => frequency / factors[j]),
    );
  });
});

test("special tokens: ids, bos, and what ends an answer", async () => {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  const tokens = TOKENS.with(256, "<|eot_id|>").with(257, "x");
  const types = tokens.map((_, id) => (id < 256 ? 1 : 3));
  const fields = {
    ...field(key("tokens"), ["string"], tokens),
    ...field(key("token_type"), ["i32"], types),
    ...field(key("merges"), ["string"], []),
    [key("add_bos_token")]: undefined,
  };
  await using(await opened({ fields }), ({ config }) => {
    assert.deepEqual([config.bos, config.eos, config.stop, config.addBos], [258, 259, [256], false]);
  });
  const more = { ...fields, ...field(key("eot_token_id"), "u32", 257), ...field(key("pre"), "string", "llama-bpe") };
  await using(await opened({ fields: more }), ({ config, notes }) => {
    assert.deepEqual([config.stop, config.addBos], [[257, 256], true]);
    assert.ok(notes.some((note) => note.startsWith("A context starts with bos")));
  });
});

test("a vocabulary of Llama 3 without the name of its word rule has Llama 3's", async () => {
  const tokens = Array.from({ length: 128002 }, (_, id) => `t${id}`);
  const rule = async (pre: string | null) => {
    const fields: Field[] = [
      ["tokenizer.ggml.model", "string", "gpt2"],
      ["tokenizer.ggml.tokens", ["string"], tokens],
      ...(pre === null ? [] : [["tokenizer.ggml.pre", "string", pre] as const]),
    ];
    const path = join(folder, "vocabulary.gguf");
    await writeFile(path, ggufBytes(fields, []));
    const file = await GgufFile.open(path);
    await file.close();
    return readVocabulary(file, tokens.length).pre;
  };
  assert.equal(await rule(null), null);
  tokens.splice(128000, 2, "<|begin_of_text|>", "<|end_of_text|>");
  assert.equal(await rule(null), "llama-bpe");
  assert.equal(await rule("default"), "llama-bpe");
  assert.equal(await rule("gpt-2"), "gpt-2");
});

const linear = (name: string, changes: Partial<WrittenTensor>): Record<string, WrittenTensor> => ({
  [name]: { name, type: TYPE_F32, ne: [dim, dim], bytes: new Uint8Array(dim * dim * 4), ...changes },
});
const b = (name: string) => `bitnet-b1.58.${name}`;
const t = (name: string) => `tokenizer.ggml.${name}`;
const REFUSED: [what: string, code: string, gguf: Partial<GgufOptions>][] = [
  ["another architecture", "E_UNSUPPORTED", { fields: field("general.architecture", "string", "qwen2") }],
  ["no architecture", "E_SOURCE_FORMAT", { fields: { "general.architecture": undefined } }],
  ["no embedding", "E_SOURCE_FORMAT", { tensors: { "token_embd.weight": undefined } }],
  ["a missing tensor", "E_SOURCE_FORMAT", { tensors: { "blk.1.ffn_up.weight": undefined } }],
  ["a tensor of another shape", "E_SOURCE_FORMAT", { tensors: linear("blk.1.attn_k.weight", {}) }],
  ["a norm of two dimensions", "E_SOURCE_FORMAT", { tensors: linear("output_norm.weight", {}) }],
  ["a bias", "E_UNSUPPORTED", { tensors: f32("blk.0.attn_q.bias", new Float32Array(dim)) }],
  ["a tensor of a layer too many", "E_UNSUPPORTED", { tensors: f32("blk.2.attn_norm.weight", new Float32Array(dim)) }],
  ["no layers' field", "E_SOURCE_FORMAT", { fields: { [b("block_count")]: undefined } }],
  ["a billion layers", "E_UNSUPPORTED", { fields: field(b("block_count"), "u32", 1e9) }],
  ["a layer too many", "E_SOURCE_FORMAT", { fields: field(b("block_count"), "u32", 3) }],
  ["layers of different width", "E_SOURCE_FORMAT", { fields: field(b("feed_forward_length"), ["u32"], [512, 256]) }],
  ["a width that is a text", "E_SOURCE_FORMAT", { fields: field(b("embedding_length"), "string", "256") }],
  ["another width", "E_SOURCE_FORMAT", { fields: field(b("feed_forward_length"), "u32", 256) }],
  ["no heads", "E_SOURCE_FORMAT", { fields: field(b("attention.head_count"), "u32", 0) }],
  ["heads that do not divide", "E_SOURCE_FORMAT", { fields: field(b("attention.head_count"), "u32", 3) }],
  ["part of a head rotated", "E_UNSUPPORTED", { fields: field(b("rope.dimension_count"), "u32", 32) }],
  ["values of another size", "E_UNSUPPORTED", { fields: field(b("attention.value_length"), "u32", 32) }],
  ["RoPE by yarn", "E_UNSUPPORTED", { fields: field(b("rope.scaling.type"), "string", "yarn") }],
  ["RoPE factors of nothing", "E_SOURCE_FORMAT", { tensors: f32("rope_freqs.weight", new Float32Array(headDim / 2)) }],
  ["RoPE factors too few", "E_SOURCE_FORMAT", { tensors: f32("rope_freqs.weight", [1, 1]) }],
  ["a theta of 0", "E_SOURCE_FORMAT", { fields: field(b("rope.freq_base"), "f32", 0) }],
  ["a theta that is no number", "E_SOURCE_FORMAT", { fields: field(b("rope.freq_base"), "f32", Number.NaN) }],
  ["an eps of 2", "E_SOURCE_FORMAT", { fields: field(b("attention.layer_norm_rms_epsilon"), "f32", 2) }],
  ["no eps", "E_SOURCE_FORMAT", { fields: { [b("attention.layer_norm_rms_epsilon")]: undefined } }],
  ["a sliding window", "E_UNSUPPORTED", { fields: field(b("attention.sliding_window"), "u32", 32) }],
  ["an unknown activation", "E_UNSUPPORTED", { fields: field(b("hidden_activation"), "string", "gelu") }],
  ["more tokens than embeddings", "E_SOURCE_FORMAT", { fields: field(t("tokens"), ["string"], [...TOKENS, "x"]) }],
  ["no tokens", "E_SOURCE_FORMAT", { fields: { [t("tokens")]: undefined } }],
  ["tokens that are numbers", "E_SOURCE_FORMAT", { fields: field(t("tokens"), ["u32"], [1, 2]) }],
  ["a type of token too few", "E_SOURCE_FORMAT", { fields: field(t("token_type"), ["i32"], [1, 2]) }],
  ["no merges", "E_SOURCE_FORMAT", { fields: { [t("merges")]: undefined } }],
  ["an unknown tokenizer", "E_UNSUPPORTED", { fields: field(t("model"), "string", "t5") }],
  ["no tokenizer's name", "E_SOURCE_FORMAT", { fields: { [t("model")]: undefined } }],
  ["a bos that no token has", "E_SOURCE_FORMAT", { fields: field(t("bos_token_id"), "u32", 260) }],
  ["a bos that is a text", "E_SOURCE_FORMAT", { fields: field(t("bos_token_id"), "string", "<s>") }],
];

for (const [what, code, gguf] of REFUSED)
  test(`${what} is ${code}`, async () => {
    await assert.rejects(opened(gguf), { name: "TritkitError", code });
  });

const f16NaN = (block: number, bytes: number) => {
  const tensor = downWith(() => 0.5)["blk.0.ffn_down.weight"];
  const copy = Uint8Array.from(tensor.bytes);
  copy.set([0, 0x7e], (block + 1) * bytes - 2);
  return { "blk.0.ffn_down.weight": { ...tensor, bytes: copy } };
};
const i2sScale = (scale: number) => {
  const linear = bitnet.linears.get("0 ffn_down");
  const name = "blk.0.ffn_down.weight";
  const bytes = encodeTrits(TYPE_I2_S, linear?.trits ?? new Int8Array(0), scale);
  return { [name]: { name, type: TYPE_I2_S, ne: [hidden, dim], bytes } };
};
const BAD_WEIGHTS: [what: string, gguf: Partial<GgufOptions>][] = [
  ["a block whose scale is no number", { tensors: f16NaN(7, 66) }],
  ["a negative scale", { tensors: downWith((row) => (row === 9 ? -0.5 : 0.5)) }],
  ["an I2_S scale that is no number", { tensors: i2sScale(Number.NaN) }],
  ["an infinite I2_S scale", { tensors: i2sScale(Infinity) }],
  ["a factor of 0", { tensors: f32("blk.0.ffn_down.scale", [0]) }],
  [
    "weights that are no numbers",
    {
      tensors: {
        "blk.0.ffn_down.weight": {
          name: "blk.0.ffn_down.weight",
          type: TYPE_F32,
          ne: [hidden, dim],
          bytes: new Uint8Array(hidden * dim * 4).fill(0xff),
        },
      },
    },
  ],
];

for (const [what, gguf] of BAD_WEIGHTS)
  test(`${what}: E_SOURCE_FORMAT`, async () => {
    await using(await opened(gguf, { i2s: "x86" }), async (source) => {
      await assert.rejects(async () => source.linear(KIND_FFN_DOWN, 0), {
        name: "TritkitError",
        code: "E_SOURCE_FORMAT",
      });
    });
  });

for (const type of [TYPE_TQ2_0, TYPE_I2_S])
  test(`${typeName(type)}: a code that is no trit is refused where it is read`, async () => {
    const name = "blk.0.ffn_down.weight";
    const bytes = Uint8Array.from((type === TYPE_TQ2_0 ? downWith(() => 0.5) : i2sScale(0.5))[name].bytes).fill(
      0xff,
      5,
      6,
    );
    const tensors = { [name]: { name, type, ne: [hidden, dim], bytes } };
    await using(await opened({ tensors }, { i2s: "x86" }), async (source) => {
      const linear = await ternaryOf(source, KIND_FFN_DOWN);
      await assert.rejects(async () => linear.trits(0, 4), { code: "E_SOURCE_FORMAT", message: /code 3/ });
    });
  });

test("experts are stacked: each is its own matrix, with a scale of its own", async () => {
  const mixture = tinyModel({ subNorm: false, tied: false, activation: "silu", experts: 4 });
  await using(await opened({ architecture: "llama" }, {}, mixture), async (source) => {
    assert.deepEqual([source.config.nExperts, source.config.nExpertsUsed], [4, 2]);
    for (const [kind, name] of [
      [KIND_FFN_UP, "ffn_up"],
      [KIND_FFN_DOWN, "ffn_down"],
    ] as const)
      for (const expert of [0, 3]) {
        const found = await source.linear(kind, 1, { expert });
        const expected = mixture.linears.get(`1 ${name} ${expert}`);
        assert.ok(isTernary(found) && expected);
        assert.equal(found.scale, expected.scale);
        assert.deepEqual(await found.trits(5, 9), expected.trits.slice(5 * found.cols, 14 * found.cols));
      }
    assert.deepEqual(await (await source.matrix(KIND_ROUTER, 1)).values(0, 4), mixture.routers[1]);
  });
});

test("gains, and head of a llama", async () => {
  await using(await opened({ architecture: "llama" }), async (source) => {
    assert.deepEqual(await source.gain(KIND_FINAL_NORM, 0), llama.finalNorm);
    const head = await source.matrix(KIND_HEAD);
    assert.deepEqual(await head.values(0, vocab), llama.head);
  });
});
