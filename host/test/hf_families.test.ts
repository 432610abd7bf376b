/** Checkpoints of every family, and the image that must come of each: trits and scales computed here from the integers of which the fixtures are made. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  SCALE_ROWS,
  TAB_ROPE_INC,
} from "../../spec/image.ts";
import { valueFactors } from "../convert/column_scales.ts";
import { type ConvertOptions, convert, openModel } from "../convert/convert.ts";
import { isTernary } from "../convert/model.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import { type Image, readImage } from "../image/reader.ts";
import { scaleValue } from "../image/scale.ts";
import { rowScale } from "../image/tensor.ts";
import {
  bf16,
  embedTensor,
  type Grid,
  gridTensor,
  LINEAR_SHAPES,
  latentGrid,
  llamaConfig,
  llamaTensors,
  packedTensor,
  type RawTensor,
  SHAPE,
  ternaryGrid,
  UNIT,
  writeDirectory,
} from "./family_fixture.ts";
import { OLMO, olmoTensors } from "./olmo_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-families-"));
after(() => rm(folder, { recursive: true }));

let count = 0;

async function convertDirectory(
  config: object,
  tensors: Record<string, RawTensor>,
  options: ConvertOptions = {},
): Promise<Image> {
  const source = await writeDirectory(join(folder, String(count++)), config, tensors);
  await convert(source, `${source}.trit`, options);
  return readImage(new Uint8Array(await readFile(`${source}.trit`)));
}

/** Of the directory that was converted last. */
async function fakeQuant(): Promise<boolean> {
  const model = await openModel(join(folder, String(count - 1)));
  await model.close();
  return model.fakeQuant;
}

const KINDS: Readonly<Record<string, number>> = {
  "self_attn.q_proj": KIND_ATTN_Q,
  "self_attn.k_proj": KIND_ATTN_K,
  "self_attn.v_proj": KIND_ATTN_V,
  "self_attn.o_proj": KIND_ATTN_O,
  "mlp.gate_proj": KIND_FFN_GATE,
  "mlp.up_proj": KIND_FFN_UP,
  "mlp.down_proj": KIND_FFN_DOWN,
};

/** mean |W| and the trits round(W / mean), from whole numbers. */
function absmeanOf(grid: Grid): { scale: number; trits: Int8Array } {
  const sum = grid.k.reduce((total, k) => total + Math.abs(k), 0);
  const trits = Int8Array.from(grid.k, (k) => {
    const twice = 2 * Math.abs(k) * grid.k.length;
    assert.notEqual(twice, sum, "a tie proves nothing");
    return twice > sum ? Math.sign(k) : 0;
  });
  return { scale: (sum / grid.k.length) * UNIT, trits };
}

function assertTernary(image: Image, kind: number, layer: number, trits: Int8Array, scale: number): void {
  const tensor = image.tensor(kind, layer);
  assert.deepEqual(unpackRows(1, tensor.data, tensor.rows, tensor.cols), trits, tensor.name);
  assert.ok(
    Math.abs(scaleValue(tensor.scale) / scale - 1) < 2 ** -15,
    `${tensor.name}: ${scaleValue(tensor.scale)}, not ${scale}`,
  );
}

const seedOf = (name: string, layer: number) => 100 * layer + Object.keys(LINEAR_SHAPES).indexOf(name) + 1;

