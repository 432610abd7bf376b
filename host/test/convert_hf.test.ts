import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  KIND_ATTN_Q,
  KIND_CONFIG,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_NORM,
  SCALE_ROWS,
  SCALE_TENSOR,
} from "../../spec/image.ts";
import { PACK_TRITS_4 } from "../../spec/packing.ts";
import { type ConvertOptions, convert } from "../convert/convert.ts";
import { SafetensorsFile } from "../convert/hf/safetensors.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import { type Image, readImage } from "../image/reader.ts";
import { scaleOf, scaleValue } from "../image/scale.ts";
import { rowScale } from "../image/tensor.ts";
import { type Changes, tensorScale, trit, type Weights, writeHf } from "./hf_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-convert-"));
after(() => rm(folder, { recursive: true }));

let count = 0;

async function converted(weights: Weights, changes: Changes = {}, options: ConvertOptions = {}): Promise<Image> {
  const source = join(folder, String(count++));
  await writeHf(source, weights, changes);
  const out = `${source}.trit`;
  await convert(source, out, { name: "tiny", ...options });
  return readImage(new Uint8Array(await readFile(out)));
}

test("a packed checkpoint gives its trits, scales, gains and special tokens", async () => {
  const image = await converted("multiply");
  const { config } = image;
  assert.deepEqual(
    [config.dim, config.hiddenDim, config.nLayers, config.nHeads, config.nKvHeads, config.headDim],
    [16, 24, 2, 2, 1, 8],
  );
  assert.deepEqual([config.bos, config.eos, config.stop, config.addBos], [258, 259, [257], true]);
  assert.deepEqual([config.subNorm, config.tied, config.residualFrac, config.headActMax], [true, true, 16, 4095]);
  for (const [kind, layer, index, rows, cols] of [
    [KIND_ATTN_Q, 0, 0, 16, 16],
    [KIND_FFN_DOWN, 1, 13, 16, 24],
  ]) {
    const tensor = image.tensor(kind, layer);
    const expected = Int8Array.from({ length: rows * cols }, (_, i) => trit(Math.floor(i / cols), i % cols));
    assert.deepEqual(unpackRows(1, tensor.data, rows, cols), expected);
    assert.equal(tensor.scaleKind, SCALE_TENSOR);
    assert.deepEqual(tensor.scale, scaleOf(tensorScale(index)));
  }
  const gains = image.tensor(KIND_FFN_NORM, 1);
  for (const [i, gain] of unpackGains(gains.data).entries())
    assert.ok(Math.abs(gain * 2 ** gains.scale.e - (1 + 0.01 * i)) < 2 ** -15);
  const { tokenizer } = image;
  assert.deepEqual(tokenizer.merges, [
    { left: 0x20, right: 0x74, result: 257, rank: 1 },
    { left: 0x68, right: 0x65, result: 256, rank: 0 },
  ]);
  assert.equal(Buffer.from(tokenizer.tokens[257]).toString(), " t");
  assert.deepEqual(
    [...tokenizer.byteIds],
    Array.from({ length: 256 }, (_, byte) => byte),
  );
  assert.deepEqual([tokenizer.types[257], tokenizer.types[258]], [0, 1]);
});

test("both meanings of weight_scale, and the same weights as floats, give the same image", async () => {
  const multiply = await converted("multiply");
  assert.deepEqual((await converted("divide")).bytes, multiply.bytes);
  assert.deepEqual(
    (
      await converted("multiply", {
        config: { quantization_config: { quant_method: "bitnet", offline_quantization: true } },
      })
    ).bytes,
    multiply.bytes,
  );
  assert.deepEqual((await converted("ternary floats")).bytes, multiply.bytes);
  assert.deepEqual(
    (await converted("ternary floats", { config: { quantization_config: null } })).bytes,
    multiply.bytes,
  );
});

test("the configuration decides the meaning, not the number: the other one gives the reciprocal", async () => {
  const wrong = await converted("multiply", {
    config: { quantization_config: { quant_method: "bitnet", linear_class: "bitlinear" } },
  });
  const scale = scaleValue(wrong.tensor(KIND_ATTN_Q, 0).scale);
  assert.ok(Math.abs(scale * tensorScale(0) - 1) < 2 ** -15);
});

