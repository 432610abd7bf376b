import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { KIND_META, ROW_SCALE_BYTES } from "../../spec/image.ts";
import { type ConvertOptions, convert } from "../convert/convert.ts";
import { TYPE_BF16, TYPE_F16, TYPE_F32, TYPE_I2_S, TYPE_TQ1_0, TYPE_TQ2_0, typeName } from "../convert/gguf/types.ts";
import { Engine } from "../engine/engine.ts";
import { type Image, readImage } from "../image/reader.ts";
import { run } from "./command.ts";
import { checkWords } from "./failure.ts";
import { type GgufOptions, SENTENCE_PIECE, type Tiny, tinyGguf, tinyModel } from "./gguf_model.ts";
import { writeTinyHf } from "./gguf_twin.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-"));
after(() => rm(folder, { recursive: true }));

let count = 0;

async function converted(model: Tiny, gguf: GgufOptions, options: ConvertOptions = {}): Promise<Image> {
  const source = join(folder, `${count++}.gguf`);
  await writeFile(source, tinyGguf(model, { ...gguf, fields: { ...SENTENCE_PIECE, ...gguf.fields } }));
  return imageOf(source, { i2s: gguf.i2s, ...options });
}

async function fromHf(model: Tiny): Promise<Image> {
  const source = join(folder, String(count++));
  await writeTinyHf(source, model, false);
  return imageOf(source);
}

async function imageOf(source: string, options: ConvertOptions = {}): Promise<Image> {
  const out = `${source}.trit`;
  await convert(source, out, { name: "tiny", ...options });
  return readImage(new Uint8Array(await readFile(out)));
}

