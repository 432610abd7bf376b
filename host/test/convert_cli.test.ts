/** `tritkit convert` as a user runs it: bad sources end with one line, quickly and in little memory; Ctrl-C leaves nothing behind. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { start } from "./command.ts";
import { checkWords } from "./failure.ts";
import {
  f32,
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

const folder = await mkdtemp(join(tmpdir(), "tritkit-convert-cli-"));
after(() => rm(folder, { recursive: true }));

const MEMORY_KIB = 1 << 20;
const SECONDS = 5;

/** Written when the command ends: its largest resident set, in KiB. */
const meter = join(folder, "meter.cjs");
await writeFile(
  meter,
  `process.on("exit", () => require("fs").writeFileSync(process.env.TRITKIT_TEST_RSS, String(process.resourceUsage().maxRSS)));`,
);

const PACKED = llamaConfig({ quantization_config: { quant_method: "bitnet" } });

function packedTensors(): Record<string, RawTensor> {
  return llamaTensors((name, layer, rows, cols) => ({
    weight: packedTensor(ternaryGrid(name.length + layer, rows, cols, () => 1)),
    weight_scale: { dtype: "F32", shape: [1], bytes: f32([4]) },
  }));
}

type Damage = (directory: string) => Promise<void>;

const withConfig =
  (changes: object): Damage =>
  (directory) =>
    writeFile(join(directory, "config.json"), JSON.stringify({ ...PACKED, ...changes }));
const withTensors =
  (changes: Record<string, RawTensor>): Damage =>
  (directory) =>
    writeFile(join(directory, "model.safetensors"), safetensorsBytes({ ...packedTensors(), ...changes }));
const withText =
  (name: string, text: string | Uint8Array): Damage =>
  (directory) =>
    writeFile(join(directory, name), text);
const withTokenizer = (change: (json: ReturnType<typeof byteTokenizer>) => void): Damage => {
  const json = byteTokenizer();
  change(json);
  return withText("tokenizer.json", JSON.stringify(json));
};

/** A file of `bytes` whose header says what is given; the rest is a hole. */
const withHeader =
  (header: string, bytes: number): Damage =>
  async (directory) => {
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    const path = join(directory, "model.safetensors");
    await writeFile(path, Buffer.concat([start, Buffer.from(header)]));
    await truncate(path, bytes);
  };

const Q = "model.layers.0.self_attn.q_proj";
const scale = (value: number): Damage =>
  withTensors({ [`${Q}.weight_scale`]: { dtype: "F32", shape: [1], bytes: f32([value]) } });
const manyTensors = `{${Array.from({ length: 150_000 }, (_, i) => `"t${i}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`).join(",")}}`;

