import assert from "node:assert/strict";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gguf } from "@huggingface/gguf";
import { GgufFile } from "../convert/gguf/file.ts";
import { Bytes, type Field, ggufBytes, type ValueType, type WriteOptions, type WrittenTensor } from "./gguf_writer.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-file-"));
after(() => rm(folder, { recursive: true }));

async function opened(bytes: Uint8Array): Promise<GgufFile> {
  const path = join(folder, "model.gguf");
  await writeFile(path, bytes);
  return GgufFile.open(path);
}

const FIELDS: Field[] = [
  ["general.architecture", "string", "llama"],
  ["a.u8", "u8", 200],
  ["a.i8", "i8", -100],
  ["a.u16", "u16", 60000],
  ["a.i16", "i16", -30000],
  ["a.u32", "u32", 4e9],
  ["a.i32", "i32", -2e9],
  ["a.f32", "f32", Math.fround(1e-5)],
  ["a.true", "bool", true],
  ["a.false", "bool", false],
  ["a.u64", "u64", 2 ** 40],
  ["a.i64", "i64", -(2 ** 40)],
  ["a.f64", "f64", Math.PI],
  ["a.text", "string", "h\u00e9 \u{1f642}"],
  ["a.texts", ["string"], ["", "\u0120the", "\u2581"]],
  ["a.f32s", ["f32"], [0.5, -1.5]],
  ["a.i32s", ["i32"], [1, -2, 3]],
  ["a.u64s", ["u64"], [1, 2 ** 52]],
];
const BYTES = Uint8Array.from({ length: 4096 }, (_, i) => i * 7);
const TENSORS: WrittenTensor[] = [
  { name: "a.weight", type: 0, ne: [5, 3], bytes: BYTES.subarray(0, 60) },
  { name: "b.weight", type: 35, ne: [256, 2, 3], bytes: BYTES.subarray(60, 60 + 6 * 66) },
  { name: "c", type: 1, ne: [7], bytes: BYTES.subarray(1000, 1014) },
  { name: "d.weight", type: 36, ne: [128, 2], bytes: BYTES.subarray(2000, 2000 + 64 + 32) },
];

for (const [version, alignment] of [
  [3, 32],
  [2, 32],
  [3, 64],
])
  test(`version ${version}, aligned to ${alignment}: @huggingface/gguf finds the same`, async () => {
    const fields: Field[] = alignment === 32 ? FIELDS : [...FIELDS, ["general.alignment", "u32", alignment]];
    const file = await opened(ggufBytes(fields, TENSORS, { version, alignment }));
    const theirs = await gguf(join(folder, "model.gguf"), { allowLocalFile: true });
    assert.equal(file.version, theirs.metadata.version);
    const metadata: Record<string, unknown> = { ...theirs.metadata };
    for (const [key] of fields) {
      const value = file.fields.get(key);
      const plain = ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value;
      // They keep 64 bits as bigint.
      const same = (x: unknown): unknown => (Array.isArray(x) ? x.map(same) : typeof x === "bigint" ? Number(x) : x);
      assert.deepEqual(same(plain), same(metadata[key]), key);
    }
    assert.deepEqual(
      file.fields.keys(),
      Object.keys(metadata).filter((key) => key.includes(".")),
    );
    assert.equal(file.tensors.size, theirs.tensorInfos.length);
    for (const info of theirs.tensorInfos) {
      const tensor = file.get(info.name);
      assert.deepEqual([...tensor.shape].reverse(), info.shape.map(Number));
      assert.equal(tensor.type, info.dtype);
      assert.equal(BigInt(tensor.offset), theirs.tensorDataOffset + info.offset);
    }
    for (const { name, bytes } of TENSORS) {
      const tensor = file.get(name);
      assert.equal(tensor.bytes, bytes.length);
      assert.deepEqual([...(await file.bytes(tensor, 5, 9))], [...bytes.subarray(5, 14)]);
    }
    await assert.rejects(file.bytes(file.get("c"), 8, 7), RangeError);
    await file.close();
  });

test("a tensor beyond 4 GB is found in a file with a hole, and numbers beyond 2^53 are kept", async () => {
  const hole = 5 * 2 ** 30;
  const fields: Field[] = [["a.hash", "u64", 2n ** 63n + 1n]];
  const header = ggufBytes(fields, [
    { name: "a", type: 0, ne: [2], bytes: new Uint8Array(8) },
    { name: "far", type: 0, ne: [2], bytes: new Uint8Array(0), offset: hole },
  ]);
  const path = join(folder, "sparse.gguf");
  const handle = await open(path, "w");
  await handle.write(header);
  await handle.write(new Uint8Array(new Float32Array([3, 4]).buffer), 0, 8, header.length - 32 + hole);
  await handle.close();
  const file = await GgufFile.open(path);
  const bytes = await file.bytes(file.get("far"), 0, 8);
  assert.deepEqual([...new Float32Array(bytes.buffer)], [3, 4]);
  assert.equal(file.fields.get("a.hash"), 2n ** 63n + 1n);
  assert.throws(() => file.fields.number("a.hash"), { code: "E_SOURCE_FORMAT" });
  await file.close();
  await rm(path);
});

/** A header whose last key has this value. */
function withValue(type: number, write: (out: Bytes) => Bytes): Buffer {
  return write(new Bytes().raw(Buffer.from("GGUF")).u32(3).u64(0).u64(1).text("a").u32(type)).done();
}
const good = ggufBytes(FIELDS, TENSORS);
const tensor = (changes: Partial<WrittenTensor>): Buffer => ggufBytes([], [{ ...TENSORS[0], ...changes }]);
const options = (changes: WriteOptions): Buffer => ggufBytes(FIELDS, TENSORS, changes);
const field = (key: string, type: ValueType | [ValueType], value: unknown): Buffer =>
  ggufBytes([[key, type, value]], []);