/** Header and bytes of every section but META, which names the source, and offsets. */
function contents({ sections, bytes }: Image): unknown[] {
  return sections
    .filter(({ kind }) => kind !== KIND_META)
    .map(({ offset, scales, ...section }) => [
      section,
      sha256(bytes.subarray(offset, offset + section.bytes)),
      scales === 0 ? "" : sha256(bytes.subarray(scales, scales + section.rows * ROW_SCALE_BYTES)),
    ]);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function logits(image: Image): Promise<Int32Array[]> {
  const engine = await Engine.open(image.bytes, { context: 16 });
  return [1, 75, 104, 111, 111, 114].map((token, position) => engine.forward(token, position).slice());
}

const bitnet = tinyModel();
const bitnetTwin = await fromHf(bitnet);
const llama = tinyModel({ subNorm: false, tied: false, activation: "silu" });
const llamaTwin = await fromHf(llama);

for (const type of [TYPE_TQ1_0, TYPE_TQ2_0, TYPE_I2_S, TYPE_F32, TYPE_F16, TYPE_BF16])
  for (const i2s of type === TYPE_I2_S ? (["x86", "arm"] as const) : [undefined])
    test(`${typeName(type)} ${i2s ?? ""}: the image is that of the Hugging Face directory`, async () => {
      assert.deepEqual(contents(await converted(bitnet, { type, i2s })), contents(bitnetTwin));
      assert.deepEqual(contents(await converted(llama, { architecture: "llama", type, i2s })), contents(llamaTwin));
    });

test("the engine gives the same integers for the model from either source", async () => {
  for (const [gguf, twin] of [
    [await converted(bitnet, { type: TYPE_TQ1_0 }), bitnetTwin],
    [await converted(llama, { architecture: "llama", type: TYPE_TQ2_0 }), llamaTwin],
  ]) {
    const [ours, theirs] = [await logits(gguf), await logits(twin)];
    assert.ok(ours.every((row) => row.some((logit) => logit !== 0)));
    assert.deepEqual(ours, theirs);
  }
});

test("the byte-level tokenizer and its special tokens are those of the directory too", async () => {
  const source = join(folder, "bytes");
  await writeTinyHf(source, llama, true);
  const gguf = `${source}.gguf`;
  await writeFile(gguf, tinyGguf(llama, { architecture: "llama", type: TYPE_TQ1_0 }));
  const [ours, theirs] = [await imageOf(gguf), await imageOf(source)];
  assert.deepEqual([ours.config.bos, ours.config.eos, ours.config.addBos], [258, 259, true]);
  assert.deepEqual(contents(ours), contents(theirs));
});

test("an image of experts runs", async () => {
  const mixture = tinyModel({ subNorm: false, tied: false, activation: "silu", experts: 4 });
  const image = await converted(mixture, { architecture: "llama", type: TYPE_TQ2_0 });
  assert.deepEqual([image.config.nExperts, image.config.nExpertsUsed], [4, 2]);
  const [first, second] = await logits(image);
  assert.notDeepEqual(first, second);
});

test("licence and name become the meta section, the file's name the image's", async () => {
  const fields: GgufOptions["fields"] = { license: ["general.license", "string", "mit"] };
  const image = await converted(llama, { architecture: "llama", type: TYPE_TQ2_0, fields });
  const meta = image.sections.find(({ kind }) => kind === KIND_META);
  assert.ok(meta);
  const text = Buffer.from(image.bytes.subarray(meta.offset, meta.offset + meta.bytes)).toString();
  assert.deepEqual(JSON.parse(text), { source: "GGUF", architecture: "llama", name: "tiny", license: "mit" });
  const long = join(folder, "a-model-of-a-very-long-name-\u00e9\u00e9\u00e9\u00e9.TQ2_0.GGUF");
  await writeFile(long, tinyGguf(bitnet, { type: TYPE_TQ2_0, fields: SENTENCE_PIECE }));
  await convert(long, `${long}.trit`);
  const { header } = readImage(new Uint8Array(await readFile(`${long}.trit`)));
  assert.equal(header.name, "a-model-of-a-very-long-name-\u00e9\u00e9");
});

test("a chat template becomes turns, and what ends an answer there stops it", async () => {
  const template =
    "{% for m in messages %}{{ '<s>' + m['content'] }}{% if m['role'] == 'assistant' %}</s>{% endif %}{% endfor %}";
  const fields: GgufOptions["fields"] = { template: ["tokenizer.chat_template", "string", template] };
  const image = await converted(llama, { architecture: "llama", type: TYPE_TQ2_0, fields });
  assert.ok(image.chat);
});

test("a file without an ending is known by its first bytes", async () => {
  const source = join(folder, "sha256-0123");
  await writeFile(source, tinyGguf(bitnet, { type: TYPE_TQ2_0, fields: SENTENCE_PIECE }));
  assert.deepEqual(contents(await imageOf(source)), contents(bitnetTwin));
});

const whole = tinyGguf(bitnet, { type: TYPE_TQ2_0 });
const DAMAGED: [what: string, bytes: Uint8Array, code: string, args: string[]][] = [
  ["cut", whole.subarray(0, whole.length - 1), "E_SOURCE_FORMAT", []],
  ["key-count", Buffer.from(whole).fill(0xff, 16, 23), "E_SOURCE_FORMAT", []],
  ["tensor-count", Buffer.from(whole).fill(0xff, 8, 15), "E_SOURCE_FORMAT", []],
  ["empty", new Uint8Array(0), "E_SOURCE_FORMAT", []],
  ["codes", Buffer.from(whole).fill(0xff, whole.length - 400_000, whole.length - 399_000), "E_SOURCE_FORMAT", []],
  ["i2s", tinyGguf(bitnet, { type: TYPE_I2_S }), "E_I2S_LAYOUT", []],
  ["sign", whole, "E_OPTION", ["--quantize", "sign"]],
  [
    "yarn",
    tinyGguf(bitnet, { type: TYPE_TQ2_0, fields: { yarn: ["bitnet-b1.58.rope.scaling.type", "string", "yarn"] } }),
    "E_UNSUPPORTED",
    [],
  ],
];

for (const [what, bytes, code, args] of DAMAGED)
  test(`tritkit convert of ${what}.gguf: one line with ${code}, and nothing is left`, async () => {
    const place = join(folder, what);
    await mkdir(place);
    await writeFile(join(place, `${what}.gguf`), bytes);
    const started = performance.now();
    const ended = await run(["convert", join(place, `${what}.gguf`), "-o", join(place, "out.trit"), ...args]);
    checkWords(ended, code, code === "E_OPTION" ? 2 : 1);
    assert.ok(performance.now() - started < 20_000);
    assert.deepEqual(await readdir(place), [`${what}.gguf`]);
  });
