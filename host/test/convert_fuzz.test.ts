/**
 * Sources that lie. Seeded damage to every file of a source: bits, lengths, and values of JSON replaced by what no model has. Whatever comes, it is an image or one
 * TritkitError; anything else that is thrown, or a source that takes seconds, is a defect.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildImage } from "../convert/build.ts";
import { openModel } from "../convert/convert.ts";
import type { OpenOptions } from "../convert/model.ts";
import { TritkitError } from "../errors.ts";
import {
  bf16,
  embedTensor,
  gainTensor,
  gridTensor,
  latentGrid,
  llamaConfig,
  llamaTensors,
  packedTensor,
  type RawTensor,
  SHAPE,
  safetensorsBytes,
  ternaryGrid,
  writeDirectory,
} from "./family_fixture.ts";
import { byteTokenizer } from "./hf_fixture.ts";
import { legacyFile, llama2cModel, version1File, version2File } from "./llama2c_fixture.ts";
import { seeded } from "./seeded.ts";
import { tokenizerBin, tokenizerModel } from "./sentencepiece_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-fuzz-"));
after(() => rm(folder, { recursive: true }));

/** TRITKIT_FUZZ=20 tries twenty times as many. */
const ROUNDS = 60 * Number(process.env.TRITKIT_FUZZ ?? 1);
const SECONDS = 5;

type Random = () => number;

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)];

const STRANGE: readonly unknown[] = [
  ...[0, -1, 1, 3, 1e9, 2 ** 31, 2 ** 40, 2 ** 53, 1e308, 0.5, -0.5, 1e-40],
  ...["", "x", "../x", "\u0000", "F32", "model.norm.weight", null, true, false, [], {}, [[]], [1, 2], { a: 1 }],
  "[".repeat(2000),
  Array.from({ length: 5000 }, () => 7),
];

/** Another value, another name, one more or one less, somewhere in the tree. */
function damageJson(random: Random, value: unknown, depth = 0): unknown {
  const isTree = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  if (!isTree || (depth > 0 && random() < 0.3)) return pick(random, STRANGE);
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
  const fields = copy as Record<string, unknown>;
  const key = pick(random, Object.keys(fields));
  const action = random();
  if (action < 0.7) fields[key] = damageJson(random, fields[key], depth + 1);
  else if (action < 0.85) delete fields[key];
  else fields[`${key}${pick(random, ["", " ", "2", "_scale"])}`] = pick(random, STRANGE);
  return copy;
}

function damageBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const action = random();
  if (action < 0.25) return copy.subarray(0, below(random, copy.length));
  if (action < 0.35) return Buffer.concat([copy, Buffer.alloc(1 + below(random, 64), below(random, 256))]);
  // The start of a file says the most.
  const reach = random() < 0.6 ? Math.min(300, copy.length) : copy.length;
  for (let i = 0; i <= below(random, 6); i++)
    copy[below(random, reach)] = pick(random, [0, 1, 0x7f, 0x80, 0xff, below(random, 256)]);
  return copy;
}

function damageFile(random: Random, name: string, bytes: Uint8Array): Uint8Array {
  if (name.endsWith(".json") && random() < 0.8)
    return Buffer.from(JSON.stringify(damageJson(random, JSON.parse(Buffer.from(bytes).toString()))));
  if (name.endsWith(".safetensors") && random() < 0.6) {
    const length = Number(Buffer.from(bytes).readBigUInt64LE(0));
    const header = Buffer.from(
      JSON.stringify(damageJson(random, JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString()))),
    );
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([start, header, bytes.subarray(8 + length)]);
  }
  return damageBytes(random, bytes);
}

/** @returns the error's code, "" for an image */
async function outcome(source: string, options: OpenOptions): Promise<string> {
  const started = performance.now();
  try {
    const model = await openModel(source, options);
    try {
      await buildImage(model);
    } finally {
      await model.close();
    }
    return "";
  } catch (error) {
    if (!(error instanceof TritkitError)) throw error;
    assert.match(error.message, /^\S[^\n]*[.?!]$/, "one sentence");
    assert.ok(error.message.length < 500, `a message of ${error.message.length} characters`);
    return error.code;
  } finally {
    assert.ok(performance.now() - started < SECONDS * 1000, "it took too long");
  }
}

