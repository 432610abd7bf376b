/** What a reader must refuse (IMAGE.md), each by the one field that is wrong, and images that lie about offsets and sizes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as S from "../../spec/image.ts";
import { PACK_TRITS_2 } from "../../spec/packing.ts";
import { type EngineExports, loadEngine } from "./load_engine.ts";
import { Random } from "./random.ts";
import { entryOf, TINY, tinyImage } from "./tiny_image.ts";

const good = tinyImage(TINY, new Random(1));
const configAt = new DataView(good.buffer).getUint32(entryOf(good, S.KIND_CONFIG) + S.SEC_OFFSET, true);

/** open() of a copy of the good image after `change`. */
async function opened(change: (view: DataView, image: Uint8Array) => void, bytes = good.length): Promise<number> {
  const image = good.slice();
  change(new DataView(image.buffer), image);
  const model = await loadEngine();
  return openAt(model, image, bytes);
}

function openAt(model: EngineExports, image: Uint8Array, bytes = image.length): number {
  const at = model.reserve(image.length) >>> 0;
  new Uint8Array(model.memory.buffer, at).set(image);
  const error = model.open(at, bytes, 0, 1);
  if (error !== 0) assert.equal(model.context(), 0, "a refused image leaves no model open");
  return error;
}

const set32 = (offset: number, value: number) => (view: DataView) => view.setUint32(offset, value, true);
const set16 = (offset: number, value: number) => (view: DataView) => view.setUint16(offset, value, true);
const field = (i: number, value: number) => set32(configAt + 4 * i, value);
const inEntry = (kind: number, offset: number, value: number) => set32(entryOf(good, kind) + offset, value);
const length = good.length;

