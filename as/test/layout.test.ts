/** The arena: what a model takes, which parts may overlap, and how long a context fits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PACK_TRITS_4 } from "../../spec/packing.ts";
import { type EngineExports, loadEngine } from "./load_engine.ts";
import { Random } from "./random.ts";
import { TINY, type TinyShape, tinyImage } from "./tiny_image.ts";

const FRAME = 1160;
const KIB = 1024;
/** The bundled model's shape. */
const BUNDLED: TinyShape = {
  ...TINY,
  dim: 128,
  hidden: 384,
  layers: 5,
  heads: 4,
  kvHeads: 2,
  headDim: 32,
  seqLen: 512,
  vocab: 1024,
  embedPacking: PACK_TRITS_4,
};

interface Part {
  name: string;
  offset: number;
  bytes: number;
}

async function reader(shape: TinyShape): Promise<EngineExports> {
  const model = await loadEngine();
  const image = tinyImage(shape, new Random(1));
  const at = model.reserve(image.length) >>> 0;
  new Uint8Array(model.memory.buffer, at).set(image);
  assert.equal(model.read(at, image.length), 0);
  return model;
}

function parts(model: EngineExports): Part[] {
  const memory = new DataView(model.memory.buffer);
  return Array.from({ length: model.part_count() }, (_, i) => {
    const at = model.part_name(i) >>> 0;
    const characters = memory.getUint32(at - 4, true) / 2;
    const name = Array.from({ length: characters }, (_, c) => String.fromCharCode(memory.getUint16(at + 2 * c, true)));
    return { name: name.join(""), offset: model.part_offset(i) >>> 0, bytes: model.part_bytes(i) >>> 0 };
  });
}

/** Parts of one phase each; all others live all the time. */
const PHASES: Record<string, string[]> = {
  attention: ["qkv accumulators", "query", "head scales", "attention scores", "attention output"],
  ffn: ["gate", "up", "experts"],
  head: ["logits"],
};

test("256 positions of the bundled model need at most 192 KiB", async () => {
  const model = await reader(BUNDLED);
  assert.equal(model.plan_device(192 * KIB, 256, FRAME, FRAME), 1);
  assert.equal(model.plan_context(), 256);
  assert.ok(model.plan_needed() <= 192 * KIB);
  assert.ok(model.plan_lut_groups() >= 13, `${model.plan_lut_groups()} groups`);
  const bytes = Object.fromEntries(parts(model).map((part) => [part.name, part.bytes]));
  assert.equal(bytes.keys + bytes.values, 163840);
  assert.equal(bytes["key scales"] + bytes["value scales"], 10240);
  assert.equal(bytes["receive frame, prompt"], FRAME);
});

test("parts that live at the same time do not overlap, and all lie in the arena", async () => {
  for (const shape of [
    TINY,
    BUNDLED,
    { ...TINY, dim: 36, hidden: 51, headDim: 14, heads: 3, kvHeads: 1, vocab: 259 },
    { ...TINY, dim: 36, hidden: 20, experts: 9, expertsUsed: 3 },
  ]) {
    const model = await reader(shape);
    for (const context of [16, 37, 64])
      for (const arena of [48 * KIB, 100 * KIB, 500 * KIB]) {
        if (model.plan_device(arena, context, FRAME, FRAME) === 0) continue;
        const all = parts(model);
        assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
        const phaseOf = (name: string) => Object.keys(PHASES).find((phase) => PHASES[phase].includes(name));
        // Scratch of the sampler and the tokenizer lies over the tables on purpose.
        const live = all.filter(({ name }) => name !== "sampler order" && name !== "tokenizer scratch");
        for (const a of live) {
          assert.equal(a.offset % 8, 0, a.name);
          assert.ok(a.offset + a.bytes <= arena, `${a.name} ends in the arena`);
          for (const b of live) {
            const apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
            const phases = [phaseOf(a.name), phaseOf(b.name)];
            const together = phases.includes(undefined) || phases[0] === phases[1];
            if (a !== b && together) assert.ok(apart, `${a.name} and ${b.name}`);
          }
        }
      }
  }
});