test("BitNet 2B-4T in bf16: latent weights, absmean at load, its sub-norms", async () => {
  const grids = new Map<string, Grid>();
  const tensors = llamaTensors(
    (name, layer, rows, cols) => {
      const grid = latentGrid(seedOf(name, layer), rows, cols);
      grids.set(`${name} ${layer}`, grid);
      return { weight: gridTensor(grid) };
    },
    ["self_attn.attn_sub_norm", "mlp.ffn_sub_norm"],
  );
  const quantization_config = { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" };
  const image = await convertDirectory(
    llamaConfig({ model_type: "bitnet", hidden_act: "relu2", quantization_config }),
    tensors,
  );
  for (const [key, grid] of grids) {
    const [name, layer] = key.split(" ");
    const { scale, trits } = absmeanOf(grid);
    assertTernary(image, KINDS[name], Number(layer), trits, scale);
  }
  assert.deepEqual([image.config.subNorm, image.config.activation], [true, 1]);
});

test("1bitLLM: weight_bits 1 means ternary latent weights in float16, with sub-norms of other names", async () => {
  const grids = new Map<string, Grid>();
  const tensors = llamaTensors(
    (name, layer, rows, cols) => {
      const grid = latentGrid(seedOf(name, layer), rows, cols);
      grids.set(`${name} ${layer}`, grid);
      return { weight: gridTensor(grid, "F16") };
    },
    ["self_attn.inner_attn_ln", "mlp.ffn_layernorm"],
  );
  const config = llamaConfig({ architectures: ["BitnetForCausalLM"], weight_bits: 1, input_bits: 8 });
  const image = await convertDirectory(config, tensors);
  for (const [key, grid] of grids) {
    const [name, layer] = key.split(" ");
    const { scale, trits } = absmeanOf(grid);
    assertTernary(image, KINDS[name], Number(layer), trits, scale);
  }
  assert.deepEqual([image.config.subNorm, image.config.activation, image.config.weights], [true, 0, 0]);
  const subNorm = image.tensor(KIND_FFN_SUB_NORM, 1);
  assert.equal(unpackGains(subNorm.data)[23] * 2 ** subNorm.scale.e, 1 + 23 / 64);
  assert.equal(await fakeQuant(), true);
  await assert.rejects(convertDirectory({ ...config, input_bits: 4 }, tensors), { code: "E_UNSUPPORTED" });
});

test("weights that are {0, +-s} already: BitNet's quantiser at load takes s times the share of non-zeros, an offline one's and TriLM's s stays", async () => {
  const grids = new Map<string, Grid>();
  const directory = (subNorms: readonly string[]) =>
    llamaTensors((name, layer, rows, cols) => {
      const grid = ternaryGrid(seedOf(name, layer), rows, cols, () => 96);
      grids.set(`${name} ${layer}`, grid);
      return { weight: gridTensor(grid) };
    }, subNorms);
  const kinds = (image: Image, scaleOfGrid: (grid: Grid) => number) => {
    for (const [key, grid] of grids) {
      const [name, layer] = key.split(" ");
      assertTernary(image, KINDS[name], Number(layer), Int8Array.from(grid.k, Math.sign), scaleOfGrid(grid));
    }
  };
  const bitnet = (mode: string) =>
    llamaConfig({
      model_type: "bitnet",
      hidden_act: "relu2",
      quantization_config: { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: mode },
    });
  const subNorms = ["self_attn.attn_sub_norm", "mlp.ffn_sub_norm"];
  const share = (grid: Grid) => absmeanOf(grid).scale;
  const own = () => 96 * UNIT;
  kinds(await convertDirectory(bitnet("online"), directory(subNorms)), share);
  kinds(await convertDirectory(bitnet("offline"), directory(subNorms)), own);
  const names = ["self_attn.inner_attn_ln", "mlp.ffn_layernorm"];
  kinds(await convertDirectory(llamaConfig({ weight_bits: 1, input_bits: 8 }), directory(names)), share);
  kinds(await convertDirectory(llamaConfig(), directory([])), own);
  await assert.rejects(convertDirectory(bitnet("sometimes"), directory(subNorms)), { code: "E_UNSUPPORTED" });
});

test("packed Llama (Falcon3, Falcon-E, Llama3-8B-1.58): weight_scale divides, in bf16", async () => {
  const grids = new Map<string, Grid>();
  // 1 / 0.0625 and so on: reciprocals that bf16 holds.
  const scales = [2 ** -4, 2 ** -3, 2 ** -5, 2 ** -2, 2 ** -6, 2 ** -1, 2 ** -7];
  const tensors = llamaTensors((name, layer, rows, cols) => {
    const grid = ternaryGrid(seedOf(name, layer), rows, cols, () => 1);
    grids.set(`${name} ${layer}`, grid);
    const scale = 1 / scales[Object.keys(LINEAR_SHAPES).indexOf(name)];
    return { weight: packedTensor(grid), weight_scale: { dtype: "BF16", shape: [1], bytes: bf16([scale]) } };
  });
  const quantization_config = { modules_to_not_convert: ["lm_head"], quant_method: "bitnet" };
  const config = llamaConfig({ quantization_config, tie_word_embeddings: false });
  const head = { "lm_head.weight": embedTensor(SHAPE.vocab, SHAPE.dim, 77) };
  const image = await convertDirectory(config, { ...tensors, ...head });
  for (const [key, grid] of grids) {
    const [name, layer] = key.split(" ");
    assertTernary(
      image,
      KINDS[name],
      Number(layer),
      Int8Array.from(grid.k),
      scales[Object.keys(LINEAR_SHAPES).indexOf(name)],
    );
  }
  assert.deepEqual([image.config.subNorm, image.config.tied], [false, false]);
  const norms = { ...quantization_config, use_rms_norm: true };
  await assert.rejects(convertDirectory(llamaConfig({ quantization_config: norms }), tensors), {
    code: "E_UNSUPPORTED",
  });
  const floats = { ...quantization_config, modules_to_not_convert: ["lm_head", "o_proj"] };
  await assert.rejects(convertDirectory(llamaConfig({ quantization_config: floats }), tensors), {
    code: "E_UNSUPPORTED",
  });
});

test("OLMo-Bitnet: fused projections have one absmean and come apart as q, k, v and up, gate; norms without gains are ones", async () => {
  const { tensors, fused } = olmoTensors(false);
  const image = await convertDirectory(OLMO, tensors);
  for (const [layer, { attention, ffn, attnOut, ffOut }] of fused.entries()) {
    const { scale, trits } = absmeanOf(attention);
    for (const [i, kind] of [KIND_ATTN_Q, KIND_ATTN_K, KIND_ATTN_V].entries())
      assertTernary(image, kind, layer, trits.slice(i * 256, (i + 1) * 256), scale);
    const both = absmeanOf(ffn);
    // SwiGLU of OLMo: x, gate = chunk(2); silu(gate) * x.
    assertTernary(image, KIND_FFN_UP, layer, both.trits.slice(0, 384), both.scale);
    assertTernary(image, KIND_FFN_GATE, layer, both.trits.slice(384), both.scale);
    assertTernary(image, KIND_ATTN_O, layer, absmeanOf(attnOut).trits, absmeanOf(attnOut).scale);
    assertTernary(image, KIND_FFN_DOWN, layer, absmeanOf(ffOut).trits, absmeanOf(ffOut).scale);
    for (const kind of [KIND_ATTN_NORM, KIND_ATTN_SUB_NORM, KIND_FFN_SUB_NORM]) {
      const gains = image.tensor(kind, layer);
      for (const gain of unpackGains(gains.data)) assert.equal(gain * 2 ** gains.scale.e, 1);
    }
  }
  assert.deepEqual([image.config.hiddenDim, image.config.vocabSize, image.config.subNorm], [24, SHAPE.vocab, true]);
});

test("OLMo-Bitnet as published normalises twice, with a gain between: no image, but a source for the float engine", async () => {
  const { tensors, fused } = olmoTensors(true);
  const config = { ...OLMO, layer_norm_with_affine: true };
  await assert.rejects(convertDirectory(config, tensors), { code: "E_UNSUPPORTED", message: /second time/ });
  const model = await openModel(join(folder, String(count - 1)), { float: true });
  assert.deepEqual([model.config.inputNorm, model.fakeQuant], ["gained", true]);
  const up = await model.linear(KIND_FFN_UP, 1);
  assert.ok(isTernary(up));
  assert.deepEqual(await up.trits(3, 2), absmeanOf(fused[1].ffn).trits.slice(48, 80));
  await model.close();
  await assert.rejects(convertDirectory({ ...OLMO, ternary: false }, tensors), { code: "E_UNSUPPORTED" });
  await assert.rejects(convertDirectory({ ...OLMO, activation_type: "gelu" }, tensors), { code: "E_UNSUPPORTED" });
});

/** Levels of two shards. */
const shard = (index: number, of: number, salt: number) => (index < of / 2 ? 3 + salt : 10 + 2 * salt);

test("TriLM: a scale for each shard of rows stays, those of columns move to the rows before them", async () => {
  const grids = new Map<string, Grid>();
  const tensors = llamaTensors((name, layer, rows, cols) => {
    const byColumns = name === "self_attn.o_proj" || name === "mlp.down_proj";
    const salt = seedOf(name, layer) % 7;
    const grid = ternaryGrid(seedOf(name, layer), rows, cols, (row, col) =>
      byColumns ? shard(col, cols, salt) : shard(row, rows, salt),
    );
    grids.set(`${name} ${layer}`, grid);
    return { weight: gridTensor(grid, "F16") };
  });
  const image = await convertDirectory(llamaConfig({ pretraining_model_parallel: 2 }), tensors);
  const imported = (kind: number, layer: number) => {
    const tensor = image.tensor(kind, layer);
    const trits = unpackRows(1, tensor.data, tensor.rows, tensor.cols);
    const scale = (row: number) => scaleValue(tensor.scaleKind === SCALE_ROWS ? rowScale(tensor, row) : tensor.scale);
    return (row: number, col: number) => trits[row * tensor.cols + col] * scale(row);
  };
  const published = (name: string, layer: number) => {
    const grid = grids.get(`${name} ${layer}`) as Grid;
    return (row: number, col: number) => grid.k[row * grid.cols + col] * UNIT;
  };
  const near = (got: number, wanted: number, what: string) =>
    assert.ok(Math.abs(got - wanted) <= 2 ** -14 * Math.abs(wanted), `${what}: ${got}, not ${wanted}`);
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    for (const name of ["self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj"]) {
      const [rows, cols] = LINEAR_SHAPES[name];
      const [got, wanted] = [imported(KINDS[name], layer), published(name, layer)];
      for (let row = 0; row < rows; row++)
        for (let col = 0; col < cols; col++) near(got(row, col), wanted(row, col), `${name} ${row} ${col}`);
    }
    // What passes between v and o is a sum of the rows of v by positions; each path through one row of v must weigh what it weighed.
    for (const [first, second] of [
      ["self_attn.v_proj", "self_attn.o_proj"],
      ["mlp.up_proj", "mlp.down_proj"],
    ]) {
      const [middle, cols] = LINEAR_SHAPES[first];
      const [rows] = LINEAR_SHAPES[second];
      const [a, b] = [imported(KINDS[first], layer), imported(KINDS[second], layer)];
      const [c, d] = [published(first, layer), published(second, layer)];
      for (let row = 0; row < rows; row++)
        for (let inner = 0; inner < middle; inner++)
          for (let col = 0; col < cols; col++)
            near(b(row, inner) * a(inner, col), d(row, inner) * c(inner, col), `${second} ${row} ${inner} ${col}`);
    }
  }
  assert.equal(await fakeQuant(), false);
});