const REFUSED: [what: string, error: number, change: (view: DataView, image: Uint8Array) => void][] = [
  ["another magic", S.IMAGE_BAD_MAGIC, set32(S.HDR_MAGIC, 0xffffffff)],
  ["another major version", S.IMAGE_BAD_VERSION, set16(S.HDR_MAJOR, 2)],
  ["more bytes than there are", S.IMAGE_TRUNCATED, set32(S.HDR_IMAGE_BYTES, length + 1)],
  ["image bytes at the end of 32 bits", S.IMAGE_TRUNCATED, set32(S.HDR_IMAGE_BYTES, 0xffffffff)],
  ["no header", S.IMAGE_TRUNCATED, set32(S.HDR_BYTES, 0)],
  ["a header that is no multiple of 4096", S.IMAGE_TRUNCATED, set32(S.HDR_BYTES, 4097)],
  ["a header beyond the digests", S.IMAGE_TRUNCATED, set32(S.HDR_BYTES, 0xfffff000)],
  ["more sections than the header holds", S.IMAGE_TRUNCATED, set32(S.HDR_SECTIONS, 125)],
  ["2^32 - 1 sections", S.IMAGE_TRUNCATED, set32(S.HDR_SECTIONS, 0xffffffff)],
  ["digests elsewhere", S.IMAGE_TRUNCATED, set32(S.HDR_DIGESTS, 4096)],
  ["digests at the end of 32 bits", S.IMAGE_TRUNCATED, set32(S.HDR_DIGESTS, 0xfffff000)],
  ["another number of digests", S.IMAGE_TRUNCATED, set32(S.HDR_DIGEST_COUNT, 1)],
  ["no trailer", S.IMAGE_TRUNCATED, set32(length - S.TRAILER_BYTES, 0)],
  ["a section inside the header", S.IMAGE_TRUNCATED, inEntry(S.KIND_CONFIG, S.SEC_OFFSET, 128)],
  ["a section beyond the digests", S.IMAGE_TRUNCATED, inEntry(S.KIND_EMBED, S.SEC_OFFSET, 0xfffffff0)],
  ["a section of 2^32 - 1 bytes", S.IMAGE_TRUNCATED, inEntry(S.KIND_TABLES, S.SEC_BYTES, 0xffffffff)],
  ["row scales beyond the digests", S.IMAGE_TRUNCATED, inEntry(S.KIND_EMBED, S.SEC_SCALES, 0xfffffffc)],
  ["no configuration", S.IMAGE_BAD_CONFIG, inEntry(S.KIND_CONFIG, S.SEC_KIND, 0x8000)],
  ["dim 0", S.IMAGE_BAD_CONFIG, field(S.CFG_DIM, 0)],
  ["dim that is no multiple of 4", S.IMAGE_BAD_CONFIG, field(S.CFG_DIM, 30)],
  ["dim of 2^31", S.IMAGE_BAD_CONFIG, field(S.CFG_DIM, 0x80000000)],
  ["hidden_dim beyond 32768", S.IMAGE_BAD_CONFIG, field(S.CFG_HIDDEN_DIM, 32769)],
  ["no layers", S.IMAGE_BAD_CONFIG, field(S.CFG_N_LAYERS, 0)],
  ["1025 layers", S.IMAGE_BAD_CONFIG, field(S.CFG_N_LAYERS, 1025)],
  ["no KV heads", S.IMAGE_BAD_CONFIG, field(S.CFG_N_KV_HEADS, 0)],
  ["KV heads that do not divide the heads", S.IMAGE_BAD_CONFIG, field(S.CFG_N_KV_HEADS, 3)],
  ["an odd head_dim", S.IMAGE_BAD_CONFIG, field(S.CFG_HEAD_DIM, 7)],
  ["heads wider than 32768", S.IMAGE_BAD_CONFIG, field(S.CFG_N_HEADS, 32768)],
  ["no positions", S.IMAGE_BAD_CONFIG, field(S.CFG_SEQ_LEN, 0)],
  ["2^32 - 1 positions", S.IMAGE_BAD_CONFIG, field(S.CFG_SEQ_LEN, 0xffffffff)],
  ["a vocabulary below 256", S.IMAGE_BAD_CONFIG, field(S.CFG_VOCAB_SIZE, 255)],
  ["a third activation", S.IMAGE_BAD_CONFIG, field(S.CFG_ACTIVATION, 2)],
  ["25 fraction bits", S.IMAGE_BAD_CONFIG, field(S.CFG_RESIDUAL_FRAC, 25)],
  ["head activations of 200", S.IMAGE_BAD_CONFIG, field(S.CFG_HEAD_ACT_MAX, 200)],
  ["eps that is no scale", S.IMAGE_BAD_CONFIG, field(S.CFG_NORM_EPS, 5)],
  ["no attention scale", S.IMAGE_BAD_CONFIG, field(S.CFG_ATTN_SCALE, 0)],
  ["BOS beyond the vocabulary", S.IMAGE_BAD_CONFIG, field(S.CFG_BOS, 256)],
  ["ADD_BOS without BOS", S.IMAGE_BAD_CONFIG, field(S.CFG_ADD_BOS, 1)],
  ["nine stop ids", S.IMAGE_BAD_CONFIG, field(S.CFG_N_STOP, 9)],
  ["experts of which none is used", S.IMAGE_BAD_CONFIG, field(S.CFG_N_EXPERTS, 8)],
  ["used experts of a dense model", S.IMAGE_BAD_CONFIG, field(S.CFG_N_EXPERTS_USED, 1)],
  ["no tokenizer", S.IMAGE_BAD_TOKENIZER, inEntry(S.KIND_TOKENIZER, S.SEC_KIND, 0x8000)],
  ["tables too short for the heads", S.IMAGE_BAD_TENSOR, inEntry(S.KIND_TABLES, S.SEC_BYTES, 3080)],
  ["a missing tensor", S.IMAGE_BAD_TENSOR, inEntry(S.KIND_FFN_DOWN, S.SEC_KIND, 0x8000)],
  ["a tensor twice", S.IMAGE_BAD_TENSOR, set16(entryOf(good, S.KIND_ATTN_K) + S.SEC_KIND, S.KIND_ATTN_V)],
  ["a tensor of a layer that is not", S.IMAGE_BAD_TENSOR, set16(entryOf(good, S.KIND_FFN_UP) + S.SEC_LAYER, 2)],
  ["an expert's tensor", S.IMAGE_BAD_TENSOR, set16(entryOf(good, S.KIND_FFN_UP) + S.SEC_EXPERT, 1)],
  ["another number of rows", S.IMAGE_BAD_TENSOR, inEntry(S.KIND_ATTN_Q, S.SEC_ROWS, 31)],
  ["another number of columns", S.IMAGE_BAD_TENSOR, inEntry(S.KIND_ATTN_Q, S.SEC_COLS, 31)],
  ["bytes that do not fit the shape", S.IMAGE_BAD_TENSOR, inEntry(S.KIND_ATTN_Q, S.SEC_BYTES, 16)],
  ["a tensor off its 16 bytes", S.IMAGE_BAD_TENSOR, (view) => shift(view, S.KIND_ATTN_Q, 4)],
  ["row scales off their 4 bytes", S.IMAGE_BAD_TENSOR, (view) => nudge(view, S.KIND_EMBED, S.SEC_SCALES, 2)],
  ["planes in a BitLinear", S.IMAGE_BAD_TENSOR, (view) => setPacking(view, S.KIND_ATTN_Q, PACK_TRITS_2)],
  ["an unknown packing", S.IMAGE_BAD_TENSOR, (view) => setPacking(view, S.KIND_EMBED, 99)],
  ["a sub-norm that the configuration denies", S.IMAGE_BAD_TENSOR, field(S.CFG_SUB_NORM, 0)],
  ["no head, untied", S.IMAGE_BAD_TENSOR, field(S.CFG_TIED, 0)],
];

