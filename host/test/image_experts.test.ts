/** Images of models with experts: every tensor of every expert in its place, a router for each layer, and what a reader must refuse of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CFG_N_EXPERTS,
  CFG_N_EXPERTS_USED,
  HDR_TABLE,
  KIND_ATTN_O,
  KIND_CONFIG,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_ROUTER,
  SCALE_ROWS,
  SEC_EXPERT,
  SEC_KIND,
  SEC_PACKING,
  SEC_SCALE_KIND,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import { PACK_INT8 } from "../../spec/packing.ts";
import { buildImage } from "../convert/build.ts";
import { isTernary } from "../convert/model.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import { randomModel } from "../convert/random.ts";
import { describeImage } from "../image/describe.ts";
import { readImage } from "../image/reader.ts";
import { scaleValue } from "../image/scale.ts";
import { rowScale } from "../image/tensor.ts";
import { verifyCodes } from "../image/verify_codes.ts";

const SMALL = { dim: 20, hiddenDim: 28, nLayers: 2, nHeads: 2, nKvHeads: 1, headDim: 6, vocabSize: 262, seqLen: 32 };
const EXPERTS = 3;
const model = randomModel({ ...SMALL, nExperts: EXPERTS, nExpertsUsed: 2 });
const { bytes, report } = await buildImage(model, { name: "experts" });
const image = readImage(bytes);

test("each expert has its own gate, up, sub-norm and down", async () => {
  verifyCodes(image);
  assert.deepEqual([image.config.nExperts, image.config.nExpertsUsed], [EXPERTS, 2]);
  for (const layer of [0, 1])
    for (let expert = 0; expert < EXPERTS; expert++) {
      for (const kind of [KIND_FFN_GATE, KIND_FFN_UP, KIND_FFN_DOWN]) {
        const tensor = image.tensor(kind, layer, expert);
        const source = await model.linear(kind, layer, { expert });
        assert.ok(isTernary(source));
        assert.deepEqual(
          unpackRows(tensor.packing, tensor.data, tensor.rows, tensor.cols),
          await source.trits(0, source.rows),
        );
      }
      const gains = await model.gain(KIND_FFN_SUB_NORM, layer, expert);
      const tensor = image.tensor(KIND_FFN_SUB_NORM, layer, expert);
      const stored = unpackGains(tensor.data);
      for (const [i, gain] of gains.entries())
        assert.ok(Math.abs(stored[i] * 2 ** tensor.scale.e - gain) <= 2 ** (tensor.scale.e - 1));
    }
  const ups = [0, 1, 2].map((expert) => Buffer.from(image.tensor(KIND_FFN_UP, 1, expert).data).toString("hex"));
  assert.equal(new Set(ups).size, EXPERTS);
  assert.throws(() => image.tensor(KIND_FFN_UP, 0, EXPERTS), { code: "E_IMAGE_TENSOR" });
});

test("a router is int8 rows within half a step of its source", async () => {
  for (const layer of [0, 1]) {
    const router = image.tensor(KIND_ROUTER, layer);
    assert.deepEqual(
      [router.packing, router.scaleKind, router.rows, router.cols],
      [PACK_INT8, SCALE_ROWS, EXPERTS, 20],
    );
    const real = await (await model.matrix(KIND_ROUTER, layer)).values(0, EXPERTS);
    const weights = unpackRows(PACK_INT8, router.data, EXPERTS, 20);
    for (const [i, value] of real.entries()) {
      const step = scaleValue(rowScale(router, Math.floor(i / 20)));
      // The quantiser may clamp the largest weight of a row by one part in 127 times 7.
      assert.ok(Math.abs(weights[i] * step - value) <= 0.07 * 127 * step && step > 0);
    }
  }
  assert.notDeepEqual(image.tensor(KIND_ROUTER, 0).data, image.tensor(KIND_ROUTER, 1).data);
});

test("a forward pass reads the file forwards: the router before the experts, one expert after the other", () => {
  const order = image.tensors.filter((tensor) => tensor.layer === 1 && tensor.kind > KIND_ATTN_O);
  const names = order.map((tensor) => tensor.name);
  assert.deepEqual(names.slice(0, 4), [
    "layer 1 ffn_norm",
    "layer 1 router",
    "layer 1 expert 0 ffn_gate",
    "layer 1 expert 0 ffn_up",
  ]);
  assert.equal(names.at(-1), "layer 1 expert 2 ffn_down");
  const offsets = order.map((tensor) => tensor.offset);
  assert.deepEqual(
    offsets,
    [...offsets].sort((a, b) => a - b),
  );
});

test("the description tells of experts, and its parts add up", () => {
  const about = describeImage(image);
  assert.match(about.architecture, /hidden 28 relu2, 3 experts \(2 used\), sub-norms/);
  assert.deepEqual([about.config.n_experts, about.config.n_experts_used], [EXPERTS, 2]);
  const routers = about.parts.find((part) => part.name === "routers");
  assert.equal(routers?.bytes, 2 * EXPERTS * (20 + 4));
  assert.equal(
    about.parts.reduce((sum, part) => sum + part.bytes, 0),
    bytes.length,
  );
  assert.deepEqual(
    report.quantised.map(({ tensor }) => tensor),
    ["embed"],
  );
});

test("the first expert of a random model is the dense model's feed-forward", async () => {
  const dense = readImage((await buildImage(randomModel(SMALL), { name: "dense" })).bytes);
  assert.deepEqual(dense.tensor(KIND_FFN_DOWN, 1).data, image.tensor(KIND_FFN_DOWN, 1, 0).data);
  assert.match(dense.tensor(KIND_FFN_DOWN, 1).name, /^layer 1 ffn_down$/);
});

test("a table of sections that takes more than one block of the header", async () => {
  const many = await buildImage(randomModel({ ...SMALL, nLayers: 1, nExperts: 40 }), { name: "many" });
  const read = readImage(many.bytes);
  assert.ok(read.header.headerBytes > 4096);
  assert.equal(read.tensor(KIND_FFN_DOWN, 0, 39).name, "layer 0 expert 39 ffn_down");
});

function entryOf(kind: number, expert = 0): number {
  const index = image.sections.findIndex((section) => section.kind === kind && section.expert === expert);
  return HDR_TABLE + index * SECTION_ENTRY_BYTES;
}

const configAt = image.sections.find(({ kind }) => kind === KIND_CONFIG)?.offset ?? 0;
const field = (i: number, value: number) => (view: DataView) => view.setUint32(configAt + i * 4, value, true);
const FORGERIES: [string, string, (view: DataView) => void][] = [
  ["257 experts", "E_IMAGE_CONFIG", field(CFG_N_EXPERTS, 257)],
  ["2^32 - 1 experts", "E_IMAGE_CONFIG", field(CFG_N_EXPERTS, 0xffffffff)],
  ["none used", "E_IMAGE_CONFIG", field(CFG_N_EXPERTS_USED, 0)],
  ["more used than there are", "E_IMAGE_CONFIG", field(CFG_N_EXPERTS_USED, 4)],
  ["used ones of a dense model", "E_IMAGE_CONFIG", field(CFG_N_EXPERTS, 0)],
  ["an expert too few", "E_IMAGE_TENSOR", field(CFG_N_EXPERTS, 4)],
  ["an expert too many", "E_IMAGE_TENSOR", field(CFG_N_EXPERTS, 2)],
  ["an expert's tensor twice", "E_IMAGE_TENSOR", (v) => v.setUint16(entryOf(KIND_FFN_UP, 2) + SEC_EXPERT, 1, true)],
  ["attention of an expert", "E_IMAGE_TENSOR", (v) => v.setUint16(entryOf(KIND_ATTN_O) + SEC_EXPERT, 1, true)],
  ["a router of an expert", "E_IMAGE_TENSOR", (v) => v.setUint16(entryOf(KIND_ROUTER) + SEC_EXPERT, 1, true)],
  ["no router", "E_IMAGE_TENSOR", (v) => v.setUint16(entryOf(KIND_ROUTER) + SEC_KIND, 0x8000, true)],
  ["a router of int4", "E_IMAGE_TENSOR", (v) => v.setUint8(entryOf(KIND_ROUTER) + SEC_PACKING, 17)],
  ["one scale for the router", "E_IMAGE_TENSOR", (v) => v.setUint8(entryOf(KIND_ROUTER) + SEC_SCALE_KIND, 1)],
];

for (const [what, code, forge] of FORGERIES)
  test(`refused: ${what}`, () => {
    const copy = Uint8Array.from(bytes);
    forge(new DataView(copy.buffer));
    assert.throws(() => readImage(copy, { verify: false }), { code, name: "TritkitError" });
  });