test("TriLM's column scales cannot move to value heads that several heads share", async () => {
  const tensors = llamaTensors((name, layer, rows, cols) => {
    const kept = name === "self_attn.k_proj" || name === "self_attn.v_proj" ? SHAPE.headDim : rows;
    const grid = ternaryGrid(seedOf(name, layer), kept, cols, (_row, col) =>
      name === "self_attn.o_proj" ? shard(col, cols, 1) : 5,
    );
    return { weight: gridTensor(grid) };
  });
  await assert.rejects(convertDirectory(llamaConfig({ num_key_value_heads: 1 }), tensors), {
    code: "E_UNSUPPORTED",
    message: /o_proj.*columns/,
  });
});

test("column scales move to shared value heads when the heads agree", () => {
  const levels = Float64Array.of(3, 3, 3, 0, 5, 5, 5, 5);
  const factors = valueFactors("o", levels, { nHeads: 4, nKvHeads: 2, headDim: 2 });
  assert.deepEqual([...factors], [0.6, 0.6, 1, 1]);
});

function floatLlama() {
  const grids = new Map<string, Grid>();
  const tensors = llamaTensors((name, layer, rows, cols) => {
    const grid = latentGrid(seedOf(name, layer), rows, cols);
    grids.set(`${name} ${layer}`, grid);
    return { weight: gridTensor(grid, "F32") };
  });
  return { grids, tensors };
}

