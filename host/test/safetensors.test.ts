import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bfloatsToFloats, halfToFloat } from "../convert/halves.ts";
import { SafetensorsFile } from "../convert/hf/safetensors.ts";
import { TritkitError } from "../errors.ts";
import { seeded } from "./seeded.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-safetensors-"));
after(() => rm(folder, { recursive: true }));

function fileOf(header: string, data: Uint8Array): Uint8Array {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([start, Buffer.from(header), data]);
}

async function openBytes(bytes: Uint8Array): Promise<SafetensorsFile> {
  const path = join(folder, "model.safetensors");
  await writeFile(path, bytes);
  return SafetensorsFile.open(path);
}

const DATA = Uint8Array.from({ length: 64 }, (_, i) => i * 3);
const HEADER = JSON.stringify({
  __metadata__: { format: "pt" },
  a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: "BF16", shape: [4, 2], data_offsets: [24, 40] },
  c: { dtype: "U8", shape: [24], data_offsets: [40, 64] },
});

test("tensors are read in part, as numbers or as bytes", async () => {
  const file = await openBytes(fileOf(HEADER, DATA));
  assert.deepEqual([...file.tensors.keys()], ["a", "b", "c"]);
  assert.deepEqual([...(await file.bytes("c", 2, 3))], [...DATA.subarray(42, 45)]);
  const view = new DataView(DATA.buffer);
  assert.deepEqual([...(await file.floats("a", 1, 2))], [view.getFloat32(4, true), view.getFloat32(8, true)]);
  assert.deepEqual([...(await file.floats("b", 7, 1))], [bfloatsToFloats(Uint16Array.of(view.getUint16(38, true)))[0]]);
  await assert.rejects(file.floats("c", 0, 1), { code: "E_UNSUPPORTED" });
  await assert.rejects(file.bytes("c", 20, 5), RangeError);
  await file.close();
});

test("half and bfloat16 numbers", () => {
  const halves: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
  ];
  for (const [bits, value] of halves) assert.equal(halfToFloat(bits), value);
  assert.ok(Number.isNaN(halfToFloat(0x7e00)));
  for (const [bits, value] of [
    [0x3f80, 1],
    [0xc040, -3],
    [0x4049, 3.140625],
  ])
    assert.equal(bfloatsToFloats(Uint16Array.of(bits))[0], value);
});

const entry = (offsets: unknown, shape: unknown = [8], dtype = "U8") =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });
const LIES: [string, Uint8Array][] = [
  ["an empty file", new Uint8Array(0)],
  ["a header longer than the file", fileOf(HEADER, DATA).fill(0xff, 0, 3)],
  ["a header of 2^63 bytes", fileOf(HEADER, DATA).fill(0x80, 7, 8)],
  ["no JSON", fileOf("{", DATA)],
  ["a list", fileOf("[]", DATA)],
  ["bytes that are no UTF-8", fileOf(HEADER, DATA).fill(0xff, 20, 21)],
  ["data that ends too early", fileOf(HEADER, DATA.subarray(0, 63))],
  ["offsets beyond the file", fileOf(`{"a":${entry([60, 68])}}`, DATA)],
  ["offsets backwards", fileOf(`{"a":${entry([8, 0])}}`, DATA)],
  ["negative offsets", fileOf(`{"a":${entry([-8, 0])}}`, DATA)],
  ["one offset", fileOf(`{"a":${entry([8])}}`, DATA)],
  ["offsets of text", fileOf(`{"a":${entry(["0", "8"])}}`, DATA)],
  ["a shape that needs more bytes", fileOf(`{"a":${entry([0, 8], [9])}}`, DATA)],
  ["a shape beyond 2^53", fileOf(`{"a":${entry([0, 8], [2 ** 40, 2 ** 40])}}`, DATA)],
  ["a negative shape", fileOf(`{"a":${entry([0, 8], [-8])}}`, DATA)],
  ["an unknown type", fileOf(`{"a":${entry([0, 8], [8], "Q4")}}`, DATA)],
  ["two tensors in the same bytes", fileOf(`{"a":${entry([0, 8])},"b":${entry([7, 15])}}`, DATA)],
  ["one name twice", fileOf(`{"a":${entry([0, 8])},"\\u0061":${entry([8, 16])}}`, DATA)],
  ["brackets without end", fileOf("[".repeat(200000), DATA)],
];

for (const [what, bytes] of LIES)
  test(`${what} is refused`, async () => {
    await assert.rejects(openBytes(bytes), { code: "E_SOURCE_FORMAT", name: "TritkitError" });
  });

test("300 seeded mutations are read or refused, never worse", async () => {
  const random = seeded(7);
  const whole = fileOf(HEADER, DATA);
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const copy = Uint8Array.from(whole);
    // Every other round keeps the JSON valid: digits become other digits, so that what follows the parser is reached.
    const digits = [...copy.keys()].filter(
      (at) => at >= 8 && at < 8 + HEADER.length && copy[at] >= 0x30 && copy[at] <= 0x39,
    );
    const mutations = 1 + Math.floor(random() * 3);
    for (let n = 0; n < mutations; n++) {
      const at = Math.floor(random() * (8 + HEADER.length));
      if (round % 2 === 0) copy[digits[at % digits.length]] = 0x30 + Math.floor(random() * 10);
      else copy[at] ^= 1 << Math.floor(random() * 8);
    }
    const cut = random() < 0.2 ? copy.subarray(0, Math.floor(random() * copy.length)) : copy;
    try {
      const file = await openBytes(cut);
      for (const info of file.tensors.values()) {
        const count = info.shape.reduce((product, length) => product * length, 1);
        if (["F32", "BF16"].includes(info.dtype)) assert.equal((await file.floats(info.name, 0, count)).length, count);
        else await file.bytes(info.name, 0, count);
      }
      await file.close();
    } catch (error) {
      assert.ok(error instanceof TritkitError, `${error}`);
      refused++;
    }
  }
  assert.ok(refused > 150 && refused < 300, `${refused} refused`);
});