const CASES: readonly (readonly [string, string, Damage])[] = [
  ["a truncated file", "E_SOURCE_FORMAT", (directory) => truncate(join(directory, "model.safetensors"), 3000)],
  ["an empty file", "E_SOURCE_FORMAT", withText("model.safetensors", "")],
  [
    "a header of 2^62 bytes",
    "E_SOURCE_FORMAT",
    withText("model.safetensors", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x40, 0x7b])),
  ],
  ["a header of 150,000 tensors", "E_SOURCE_FORMAT", withHeader(manyTensors, 16 << 20)],
  ["a header of brackets", "E_SOURCE_FORMAT", withHeader("[".repeat(15 << 20), 16 << 20)],
  ["a header of one name", "E_SOURCE_FORMAT", withHeader(`{"${"\\\\".repeat(7 << 20)}":1}`, 16 << 20)],
  [
    "offsets outside the file",
    "E_SOURCE_FORMAT",
    withHeader(`{"${Q}.weight":{"dtype":"U8","shape":[4,16],"data_offsets":[1000000,1000064]}}`, 5000),
  ],
  [
    "a matrix of 2^50 weights in a hole",
    "E_SOURCE_FORMAT",
    withHeader(`{"${Q}.weight":{"dtype":"U8","shape":[33554432,33554432],"data_offsets":[0,64]}}`, 5000),
  ],
  [
    "one tensor twice",
    "E_SOURCE_FORMAT",
    withHeader(
      `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`,
      5000,
    ),
  ],
  ["a scale that is no number", "E_SOURCE_FORMAT", scale(Number.NaN)],
  ["an infinite scale", "E_SOURCE_FORMAT", scale(Infinity)],
  ["a negative scale", "E_SOURCE_FORMAT", scale(-1)],
  [
    "the code 3",
    "E_SOURCE_FORMAT",
    withTensors({ [`${Q}.weight`]: { dtype: "U8", shape: [4, 16], bytes: new Uint8Array(64).fill(255) } }),
  ],
  [
    "a matrix of another shape",
    "E_SOURCE_FORMAT",
    withTensors({ [`${Q}.weight`]: packedTensor(ternaryGrid(1, 8, 16, () => 1)) }),
  ],
  ["a gain too long", "E_SOURCE_FORMAT", withTensors({ "model.norm.weight": gainTensor(SHAPE.dim + 1) })],
  [
    "no embedding",
    "E_SOURCE_FORMAT",
    async (directory) => {
      const { "model.embed_tokens.weight": _, ...rest } = packedTensors();
      await writeFile(join(directory, "model.safetensors"), safetensorsBytes(rest));
    },
  ],
  ["a tensor that nobody knows", "E_UNSUPPORTED", withTensors({ [`${Q}.bias`]: gainTensor(16) })],
  ["a billion layers", "E_UNSUPPORTED", withConfig({ num_hidden_layers: 1e9 })],
  ["2^40 tokens", "E_UNSUPPORTED", withConfig({ vocab_size: 2 ** 40 })],
  ["a head of 2^50", "E_UNSUPPORTED", withConfig({ head_dim: 2 ** 50 })],
  ["layers in words", "E_SOURCE_FORMAT", withConfig({ num_hidden_layers: "two" })],
  ["more layers than there are", "E_SOURCE_FORMAT", withConfig({ num_hidden_layers: 3 })],
  [
    "an escape sequence for a model type",
    "E_UNSUPPORTED",
    withConfig({ model_type: `\u001b[31m${"x".repeat(1 << 20)}\n` }),
  ],
  ["config.json that is none", "E_SOURCE_FORMAT", withText("config.json", "{")],
  ["config.json of 9 MB", "E_SOURCE_FORMAT", withText("config.json", " ".repeat(9 << 20))],
  ["no config.json", "E_SOURCE_MISSING", (directory) => rm(join(directory, "config.json"))],
  [
    "an index that leaves the directory",
    "E_SOURCE_FORMAT",
    async (directory) => {
      await rm(join(directory, "model.safetensors"));
      await writeFile(
        join(directory, "model.safetensors.index.json"),
        JSON.stringify({ weight_map: { a: "../../x.safetensors" } }),
      );
    },
  ],
  [
    "an index of shards that are not there",
    "E_SOURCE_MISSING",
    async (directory) => {
      await rm(join(directory, "model.safetensors"));
      await writeFile(
        join(directory, "model.safetensors.index.json"),
        JSON.stringify({ weight_map: { a: "model-1.safetensors" } }),
      );
    },
  ],
  [
    "an index without a map",
    "E_SOURCE_FORMAT",
    async (directory) => {
      await rm(join(directory, "model.safetensors"));
      await writeFile(join(directory, "model.safetensors.index.json"), "{}");
    },
  ],
  [
    "a PyTorch file instead of safetensors",
    "E_SOURCE_MISSING",
    async (directory) => {
      await rm(join(directory, "model.safetensors"));
      await writeFile(join(directory, "pytorch_model.bin"), "PK\u0003\u0004");
    },
  ],
  ["no tokenizer", "E_SOURCE_MISSING", (directory) => rm(join(directory, "tokenizer.json"))],
  ["a tokenizer without its model", "E_SOURCE_FORMAT", withText("tokenizer.json", "{}")],
  [
    "a tokenizer without tokens",
    "E_SOURCE_FORMAT",
    withTokenizer((json) => delete (json.model as Record<string, unknown>).vocab),
  ],
  [
    "merges of tokens that are not there",
    "E_SOURCE_FORMAT",
    withTokenizer((json) => {
      (json.model as Record<string, unknown>).merges = ["q zz"];
    }),
  ],
  ["a tokenizer of 39 MB of brackets", "E_SOURCE_FORMAT", withText("tokenizer.json", "[".repeat(39 << 20))],
  [
    "a tokenizer of 39 MB of empty lists",
    "E_SOURCE_FORMAT",
    withText("tokenizer.json", `{"model":[${"[],".repeat(13 << 20)}0]}`),
  ],
  ["a tokenizer of 50 MB", "E_SOURCE_FORMAT", withText("tokenizer.json", " ".repeat(50 << 20))],
];

let count = 0;

for (const [what, code, damage] of CASES)
  test(`${what} is ${code}: one line, exit 1, at once, and no file`, async () => {
    const place = join(folder, String(count++));
    await mkdir(place);
    const source = await writeDirectory(join(place, "model"), PACKED, packedTensors());
    await damage(source);
    const before = await readdir(place);
    const rss = join(folder, "rss");
    process.env.TRITKIT_TEST_RSS = rss;
    process.env.NODE_OPTIONS = `--require ${meter}`;
    const started = performance.now();
    const ended = await start(["convert", source, "-o", join(place, "out.trit"), "--quiet"]).ended;
    const seconds = (performance.now() - started) / 1000;
    delete process.env.NODE_OPTIONS;
    checkWords(ended, code, 1);
    assert.ok(ended.stderr.length < 700, ended.stderr);
    assert.ok(seconds < SECONDS, `${seconds} s`);
    const kib = Number(await readFile(rss, "utf8"));
    assert.ok(kib > 0 && kib < MEMORY_KIB, `${kib} KiB`);
    assert.deepEqual(await readdir(place), before);
  });