test("experts take their table, their logits and one more vector, and a dense model none of it", async () => {
  const bytes = async (shape: TinyShape) => {
    const model = await reader(shape);
    assert.equal(model.plan_device(100 * KIB, 16, FRAME, FRAME), 1);
    return Object.fromEntries(parts(model).map((part) => [part.name, part.bytes]));
  };
  const [dense, nine] = [await bytes(TINY), await bytes({ ...TINY, experts: 9, expertsUsed: 3 })];
  assert.equal(dense.experts, 0);
  assert.equal(dense["tensor table"], TINY.layers * 11 * 8);
  // 16 logits (9 in whole blocks of 8), 3 choices, 32 activations.
  assert.equal(nine.experts, 16 * 4 + 3 * 8 + 32 * 2);
  assert.equal(nine["tensor table"], TINY.layers * (11 + 8 * 4 + 1) * 8);
});

test("scratch of the sampler leaves the logits alone; that of the tokenizer leaves the cache alone", async () => {
  const model = await reader(BUNDLED);
  assert.equal(model.plan_device(192 * KIB, 256, FRAME, FRAME), 1);
  const all = Object.fromEntries(parts(model).map((part) => [part.name, part]));
  const order = all["sampler order"];
  assert.ok(order.offset >= all.logits.offset + all.logits.bytes);
  const scratch = all["tokenizer scratch"];
  assert.ok(scratch.offset >= all["rope angles"].offset + all["rope angles"].bytes);
  assert.ok(scratch.offset + scratch.bytes <= 192 * KIB);
  assert.ok(scratch.bytes >= 16 * 512, "a word of 512 bytes");
});

test("the largest context is exactly what fits: one position more does not", async () => {
  const model = await reader(BUNDLED);
  for (const arena of [60 * KIB, 100 * KIB, 150 * KIB]) {
    assert.equal(model.plan_device(arena, BUNDLED.seqLen, FRAME, FRAME), 1);
    const most = model.plan_max_context();
    assert.equal(model.plan_context(), most);
    assert.ok(model.plan_needed() <= arena);
    const needed = model.plan_needed();
    assert.equal(model.plan_device(10_000_000, most + 1, FRAME, FRAME), 1);
    assert.equal(model.plan_context(), most + 1);
    assert.ok(model.plan_needed() > arena && model.plan_needed() > needed);
    assert.equal(model.plan_device(needed, most, FRAME, FRAME), 1);
    assert.equal(model.plan_max_context(), most, "the bytes it says it needs suffice");
    assert.equal(model.plan_context(), most);
  }
});

test("a context that nobody chose leaves room for 26 tables, or for as many as the longest vector needs", async () => {
  const few: TinyShape = { ...BUNDLED, dim: 64, heads: 2, hidden: 96 };
  for (const [shape, wanted] of [
    [BUNDLED, 26],
    [few, 20],
  ] as const) {
    const model = await reader(shape);
    for (const arena of [70 * KIB, 100 * KIB, 150 * KIB]) {
      assert.equal(model.plan_device(arena, 0, FRAME, FRAME), 1);
      const [chosen, most] = [model.plan_context(), model.plan_max_context()];
      assert.ok(chosen > 16 && chosen < most && most < shape.seqLen, `${chosen} of ${most}`);
      assert.ok(model.plan_lut_groups() >= wanted, `${model.plan_lut_groups()} groups`);
      assert.equal(model.plan_device(arena, chosen + 1, FRAME, FRAME), 1);
      assert.equal(model.plan_context(), chosen + 1, "whoever asks for more gets it");
      assert.ok(model.plan_lut_groups() < wanted, `${model.plan_lut_groups()} groups with one position more`);
    }
  }
});

test("where 16 positions leave no room for 26 tables, they run with fewer", async () => {
  const model = await reader(BUNDLED);
  assert.equal(model.plan_device(1_000_000, 16, FRAME, FRAME), 1);
  const least = model.plan_needed();
  for (const room of [0, 512, 10 * KIB]) {
    assert.equal(model.plan_device(least + room, 0, FRAME, FRAME), 1);
    assert.equal(model.plan_context(), 16);
    assert.ok(model.plan_lut_groups() < 26);
  }
});

