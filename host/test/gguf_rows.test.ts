/** Weights of a GGUF file where they are trits: order of rows, scales of blocks, experts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  KIND_ATTN_K,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_FFN_DOWN,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
  KIND_ROUTER,
} from "../../spec/image.ts";
import { TYPE_I2_S, TYPE_TQ1_0 } from "../convert/gguf/types.ts";
import { isTernary } from "../convert/model.ts";
import { encodeTrits } from "./gguf_encode.ts";
import { type GgufOptions, permuteRows, SHAPE, tinyModel } from "./gguf_model.ts";
import { bitnet, downWith, f32, field, llama, opened, ternaryOf, using, valuesOf } from "./gguf_source.ts";
import type { WrittenTensor } from "./gguf_writer.ts";
import { seeded } from "./seeded.ts";

const { dim, hidden, heads, kv, headDim, vocab } = SHAPE;

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

test("the order of I2_S is asked for", async () => {
  await using(await opened({ type: TYPE_I2_S }), async (source) => {
    await assert.rejects(async () => source.linear(KIND_ATTN_Q, 0), {
      code: "E_I2S_LAYOUT",
      hint: /--i2s x86 .*--i2s arm/,
    });
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