/** 50 million weights of one layer, most of them in a hole of the file: long enough to be interrupted anywhere. */
async function largeDirectory(): Promise<string> {
  const [dim, hidden, vocab] = [2048, 8192, 400];
  const shapes: Record<string, readonly number[]> = {
    "model.embed_tokens.weight": [vocab, dim],
    "model.norm.weight": [dim],
  };
  for (const name of ["input_layernorm", "post_attention_layernorm"]) shapes[`model.layers.0.${name}.weight`] = [dim];
  for (const name of ["q_proj", "k_proj", "v_proj", "o_proj"])
    shapes[`model.layers.0.self_attn.${name}.weight`] = [dim, dim];
  for (const name of ["gate_proj", "up_proj"]) shapes[`model.layers.0.mlp.${name}.weight`] = [hidden, dim];
  shapes["model.layers.0.mlp.down_proj.weight"] = [dim, hidden];
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = shape.reduce((product, length) => product * length, 2);
    header[name] = { dtype: "BF16", shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = JSON.stringify(header);
  const directory = join(folder, "large");
  await mkdir(directory);
  await withHeader(json, 8 + json.length + at)(directory);
  const config = {
    hidden_size: dim,
    intermediate_size: hidden,
    num_hidden_layers: 1,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    vocab_size: vocab,
  };
  await writeFile(join(directory, "config.json"), JSON.stringify(llamaConfig({ ...config, weight_bits: 1 })));
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  return directory;
}

test("Ctrl-C at several moments: status 130, the old file untouched, no temporary one", async () => {
  const source = await largeDirectory();
  const place = join(folder, "stopped");
  await mkdir(place);
  const out = join(place, "old.trit");
  await writeFile(out, "the old model");
  const whole = performance.now();
  assert.equal((await start(["convert", source, "-o", join(folder, "whole.trit"), "--quiet"]).ended).status, 0);
  const seconds = (performance.now() - whole) / 1000;
  let interrupted = 0;
  for (const share of [0.3, 0.5, 0.7, 0.8, 0.9]) {
    const running = start(["convert", source, "-o", out]);
    const timer = setTimeout(() => running.signal("SIGINT"), share * seconds * 1000);
    const ended = await running.ended;
    clearTimeout(timer);
    // A faster run than the first one may be through.
    if (ended.status !== 0) {
      interrupted++;
      assert.equal(ended.status, 130, JSON.stringify(ended));
      assert.match(ended.stderr, /\[E_INTERRUPTED\]\n$/);
      assert.equal(await readFile(out, "utf8"), "the old model");
    } else await writeFile(out, "the old model");
    assert.deepEqual(await readdir(place), ["old.trit"]);
  }
  assert.ok(interrupted >= 2, `${interrupted} of 5 were interrupted`);
});

test("where no terminal shows progress, each phase leaves its line", async () => {
  const { stderr, status } = await start(["convert", join(folder, "large"), "-o", join(folder, "shown.trit")]).ended;
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^read {3}67\.9M weights {2}[\d.]+ s$/m);
  assert.match(stderr, /^write {2}13\.2 MiB {2}[\d.]+ s$/m);
});

test("latent weights and rounding options reach the importer", async () => {
  const tensors = llamaTensors((name, layer, rows, cols) => ({
    weight: gridTensor(latentGrid(name.length + layer, rows, cols)),
  }));
  const source = await writeDirectory(join(folder, "options"), llamaConfig(), tensors);
  const out = join(folder, "options.trit");
  checkWords(await start(["convert", source, "-o", out]).ended, "E_QUANTIZE", 1);
  checkWords(await start(["convert", source, "-o", folder, "--quantize", "sign"]).ended, "E_OUTPUT", 1);
  checkWords(await start(["convert", source, "-o", source, "--quantize", "sign"]).ended, "E_OPTION", 2);
  checkWords(await start(["convert", source, "-o", out, "--quantize", "int4"]).ended, "E_USAGE", 2);
  checkWords(await start(["convert", source, "-o", out, "--i2s", "mips"]).ended, "E_USAGE", 2);
  checkWords(
    await start(["convert", source, "-o", out, "--tokenizer", join(folder, "none.json"), "--quantize", "sign"]).ended,
    "E_SOURCE_MISSING",
    1,
  );
  const ended = await start(["convert", source, "-o", out, "--quantize", "sign", "--json"]).ended;
  assert.equal(ended.status, 0, ended.stderr);
  const report = JSON.parse(ended.stdout);
  assert.equal(report.event, "convert");
  assert.equal(report.image.ternary_weights > 0, true);
});