test("a float Llama is rounded only when that is allowed, and comes as it is for the float engine", async () => {
  const { grids, tensors } = floatLlama();
  await assert.rejects(convertDirectory(llamaConfig(), tensors), { code: "E_QUANTIZE" });
  const model = await openModel(join(folder, String(count - 1)), { float: true });
  const matrix = await model.linear(KIND_FFN_DOWN, 1);
  assert.ok(!isTernary(matrix));
  const wanted = (grids.get("mlp.down_proj 1") as Grid).k.slice(24, 72);
  assert.deepEqual(
    await matrix.values(1, 2),
    Float32Array.from(wanted, (k) => k * UNIT),
  );
  assert.equal(model.fakeQuant, false);
  await model.close();
  const image = await convertDirectory(llamaConfig(), tensors, { quantize: "absmean" });
  for (const [key, grid] of grids) {
    const [name, layer] = key.split(" ");
    assertTernary(image, KINDS[name], Number(layer), absmeanOf(grid).trits, absmeanOf(grid).scale);
  }
});

test("binary weights are signs around the mean, times mean |W|", async () => {
  const { grids, tensors } = floatLlama();
  const image = await convertDirectory(llamaConfig(), tensors, { quantize: "sign" });
  for (const [key, grid] of grids) {
    const [name, layer] = key.split(" ");
    const sum = grid.k.reduce((total, k) => total + k, 0);
    const trits = Int8Array.from(grid.k, (k) => (k * grid.k.length > sum ? 1 : -1));
    assertTernary(image, KINDS[name], Number(layer), trits, absmeanOf(grid).scale);
  }
  assert.equal(image.config.weights, 1);
  const packed = llamaTensors((name, layer, rows, cols) => ({
    weight: packedTensor(ternaryGrid(seedOf(name, layer), rows, cols, () => 1)),
    weight_scale: { dtype: "BF16", shape: [1], bytes: bf16([1]) },
  }));
  const quantization_config = { quant_method: "bitnet" };
  await assert.rejects(convertDirectory(llamaConfig({ quantization_config }), packed, { quantize: "sign" }), {
    code: "E_OPTION",
  });
});