test("a context is clamped to what fits, to seq_len and to the smallest", async () => {
  const model = await reader(BUNDLED);
  assert.equal(model.plan_device(100 * KIB, 100000, FRAME, FRAME), 1);
  assert.equal(model.plan_context(), model.plan_max_context());
  assert.equal(model.plan_device(10_000_000, 100000, FRAME, FRAME), 1);
  assert.equal(model.plan_context(), BUNDLED.seqLen);
  assert.equal(model.plan_device(100 * KIB, 1, FRAME, FRAME), 1);
  assert.equal(model.plan_context(), 16);
});

test("an arena too small for 16 positions says what they would take", async () => {
  const model = await reader(BUNDLED);
  assert.equal(model.plan_device(20 * KIB, 0, FRAME, FRAME), 0);
  assert.deepEqual([model.plan_context(), model.plan_max_context()], [0, 0]);
  const needed = model.plan_needed();
  assert.ok(needed > 20 * KIB);
  assert.equal(model.plan_device(needed, 0, FRAME, FRAME), 1);
  assert.equal(model.plan_context(), 16);
  assert.equal(model.plan_device(needed - 8, 0, FRAME, FRAME), 0);
});

test("what is left goes to the tables, up to 52 groups", async () => {
  const model = await reader(BUNDLED);
  const groups = [192, 200, 210, 400].map((kib) => {
    assert.equal(model.plan_device(kib * KIB, 256, FRAME, FRAME), 1);
    return model.plan_lut_groups();
  });
  assert.ok(groups[0] < groups[1] && groups[1] < groups[2]);
  assert.equal(groups[3], 52);
});

/** Vectors that the coprocessor of such a board takes at a time. */
const SLOTS = 4;

test("a coprocessor needs no tables: what comfortable ones take goes to its vectors, and a context that nobody chose leaves room for all of them", async () => {
  const model = await reader(BUNDLED);
  for (const arena of [70 * KIB, 100 * KIB, 150 * KIB]) {
    assert.equal(model.plan_device(arena, 0, FRAME, FRAME, SLOTS), 1);
    const [chosen, most] = [model.plan_context(), model.plan_max_context()];
    assert.ok(chosen > 16 && chosen < most && most < BUNDLED.seqLen, `${chosen} of ${most}`);
    assert.equal(model.plan_batch(), SLOTS);
    assert.ok(model.plan_lut_groups() >= 4, "the CPU can take over");
    assert.equal(model.plan_device(arena, chosen + 1, FRAME, FRAME, SLOTS), 1);
    assert.equal(model.plan_context(), chosen + 1, "whoever asks for more gets it");
    assert.ok(model.plan_batch() < SLOTS, `${model.plan_batch()} vectors with one position more`);
    assert.equal(model.plan_device(arena, most, FRAME, FRAME, SLOTS), 1);
    assert.deepEqual([model.plan_context(), model.plan_batch()], [most, 1]);
    // The longest context, and the bytes for it, are those of a board without a coprocessor.
    const needed = model.plan_needed();
    assert.equal(model.plan_device(arena, most, FRAME, FRAME), 1);
    assert.deepEqual([model.plan_max_context(), model.plan_needed()], [most, needed]);
  }
});

test("what a batch holds for each of its positions does not overlap, and all lies in the arena", async () => {
  const model = await reader(BUNDLED);
  const arena = 192 * KIB;
  const sizes = new Map<number, Record<string, number>>();
  for (const slots of [1, 2, 3, SLOTS]) {
    assert.equal(model.plan_device(arena, 64, FRAME, FRAME, slots), 1);
    assert.equal(model.plan_batch(), slots);
    const all = parts(model);
    for (const part of all) assert.ok(part.offset + part.bytes <= arena, part.name);
    for (const phase of Object.values(PHASES)) {
      const own = all
        .filter(({ name, bytes }) => bytes > 0 && phase.includes(name))
        .sort((a, b) => a.offset - b.offset);
      for (let i = 1; i < own.length; i++)
        assert.ok(own[i].offset >= own[i - 1].offset + own[i - 1].bytes, own[i].name);
    }
    sizes.set(slots, Object.fromEntries(all.map(({ name, bytes }) => [name, bytes])));
  }
  for (const name of ["residual stream", "activations", "rope angles", "qkv accumulators", "gate", "up"])
    for (const [slots, bytes] of sizes) assert.equal(bytes[name], slots * (sizes.get(1)?.[name] ?? 0), name);
});