async function fuzz(source: string, files: readonly string[], directory: string, options: OpenOptions): Promise<void> {
  const whole = new Map<string, Uint8Array>();
  for (const name of files) whole.set(name, await readFile(join(directory, name)));
  assert.equal(await outcome(source, options), "", "the whole source is one");
  const seen = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const random = seeded(round * 7919 + files.length);
    const name = pick(random, files);
    await writeFile(join(directory, name), damageFile(random, name, whole.get(name) as Uint8Array));
    try {
      const code = await outcome(source, options);
      seen.set(code, (seen.get(code) ?? 0) + 1);
    } catch (error) {
      throw new Error(`round ${round}, ${name}: ${error instanceof Error ? error.stack : error}`, { cause: error });
    }
    await writeFile(join(directory, name), whole.get(name) as Uint8Array);
  }
  // Most damage is found out; some is a model with other weights.
  assert.ok((seen.get("E_SOURCE_FORMAT") ?? 0) > ROUNDS / 4, JSON.stringify([...seen]));
}

const seedOf = (name: string, layer: number) => name.length * 10 + layer;

test("a packed directory, sharded", async () => {
  const directory = join(folder, "packed");
  const tensors = llamaTensors((name, layer, rows, cols) => ({
    weight: packedTensor(ternaryGrid(seedOf(name, layer), rows, cols, () => 1)),
    weight_scale: { dtype: "BF16", shape: [1], bytes: bf16([4]) },
  }));
  await writeDirectory(directory, llamaConfig({ quantization_config: { quant_method: "bitnet" } }), tensors);
  await rm(join(directory, "model.safetensors"));
  const entries = Object.entries(tensors);
  const shards = [entries.slice(0, 20), entries.slice(20)].map(Object.fromEntries);
  const weight_map: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    await writeFile(join(directory, name), safetensorsBytes(shard));
    for (const tensor of Object.keys(shard)) weight_map[tensor] = name;
  }
  await writeFile(join(directory, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }));
  await writeFile(
    join(directory, "tokenizer_config.json"),
    JSON.stringify({ bos_token: "<|bos|>", chat_template: "{{ messages[0].content }}<|eos|>", add_bos_token: true }),
  );
  await writeFile(join(directory, "generation_config.json"), JSON.stringify({ eos_token_id: [259, 258] }));
  await fuzz(directory, await readdir(directory), directory, {});
});

test("a directory of latent weights with fused projections", async () => {
  const directory = join(folder, "olmo");
  const tensors: Record<string, RawTensor> = { "model.transformer.wte.weight": embedTensor() };
  for (let layer = 0; layer < SHAPE.layers; layer++)
    for (const [name, rows, cols] of [
      ["att_proj", 48, 16],
      ["ff_proj", 48, 16],
      ["attn_out", 16, 16],
      ["ff_out", 16, 24],
    ] as const)
      tensors[`model.transformer.blocks.${layer}.${name}.weight`] = gridTensor(latentGrid(layer + rows, rows, cols));
  const config = {
    ...{ model_type: "olmo", ternary: true, d_model: 16, n_heads: 4, n_layers: 2, mlp_ratio: 3 },
    ...{ max_sequence_length: 64, vocab_size: SHAPE.vocab, layer_norm_with_affine: false, eos_token_id: 259 },
  };
  await writeDirectory(directory, config, tensors);
  await fuzz(directory, await readdir(directory), directory, {});
});

test("a directory of floats, rounded on request", async () => {
  const directory = join(folder, "floats");
  const tensors = llamaTensors((name, layer, rows, cols) => ({
    weight: gridTensor(latentGrid(seedOf(name, layer), rows, cols), "F16"),
  }));
  const rope_scaling = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 32,
  };
  const head = { "lm_head.weight": embedTensor(), "model.norm.weight": gainTensor(SHAPE.dim) };
  await writeDirectory(directory, llamaConfig({ rope_scaling, tie_word_embeddings: false }), { ...tensors, ...head });
  await fuzz(directory, await readdir(directory), directory, { quantize: "absmean" });
});

for (const [name, bytes, tokenizer, tokens] of [
  ["v0.bin", legacyFile(llama2cModel(false)), "tokenizer.json", JSON.stringify(byteTokenizer())],
  ["v1.bin", version1File(llama2cModel(true)), "tokenizer.bin", tokenizerBin(" word")],
  ["v2.bin", version2File(llama2cModel(true), 8).file, "tokenizer.model", tokenizerModel("\u2581word")],
] as const)
  test(`llama2.c, ${name} with ${tokenizer}`, async () => {
    const directory = join(folder, name);
    await mkdir(directory);
    await writeFile(join(directory, name), bytes);
    await writeFile(join(directory, tokenizer), tokens);
    await fuzz(join(directory, name), [name, tokenizer], directory, { quantize: "absmean" });
  });
