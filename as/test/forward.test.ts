/** Whole models of random shape: the engines agree on every logit. vectors.test.ts says that they are the right ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACTIVATION_SILU,
  CFG_N_EXPERTS,
  CFG_N_EXPERTS_USED,
  KIND_CONFIG,
  KIND_ROUTER,
  SEC_KIND,
  SEC_OFFSET,
} from "../../spec/image.ts";
import { PACK_INT4, PACK_INT8, PACK_TRITS_4 } from "../../spec/packing.ts";
import { type EngineExports, loadEngine } from "./load_engine.ts";
import { Random } from "./random.ts";
import { entryOf, TINY, type TinyShape, tinyImage } from "./tiny_image.ts";

const ENGINES = ["ref", "lut", "simd"] as const;

async function openTiny(image: Uint8Array, engine: number, context = 0): Promise<EngineExports> {
  const model = await loadEngine();
  const at = model.reserve(image.length) >>> 0;
  new Uint8Array(model.memory.buffer, at).set(image);
  assert.equal(model.open(at, image.length, context, engine), 0);
  return model;
}

function logits(model: EngineExports, id: number, position: number, vocab: number): number[] {
  const at = model.forward(id, position, 1) >>> 0;
  assert.notEqual(at, 0);
  return [...new Int32Array(model.memory.buffer, at, vocab)];
}

const SHAPES: [name: string, shape: Partial<TinyShape>][] = [
  ["squared ReLU with sub-norms", {}],
  ["SiLU without sub-norms", { activation: ACTIVATION_SILU, subNorm: false }],
  ["scales for each row", { rowScales: true }],
  ["odd sizes", { dim: 36, hidden: 51, heads: 3, kvHeads: 1, headDim: 14, vocab: 259 }],
  ["attention wider than the stream", { dim: 20, heads: 6, kvHeads: 3, headDim: 10 }],
  ["4-trit embedding as head", { embedPacking: PACK_TRITS_4 }],
  ["int4 embedding, 5-trit head", { embedPacking: PACK_INT4, tied: false, headPacking: 5 }],
  ["ternary embedding, int4 head", { embedPacking: 1, tied: false, headPacking: PACK_INT4, headActMax: 127 }],
  ["int8 head", { embedPacking: 3, tied: false, headPacking: PACK_INT8, headActMax: 127, hidden: 200, dim: 132 }],
  ["massive activations", { loud: 20000, tied: false }],
  ["two of four experts", { experts: 4, expertsUsed: 2 }],
  ["one expert of one", { experts: 1, expertsUsed: 1, activation: ACTIVATION_SILU, subNorm: false }],
  ["all of 37 experts, row scales, odd sizes", { experts: 37, expertsUsed: 37, rowScales: true, hidden: 13, dim: 36 }],
];

for (const [name, changes] of SHAPES) {
  test(`ref, lut and simd agree: ${name}`, async () => {
    const random = new Random(SHAPES.findIndex(([other]) => other === name) + 100);
    const shape = { ...TINY, ...changes };
    const image = tinyImage(shape, random);
    const ids = random.vector(20, () => random.between(0, shape.vocab - 1));
    const [ref, ...others] = await Promise.all(ENGINES.map((_, engine) => openTiny(image, engine)));
    ids.forEach((id, position) => {
      const wanted = logits(ref, id, position, shape.vocab);
      assert.ok(new Set(wanted).size > shape.vocab / 2, "logits differ from one another");
      others.forEach((model, i) => {
        assert.deepEqual(logits(model, id, position, shape.vocab), wanted, `${ENGINES[i + 1]}, position ${position}`);
      });
    });
  });
}

test("one expert of one is the dense model: the same weights give the same logits", async () => {
  const shape = { ...TINY, layers: 1, experts: 1, expertsUsed: 1 };
  const image = tinyImage(shape, new Random(11));
  const dense = image.slice();
  const view = new DataView(dense.buffer);
  view.setUint16(entryOf(dense, KIND_ROUTER) + SEC_KIND, 0x8000, true);
  const config = view.getUint32(entryOf(dense, KIND_CONFIG) + SEC_OFFSET, true);
  view.setUint32(config + 4 * CFG_N_EXPERTS, 0, true);
  view.setUint32(config + 4 * CFG_N_EXPERTS_USED, 0, true);
  for (const engine of [0, 1, 2]) {
    const [a, b] = [await openTiny(image, engine), await openTiny(dense, engine)];
    for (let position = 0; position < 5; position++)
      assert.deepEqual(logits(a, position * 7, position, shape.vocab), logits(b, position * 7, position, shape.vocab));
  }
});

test("positions may be computed again, and leaving out the head changes nothing that follows", async () => {
  const model = await openTiny(tinyImage(TINY, new Random(7)), 1);
  const first = [5, 6, 7, 8].map((id, position) => logits(model, id, position, TINY.vocab));
  assert.equal(model.forward(9, 1, 0), 0);
  assert.notDeepEqual(logits(model, 7, 2, TINY.vocab), first[2]);
  assert.equal(model.forward(6, 1, 0), 0);
  assert.deepEqual(logits(model, 7, 2, TINY.vocab), first[2]);
});

test("the context's length does not change the logits", async () => {
  const image = tinyImage(TINY, new Random(8));
  const [short, long] = await Promise.all([openTiny(image, 1, 16), openTiny(image, 1, 64)]);
  assert.deepEqual([short.context(), long.context()], [16, 64]);
  for (let position = 0; position < 16; position++)
    assert.deepEqual(logits(short, position, position, TINY.vocab), logits(long, position, position, TINY.vocab));
});

test("a token or position out of range computes nothing", async () => {
  const model = await openTiny(tinyImage(TINY, new Random(9)), 1, 16);
  for (const [id, position] of [
    [0, 16],
    [0, -1],
    [TINY.vocab, 0],
    [-1, 0],
  ])
    assert.equal(model.forward(id, position, 1), 0);
  assert.notEqual(model.forward(TINY.vocab - 1, 15, 1), 0);
});

for (const [name, changes] of SHAPES)
  test(`logits of a few ids are those of all: ${name}`, async () => {
    const random = new Random(SHAPES.findIndex(([other]) => other === name) + 300);
    const shape = { ...TINY, ...changes };
    const image = tinyImage(shape, random);
    for (const engine of ENGINES.keys()) {
      const model = await openTiny(image, engine);
      const wanted = logits(model, 5, 0, shape.vocab);
      const ranges = Array.from({ length: 6 }, () => [random.between(0, shape.vocab), random.between(0, shape.vocab)]);
      for (const [a, b] of [[0, 1], [shape.vocab - 1, shape.vocab], [shape.vocab - 65, shape.vocab], ...ranges]) {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const at = model.logits_between(0, from, to) >>> 0;
        const found = new Int32Array(model.memory.buffer, at, shape.vocab);
        assert.deepEqual([...found.subarray(from, to)], wanted.slice(from, to), `${ENGINES[engine]}: ${from}..${to}`);
        found.fill(-1);
      }
    }
  });