/** The same for a model with experts. */
const mixed = tinyImage({ ...TINY, experts: 3, expertsUsed: 2 }, new Random(2));
const mixedConfig = new DataView(mixed.buffer).getUint32(entryOf(mixed, S.KIND_CONFIG) + S.SEC_OFFSET, true);
const mixedField = (i: number, value: number) => set32(mixedConfig + 4 * i, value);
const ofExpert = (kind: number, expert: number, layer = 0) => entryOf(mixed, kind, layer, expert);
const REFUSED_EXPERTS: [what: string, error: number, change: (view: DataView) => void][] = [
  ["257 experts", S.IMAGE_BAD_CONFIG, mixedField(S.CFG_N_EXPERTS, 257)],
  ["2^32 - 1 experts", S.IMAGE_BAD_CONFIG, mixedField(S.CFG_N_EXPERTS, 0xffffffff)],
  ["experts of which more are used than there are", S.IMAGE_BAD_CONFIG, mixedField(S.CFG_N_EXPERTS_USED, 4)],
  ["an expert too few", S.IMAGE_BAD_TENSOR, mixedField(S.CFG_N_EXPERTS, 4)],
  ["an expert too many", S.IMAGE_BAD_TENSOR, mixedField(S.CFG_N_EXPERTS, 2)],
  ["an expert's tensor twice", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_FFN_UP, 2) + S.SEC_EXPERT, 1)],
  ["an expert's missing tensor", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_FFN_DOWN, 2, 1) + S.SEC_KIND, 0x8000)],
  ["an expert's missing sub-norm", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_FFN_SUB_NORM, 1) + S.SEC_KIND, 0x8000)],
  ["attention of an expert", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_ATTN_O, 0) + S.SEC_EXPERT, 1)],
  ["a router of an expert", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_ROUTER, 0) + S.SEC_EXPERT, 1)],
  ["a layer without router", S.IMAGE_BAD_TENSOR, set16(ofExpert(S.KIND_ROUTER, 0, 1) + S.SEC_KIND, 0x8000)],
  ["a router of another shape", S.IMAGE_BAD_TENSOR, set32(ofExpert(S.KIND_ROUTER, 0) + S.SEC_ROWS, 2)],
  [
    "one scale for a router",
    S.IMAGE_BAD_TENSOR,
    (view) => view.setUint8(ofExpert(S.KIND_ROUTER, 0) + S.SEC_SCALE_KIND, 1),
  ],
  ["a router of int4", S.IMAGE_BAD_TENSOR, (view) => view.setUint8(ofExpert(S.KIND_ROUTER, 0) + S.SEC_PACKING, 17)],
];