const HUGE = 2n ** 63n;

const LIES: [string, Uint8Array, code?: string][] = [
  ["an empty file", new Uint8Array(0)],
  ["four bytes", Buffer.from("GGUF")],
  ["another format", Buffer.from("GGML and then some more bytes")],
  ["zeros", new Uint8Array(100)],
  ["version 0", options({ version: 0 })],
  ["version 1", options({ version: 1 }), "E_UNSUPPORTED"],
  ["version 4", options({ version: 4 })],
  ["a big-endian file", Buffer.from("GGUF\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "latin1"), "E_UNSUPPORTED"],
  ["2^63 keys", options({ keyCount: HUGE })],
  ["a million keys", options({ keyCount: 1_000_000 })],
  ["a key too many", options({ keyCount: FIELDS.length + 1 })],
  ["2^63 tensors", options({ tensorCount: HUGE })],
  ["a tensor too many", options({ tensorCount: 1_000_000 })],
  ["a text of 2^63 bytes", withValue(8, (out) => out.u64(HUGE))],
  ["a text longer than the file", withValue(8, (out) => out.u64(1000).raw(new Uint8Array(99)))],
  ["a text that is no UTF-8", withValue(8, (out) => out.u64(2).raw(Uint8Array.of(0xc3, 0x28)))],
  ["an unknown value type", withValue(13, (out) => out.u64(0))],
  ["a truth value of 2", withValue(7, (out) => out.raw(Uint8Array.of(2)))],
  ["truth values of 2", withValue(9, (out) => out.u32(7).u64(2).raw(Uint8Array.of(1, 2)))],
  ["an array of 2^61 numbers", withValue(9, (out) => out.u32(10).u64(2n ** 61n))],
  ["an array longer than the file", withValue(9, (out) => out.u32(6).u64(1000).raw(new Uint8Array(999)))],
  ["an array of texts longer than the file", withValue(9, (out) => out.u32(8).u64(1000).raw(new Uint8Array(999)))],
  ["an array of arrays", withValue(9, (out) => out.u32(9).u64(1).u32(9).u64(1))],
  ["an array of an unknown type", withValue(9, (out) => out.u32(77).u64(0))],
  ["a key without a name", field("", "u32", 1)],
  ["a key twice", ggufBytes([FIELDS[1], FIELDS[1]], [])],
  ["an alignment of 0", field("general.alignment", "u32", 0)],
  ["an alignment of 24", field("general.alignment", "u32", 24)],
  ["an alignment that is a text", field("general.alignment", "string", "32")],
  ["one of three files", field("split.count", "u16", 3), "E_UNSUPPORTED"],
  ["five dimensions", tensor({ ne: [1, 1, 1, 1, 15] })],
  ["an empty dimension", tensor({ ne: [5, 0] })],
  ["a shape of 2^120", tensor({ ne: [2 ** 40, 2 ** 40, 2 ** 40] })],
  ["a shape larger than the file", tensor({ ne: [5, 1000] })],
  ["rows that are no blocks", tensor({ type: 35, ne: [128, 2], bytes: BYTES.subarray(0, 66) })],
  [
    "a type that ggml has and tritkit not",
    tensor({ type: 7, ne: [32], bytes: BYTES.subarray(0, 24) }),
    "E_UNSUPPORTED",
  ],
  ["a type of a later time", tensor({ type: 4_000_000_000 }), "E_UNSUPPORTED"],
  ["an offset of 2^63", tensor({ offset: HUGE })],
  ["an offset beyond the file", tensor({ offset: 64 })],
  ["an offset between the alignment", tensor({ offset: 8 })],
  ["two tensors of one name", ggufBytes([], [TENSORS[0], TENSORS[0]])],
  ["two tensors in the same bytes", ggufBytes([], [TENSORS[0], { ...TENSORS[2], offset: 32 }])],
  ["a name of 64 bytes", tensor({ name: "n".repeat(64) })],
];

for (const [what, bytes, code = "E_SOURCE_FORMAT"] of LIES)
  test(`${what}: ${code}`, async () => {
    await assert.rejects(opened(bytes), { name: "TritkitError", code });
  });

test("names that would move a terminal's cursor are spelled out", async () => {
  const name = "a\u001b[2J\nb";
  await assert.rejects(opened(ggufBytes([], [{ ...TENSORS[0], name, type: 7 }])), {
    message: "model.gguf has a\\u001b[2J\\u000ab in the type Q5_1.",
  });
});

test("cut anywhere, it is refused", async () => {
  for (let length = 0; length < good.length; length += length < 900 ? 3 : 97)
    await assert.rejects(
      opened(good.subarray(0, length)),
      { name: "TritkitError", code: "E_SOURCE_FORMAT" },
      `${length}`,
    );
});

test("what a file claims is not taken: 200 lies of 2^31 to 2^62 cost no memory", async () => {
  const before = process.memoryUsage().rss;
  const started = performance.now();
  for (let i = 0; i < 200; i++) {
    const claim = 2n ** BigInt(31 + (i % 32));
    const bytes =
      i % 2 === 0 ? withValue(8, (out) => out.u64(claim)) : withValue(9, (out) => out.u32(i % 13).u64(claim));
    await assert.rejects(opened(bytes), { name: "TritkitError" });
  }
  assert.ok(process.memoryUsage().rss - before < 100 << 20);
  assert.ok(performance.now() - started < 5000);
});
