/** Checkpoints with experts in both published spellings: every tensor in its place, the router as it was, and what makes another model refused by name. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  KIND_ATTN_Q,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_ROUTER,
} from "../../spec/image.ts";
import { PACK_INT8 } from "../../spec/packing.ts";
import { type ConvertOptions, convert, openModel } from "../convert/convert.ts";
import { isTernary } from "../convert/model.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import { Engine } from "../engine/engine.ts";
import { type Image, readImage } from "../image/reader.ts";
import { scaleValue } from "../image/scale.ts";
import { rowScale } from "../image/tensor.ts";
import {
  BITNET,
  bitnet,
  EXPERTS,
  expertGrid,
  expertTensors,
  floats,
  type Linear,
  LLAMA,
  MIXTRAL,
  mixtral,
  PARTS,
  packed,
  routerGrid,
  SCALE,
} from "./experts_fixture.ts";
import {
  f32,
  type Grid,
  gainTensor,
  gridTensor,
  latentGrid,
  type RawTensor,
  SHAPE,
  ternaryGrid,
  UNIT,
  writeDirectory,
} from "./family_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-experts-"));
after(() => rm(folder, { recursive: true }));

const KINDS: Readonly<Record<"gate" | "up" | "down", number>> = {
  gate: KIND_FFN_GATE,
  up: KIND_FFN_UP,
  down: KIND_FFN_DOWN,
};

let count = 0;

async function converted(config: object, tensors: Record<string, RawTensor>, options: ConvertOptions = {}) {
  const source = await writeDirectory(join(folder, String(count++)), config, tensors);
  await convert(source, `${source}.trit`, { name: "experts", ...options });
  return readImage(new Uint8Array(await readFile(`${source}.trit`)));
}

function assertExperts(image: Image, scale: number): void {
  for (let layer = 0; layer < SHAPE.layers; layer++)
    for (let expert = 0; expert < EXPERTS; expert++)
      for (const part of PARTS) {
        const { rows, cols, k } = expertGrid(layer, expert, part);
        const tensor = image.tensor(KINDS[part], layer, expert);
        assert.deepEqual(unpackRows(1, tensor.data, rows, cols), Int8Array.from(k, Math.sign), tensor.name);
        assert.ok(Math.abs(scaleValue(tensor.scale) / scale - 1) < 2 ** -15, tensor.name);
      }
}

function assertRouters(image: Image, wanted: (layer: number) => ArrayLike<number>): void {
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    const router = image.tensor(KIND_ROUTER, layer);
    const weights = unpackRows(PACK_INT8, router.data, EXPERTS, SHAPE.dim);
    for (let i = 0; i < weights.length; i++) {
      const step = scaleValue(rowScale(router, Math.floor(i / SHAPE.dim)));
      const value = wanted(layer)[i];
      // int8 keeps a value within half a step, and its own largest within 6 %, which it may clamp.
      assert.ok(Math.abs(weights[i] * step - value) <= Math.max(step / 2 + 1e-6, 0.06 * Math.abs(value)), `${i}`);
    }
  }
}

test("Mixtral's names: gate, up and down are w1, w3 and w2, the router keeps its values", async () => {
  const image = await converted(mixtral(), expertTensors(MIXTRAL, floats));
  assert.deepEqual([image.config.nExperts, image.config.nExpertsUsed, image.config.subNorm], [EXPERTS, 2, false]);
  assertExperts(image, 12 * UNIT);
  assertRouters(image, (layer) => Array.from(routerGrid(layer).k, (k) => k * UNIT));
});

test("packed experts of a BitNet in the other spelling, with a float router and with a packed one", async () => {
  const image = await converted(bitnet(), expertTensors(LLAMA, packed));
  assert.deepEqual([image.config.nExperts, image.config.nExpertsUsed], [EXPERTS, 3]);
  assertExperts(image, SCALE);
  assertRouters(image, (layer) => Array.from(routerGrid(layer).k, (k) => k * UNIT));
  const ternary = (layer: number) => ternaryGrid(60 + layer, EXPERTS, SHAPE.dim, () => 1);
  const both = await converted(
    bitnet(),
    expertTensors(LLAMA, packed, (layer) => packed(ternary(layer))),
  );
  assertRouters(both, (layer) => Array.from(ternary(layer).k, (k) => k * SCALE));
  const kept = { ...BITNET, modules_to_not_convert: ["lm_head", "gate"] };
  assert.deepEqual(
    (await converted(bitnet({ quantization_config: kept }), expertTensors(LLAMA, packed))).bytes,
    image.bytes,
  );
});

test("sub-norms: an expert's own, or one of the layer that counts for each", async () => {
  const attention = Object.fromEntries(
    [0, 1].map((layer) => [`model.layers.${layer}.self_attn.attn_sub_norm.weight`, gainTensor(SHAPE.dim)]),
  );
  const own: Record<string, RawTensor> = {};
  const shared: Record<string, RawTensor> = {};
  for (const layer of [0, 1]) {
    shared[`model.layers.${layer}.mlp.ffn_sub_norm.weight`] = gainTensor(SHAPE.hidden, (i) => 1 + i / 128);
    for (let expert = 0; expert < EXPERTS; expert++)
      own[`model.layers.${layer}.mlp.experts.${expert}.ffn_sub_norm.weight`] = gainTensor(
        SHAPE.hidden,
        (i) => 1 + (expert + i) / 128,
      );
  }
  for (const [norms, first] of [
    [own, (expert: number) => 1 + expert / 128],
    [shared, () => 1],
  ] as const) {
    const image = await converted(bitnet(), { ...expertTensors(LLAMA, packed), ...attention, ...norms });
    for (let expert = 0; expert < EXPERTS; expert++) {
      const tensor = image.tensor(KIND_FFN_SUB_NORM, 1, expert);
      assert.equal(unpackGains(tensor.data)[0] * 2 ** tensor.scale.e, first(expert));
    }
  }
});

test("float experts are rounded on request only, and stay floats for the float engine", async () => {
  const latent: Linear = (grid) => gridTensorOf(latentGrid(grid.rows + grid.k[0] + 40, grid.rows, grid.cols));
  const tensors = expertTensors(MIXTRAL, latent);
  await assert.rejects(converted(mixtral(), tensors), { code: "E_QUANTIZE" });
  const image = await converted(mixtral(), tensors, { quantize: "absmean" });
  const model = await openModel(join(folder, String(count - 1)), { float: true });
  try {
    assert.equal(model.fakeQuant, false);
    const real = await model.linear(KIND_FFN_UP, 1, { expert: 3 });
    assert.ok(!isTernary(real));
    const values = await real.values(0, SHAPE.hidden);
    const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
    assert.ok(Math.abs(scaleValue(image.tensor(KIND_FFN_UP, 1, 3).scale) / mean - 1) < 2 ** -15);
    const router = await model.matrix(KIND_ROUTER, 1);
    assert.deepEqual(
      await router.values(0, EXPERTS),
      Float32Array.from(routerGrid(1).k, (k) => k * UNIT),
    );
  } finally {
    await model.close();
  }
});

function gridTensorOf(grid: Grid): Record<string, RawTensor> {
  return { weight: gridTensor(grid) };
}

test("a converted mixture talks, the same on every engine", async () => {
  const image = await converted(mixtral(), expertTensors(MIXTRAL, floats));
  const ids: number[][] = [];
  for (const engine of ["ref", "scalar", "simd"] as const) {
    const opened = await Engine.open(image.bytes, { engine });
    ids.push((await opened.generate("the heron", { temperature: 0, maxTokens: 20 })).tokenIds as number[]);
  }
  assert.ok(ids[0].length > 0);
  assert.deepEqual(ids[1], ids[0]);
  assert.deepEqual(ids[2], ids[0]);
  assert.equal(image.tensor(KIND_ATTN_Q, 0).name, "layer 0 attn_q");
});

const REFUSED: [what: string, code: string, config: object, tensors?: Record<string, RawTensor>][] = [
  ["weights over all experts", "E_UNSUPPORTED", { norm_topk_prob: false }],
  ["shared experts", "E_UNSUPPORTED", { n_shared_experts: 1 }],
  ["dense layers at the start", "E_UNSUPPORTED", { first_k_dense_replace: 1 }],
  ["dense layers by name", "E_UNSUPPORTED", { mlp_only_layers: [0] }],
  ["a router of sigmoids", "E_UNSUPPORTED", { scoring_func: "sigmoid" }],
  ["another type of model", "E_UNSUPPORTED", { model_type: "qwen3_moe" }],
  ["a billion experts", "E_UNSUPPORTED", { num_local_experts: 1e9 }],
  ["none used", "E_UNSUPPORTED", { num_experts_per_tok: 0 }],
  ["more used than there are", "E_UNSUPPORTED", { num_experts_per_tok: EXPERTS + 1 }],
  ["no word of how many are used", "E_SOURCE_FORMAT", { num_experts_per_tok: null }],
  ["experts that are a word", "E_SOURCE_FORMAT", { num_local_experts: "many" }],
  ["an expert more than there are tensors", "E_SOURCE_FORMAT", { num_local_experts: EXPERTS + 1 }],
  ["an expert less than there are tensors", "E_UNSUPPORTED", { num_local_experts: EXPERTS - 1 }],
  [
    "an expert that every token takes",
    "E_UNSUPPORTED",
    {},
    { "model.layers.0.mlp.shared_expert.up_proj.weight": gridTensor(expertGrid(0, 0, "up")) },
  ],
  [
    "a router of another shape",
    "E_SOURCE_FORMAT",
    {},
    { "model.layers.1.block_sparse_moe.gate.weight": gridTensor(latentGrid(1, EXPERTS, SHAPE.dim - 4)) },
  ],
  [
    "a router that is no number",
    "E_SOURCE_FORMAT",
    {},
    {
      "model.layers.1.block_sparse_moe.gate.weight": {
        ...{ dtype: "F32", shape: [EXPERTS, SHAPE.dim] },
        bytes: f32(new Float32Array(EXPERTS * SHAPE.dim).fill(Number.NaN)),
      },
    },
  ],
];

for (const [what, code, config, tensors] of REFUSED)
  test(`refused: ${what}`, async () => {
    const all = { ...expertTensors(MIXTRAL, floats), ...tensors };
    await assert.rejects(converted(mixtral(config), all), { code, name: "TritkitError" });
  });