test("an image with experts is accepted", async () => {
  const model = await loadEngine();
  assert.equal(openAt(model, mixed.slice()), 0);
});

for (const [what, error, change] of REFUSED_EXPERTS)
  test(`refused: ${what}`, async () => {
    const image = mixed.slice();
    change(new DataView(image.buffer));
    assert.equal(openAt(await loadEngine(), image), error);
  });

function nudge(view: DataView, kind: number, offset: number, by: number): void {
  const at = entryOf(good, kind) + offset;
  view.setUint32(at, view.getUint32(at, true) + by, true);
}

function shift(view: DataView, kind: number, by: number): void {
  nudge(view, kind, S.SEC_OFFSET, by);
}

function setPacking(view: DataView, kind: number, packing: number): void {
  view.setUint8(entryOf(good, kind) + S.SEC_PACKING, packing);
}

test("the image that the others are made from is accepted", async () => {
  assert.equal(await opened(() => undefined), 0);
});

for (const [what, error, change] of REFUSED)
  test(`refused: ${what}`, async () => {
    assert.equal(await opened(change), error);
  });

test("every length shorter than the image is refused", async () => {
  const model = await loadEngine();
  const at = model.reserve(good.length) >>> 0;
  new Uint8Array(model.memory.buffer, at).set(good);
  for (let bytes = 0; bytes < good.length; bytes += bytes < 200 ? 1 : 997) {
    const error = model.open(at, bytes, 0, 1);
    assert.equal(error, bytes < 4 ? S.IMAGE_BAD_MAGIC : S.IMAGE_TRUNCATED, `${bytes} bytes`);
  }
});

test("erased flash is no image", async () => {
  const model = await loadEngine();
  assert.equal(openAt(model, new Uint8Array(8192).fill(0xff)), S.IMAGE_BAD_MAGIC);
});

test("sections of unknown kinds are skipped wherever they claim to lie", async () => {
  const error = await opened((view) => {
    // The chat section's place in the table is free: TINY has none. A new entry after the last.
    const count = view.getUint32(S.HDR_SECTIONS, true);
    const entry = S.HDR_TABLE + count * S.SECTION_ENTRY_BYTES;
    view.setUint32(S.HDR_SECTIONS, count + 1, true);
    view.setUint16(entry, 0x8001, true);
    view.setUint32(entry + S.SEC_OFFSET, 0xffffffff, true);
    view.setUint32(entry + S.SEC_BYTES, 0xffffffff, true);
  });
  assert.equal(error, 0);
});

test("no single wrong byte of header, table or configuration makes the reader trap or run out of bounds", async () => {
  const random = new Random(77);
  const model = await loadEngine();
  const at = model.reserve(good.length) >>> 0;
  const places = [
    ...Array.from({ length: 600 }, (_, i) => S.HDR_MAGIC + 4 + i),
    ...Array.from({ length: 4 * S.CFG_FIELDS }, (_, i) => configAt + i),
  ];
  for (const place of places) {
    const image = good.slice();
    image[place] = random.between(0, 255);
    new Uint8Array(model.memory.buffer, at, image.length).set(image);
    if (model.read(at, image.length) === 0) model.plan_device(200000, 0, 1160, 1160);
  }
});