test("latent weights are quantised by absmean, on request where config.json does not call them BitNet's", async () => {
  const image = await converted("latent");
  const tensor = image.tensor(KIND_ATTN_Q, 0);
  assert.deepEqual(
    unpackRows(1, tensor.data, 16, 16),
    Int8Array.from({ length: 256 }, (_, i) => trit(Math.floor(i / 16), i % 16)),
  );
  const file = await SafetensorsFile.open(join(folder, String(count - 1), "model.safetensors"));
  const weights = await file.floats("model.layers.0.self_attn.q_proj.weight", 0, 256);
  await file.close();
  const mean = weights.reduce((sum, weight) => sum + Math.abs(weight), 0) / 256;
  assert.ok(Math.abs(scaleValue(tensor.scale) / mean - 1) < 2 ** -15);
  const plain = { config: { quantization_config: null } };
  await assert.rejects(converted("latent", plain), { code: "E_QUANTIZE" });
  assert.deepEqual((await converted("latent", plain, { quantize: "absmean" })).bytes, image.bytes);
});

test("weights that are ternary row by row keep a scale for each row", async () => {
  const scales = Array.from({ length: 16 }, (_, row) => (row === 5 ? 0 : Math.fround(0.1 + row / 7)));
  const values = Float32Array.from({ length: 256 }, (_, i) => trit(i >> 4, i & 15) * scales[i >> 4]);
  const tensors = {
    "model.layers.0.self_attn.q_proj.weight": { dtype: "F32", shape: [16, 16], bytes: new Uint8Array(values.buffer) },
  };
  const tensor = (await converted("ternary floats", { tensors })).tensor(KIND_ATTN_Q, 0);
  assert.equal(tensor.scaleKind, SCALE_ROWS);
  for (const [row, scale] of scales.entries()) assert.deepEqual(rowScale(tensor, row), scaleOf(scale));
});

test("tiny embeddings get more fraction bits, and the report says so", async () => {
  const values = Float32Array.from({ length: 260 * 16 }, (_, i) => Math.sin(i) / 300);
  const tensors = {
    "model.embed_tokens.weight": { dtype: "F32", shape: [260, 16], bytes: new Uint8Array(values.buffer) },
  };
  const source = join(folder, "small");
  await writeHf(source, "multiply", { tensors });
  const report = await convert(source, join(folder, "small.trit"));
  assert.equal(report.image.config.residual_frac, 19); // 1/300 is above 2^-9: 10 bits of it are 19 fraction bits.
  assert.ok(report.notes.some((note) => note.startsWith("residual_frac is 19")));
  assert.equal(report.quantised[0].tensor, "embed");
});

test("options: packing, context, board, activations of the head", async () => {
  const image = await converted(
    "multiply",
    {},
    { embedPacking: "t4", context: 20, board: "esp32-c3", headActMax: 127, residualFrac: 12 },
  );
  assert.equal(image.tensor(KIND_EMBED).packing, PACK_TRITS_4);
  assert.deepEqual([image.config.defaultContext, image.config.headActMax, image.config.residualFrac], [20, 127, 12]);
  assert.equal(image.header.board, "esp32-c3");
  await assert.rejects(converted("multiply", {}, { context: 65 }), { code: "E_OPTION" });
  await assert.rejects(converted("multiply", {}, { name: "n".repeat(33) }), { code: "E_OPTION" });
});