function increments(image: Image): number[] {
  const view = new DataView(image.tables.buffer, image.tables.byteOffset, image.tables.length);
  return Array.from({ length: image.config.headDim / 2 }, (_, j) => view.getUint32(TAB_ROPE_INC + 4 * j, true));
}

test("scaled RoPE: linear and Llama 3's frequencies are in the tables, others are refused by name", async () => {
  const { tensors } = floatLlama();
  // head_dim 4: wave lengths 2 pi and 2 pi * 100. A context of 8 makes the first short (1.27 waves), the second long (0.0127 waves).
  const turns = (frequency: number) => Math.round((frequency / (2 * Math.PI)) * 2 ** 32);
  const scaled = async (rope_scaling: object) =>
    increments(await convertDirectory(llamaConfig({ rope_scaling }), tensors, { quantize: "absmean" }));
  assert.deepEqual(await scaled({ type: "linear", factor: 4 }), [turns(1 / 4), turns(0.01 / 4)]);
  const llama3 = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 0.5,
    high_freq_factor: 1,
    original_max_position_embeddings: 8,
  };
  assert.deepEqual(await scaled(llama3), [turns(1), turns(0.01 / 8)]);
  // Between 1 and 4 waves: smooth = (1.2732 - 1) / 3 of the frequency stays, the rest is divided.
  const smooth = (8 / (2 * Math.PI) - 1) / 3;
  assert.deepEqual(await scaled({ ...llama3, low_freq_factor: 1, high_freq_factor: 4 }), [
    turns((1 - smooth) / 8 + smooth),
    turns(0.01 / 8),
  ]);
  const parameters = { rope_theta: 10000, ...llama3 };
  const moved = await convertDirectory(llamaConfig({ rope_parameters: parameters }), tensors, { quantize: "absmean" });
  assert.deepEqual(increments(moved), [turns(1), turns(0.01 / 8)]);
  for (const rope_type of ["yarn", "dynamic", "longrope"])
    await assert.rejects(scaled({ rope_type, factor: 4 }), { code: "E_UNSUPPORTED", message: new RegExp(rope_type) });
  await assert.rejects(scaled({ ...llama3, factor: 0 }), { code: "E_SOURCE_FORMAT" });
});