const f32 = (shape: number[], value = 0) => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value).buffer),
});
const Q = "model.layers.0.self_attn.q_proj";
const REFUSED: [string, string, Changes][] = [
  ["another architecture", "E_UNSUPPORTED", { config: { model_type: "phi3" } }],
  ["an unknown activation", "E_UNSUPPORTED", { config: { hidden_act: "gelu" } }],
  ["RoPE scaled by yarn", "E_UNSUPPORTED", { config: { rope_scaling: { rope_type: "yarn", factor: 8 } } }],
  ["scaled RoPE without its factors", "E_SOURCE_FORMAT", { config: { rope_scaling: { rope_type: "llama3" } } }],
  ["a sliding window", "E_UNSUPPORTED", { config: { sliding_window: 512 } }],
  ["a partial rotary factor", "E_UNSUPPORTED", { config: { partial_rotary_factor: 0.5 } }],
  ["another quantiser", "E_UNSUPPORTED", { config: { quantization_config: { quant_method: "gptq" } } }],
  ["an unknown linear_class", "E_UNSUPPORTED", { config: { quantization_config: { linear_class: "newbitlinear" } } }],
  ["a bias", "E_UNSUPPORTED", { tensors: { [`${Q}.bias`]: f32([16]) } }],
  ["a billion layers", "E_UNSUPPORTED", { config: { num_hidden_layers: 1e9 } }],
  ["a vocabulary of 10^15", "E_UNSUPPORTED", { config: { vocab_size: 1e15 } }],
  ["heads that do not divide", "E_SOURCE_FORMAT", { config: { head_dim: null, num_attention_heads: 3 } }],
  ["no layers' field", "E_SOURCE_FORMAT", { config: { num_hidden_layers: null } }],
  ["a layer too many", "E_SOURCE_FORMAT", { config: { num_hidden_layers: 3 } }],
  ["a matrix of another shape", "E_SOURCE_FORMAT", { config: { hidden_size: 20 } }],
  ["a scale of zero", "E_SOURCE_FORMAT", { tensors: { [`${Q}.weight_scale`]: f32([1], 0) } }],
  [
    "the code 3",
    "E_SOURCE_FORMAT",
    { tensors: { [`${Q}.weight`]: { dtype: "U8", shape: [4, 16], bytes: new Uint8Array(64).fill(3) } } },
  ],
  [
    "latent weights that are no numbers",
    "E_SOURCE_FORMAT",
    { tensors: { [`${Q}.weight`]: f32([16, 16], Number.NaN) } },
  ],
  [
    "an embedding that is no number",
    "E_SOURCE_FORMAT",
    { tensors: { "model.embed_tokens.weight": f32([260, 16], Number.NaN) } },
  ],
  ["gains that are no numbers", "E_SOURCE_FORMAT", { tensors: { "model.norm.weight": f32([16], Infinity) } }],
];

for (const [what, code, changes] of REFUSED)
  test(`${what} is ${code}, and no file is left`, async () => {
    await assert.rejects(converted("divide", changes), { code, name: "TritkitError" });
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith(`${count - 1}.trit`) || name.endsWith(".part")),
      [],
    );
  });

test("other sources are refused by name", async () => {
  await assert.rejects(convert(join(folder, "nothing"), join(folder, "x.trit")), { code: "E_SOURCE_MISSING" });
  await writeFile(join(folder, "model.onnx"), "ONNX");
  await assert.rejects(convert(join(folder, "model.onnx"), join(folder, "x.trit")), { code: "E_UNSUPPORTED" });
});

test("an interrupted conversion leaves the old file as it was and nothing else, wherever it stops", async () => {
  const source = join(folder, "stopped");
  await writeHf(source, "multiply");
  const place = join(folder, "out");
  await writeHf(place, "multiply"); // Any directory with files in it.
  const out = join(place, "old.trit");
  await writeFile(out, "the old model");
  const before = await readdir(place);
  let steps = 0;
  await convert(source, join(folder, "whole.trit"), { onProgress: () => steps++ });
  assert.ok(steps > 20);
  for (let stop = 1; stop <= steps; stop++) {
    const controller = new AbortController();
    let step = 0;
    const onProgress = () => {
      if (++step === stop) controller.abort();
    };
    await assert.rejects(convert(source, out, { signal: controller.signal, onProgress }), {
      code: "E_INTERRUPTED",
      exitStatus: 130,
    });
    assert.deepEqual(await readdir(place), before);
    assert.equal(await readFile(out, "utf8"), "the old model");
  }
  await convert(source, out);
  assert.equal(readImage(new Uint8Array(await readFile(out))).sections[0].kind, KIND_CONFIG);
});

const MODELS = "examples/models";
const names = (await readdir(MODELS)).filter((name) => existsSync(join(MODELS, name, `${name}.trit`)));

for (const name of names)
  test(`the committed ${name}.trit is what its directory gives (npm run models makes it again)`, async () => {
    const out = join(folder, `${name}.trit`);
    const tools = name === "assistant" ? "examples/assistant/tools/home.json" : undefined;
    await convert(join(MODELS, name, "hf"), out, { name, tools });
    const [fresh, committed] = [await readFile(out), await readFile(join(MODELS, name, `${name}.trit`))];
    assert.ok(fresh.equals(committed), `${name}.trit is stale`);
  });
