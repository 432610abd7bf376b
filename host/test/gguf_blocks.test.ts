/** Our reading of ggml's blocks against values that ggml's own dequantisers gave (scripts/ggml/write_blocks.ts), and of I2_S against bitnet.cpp's quantiser. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { decodeFloats } from "../convert/gguf/float_blocks.ts";
import { decodeI2s, type I2sLayout } from "../convert/gguf/i2s_blocks.ts";
import { blockScales, decodeTrits } from "../convert/gguf/ternary_blocks.ts";
import { isTernaryType, TYPE_BF16, TYPE_F16, TYPE_F32, TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";

interface Vector {
  readonly type: number;
  readonly name: string;
  readonly blocks: string;
  readonly values: string;
}
const { vectors }: { vectors: Vector[] } = JSON.parse(await readFile("host/test/data/gguf_blocks.json", "utf8"));
assert.equal(vectors.length, 6);

for (const { type, name, blocks, values } of vectors)
  test(`${name}: ggml's values`, () => {
    const bytes = Uint8Array.from(Buffer.from(blocks, "base64"));
    const expected = new Float32Array(Uint8Array.from(Buffer.from(values, "base64")).buffer);
    assert.ok(expected.some((value) => value !== 0));
    const ours = decodeFloats(type, bytes, expected.length);
    for (const [i, value] of expected.entries()) assert.ok(ours[i] === value, `weight ${i}: ${ours[i]}, ggml ${value}`);
    if (!isTernaryType(type)) return;
    const trits = new Int8Array(expected.length);
    decodeTrits(type, bytes, trits);
    const scales = blockScales(type, bytes);
    for (const [i, value] of expected.entries()) assert.ok(trits[i] * scales[i >> 8] === value, `weight ${i}`);
  });

test("plain numbers", () => {
  const values = Float32Array.of(1, -2.5, 2 ** -14, 65504);
  assert.deepEqual(decodeFloats(TYPE_F32, new Uint8Array(values.slice().buffer), 4), values);
  const halves = Uint16Array.of(0x3c00, 0xc100, 0x0400, 0x7bff);
  assert.deepEqual(decodeFloats(TYPE_F16, new Uint8Array(halves.buffer), 4), values);
  const upper = Uint16Array.of(0x3f80, 0xc020, 0x3880, 0x477f);
  const rounded = Float32Array.of(1, -2.5, 2 ** -14, 65280);
  assert.deepEqual(decodeFloats(TYPE_BF16, new Uint8Array(upper.buffer), 4), rounded);
});

test("TQ2_0 with the code 3 is no ternary block; every byte of TQ1_0 is five trits", () => {
  const two = new Uint8Array(66).fill(0x55);
  assert.ok(decodeTrits(TYPE_TQ2_0, two, new Int8Array(256)));
  for (const code of [0xc0, 0x30, 0x0c, 0x03]) {
    const trits = new Int8Array(256);
    assert.equal(decodeTrits(TYPE_TQ2_0, Uint8Array.from(two).fill(code | 0x55, 40, 41), trits), false);
    assert.equal(trits.filter((trit) => trit === 2).length, 1);
  }
  for (let byte = 0; byte < 256; byte++) {
    const trits = new Int8Array(256);
    assert.ok(decodeTrits(TYPE_TQ1_0, new Uint8Array(54).fill(byte), trits));
    assert.ok(trits.every((trit) => trit >= -1 && trit <= 1));
  }
});

/**
 * Bytes and scale that bitnet.cpp's quantize_i2_s (microsoft/BitNet 16da220, src/ggml-bitnet-mad.cpp) wrote for 768 weights of 0.37, compiled once for x86
 * and once with its branch for Arm.
 */
const I2S: Record<I2sLayout, string> = {
  x86: "114451140501004050144511445114050100405014451144511405010040501440501445114451140501004050144511445114050100405014451144511405011405010040501445114451140501004050144511445114050100405014451144451144511405010040501445114451140501004050144511445114050100405000405014451144511405010040501445114451140501004050144511445114055114050100405014451144511405010040501445114451140501004050144511",
  arm: "044054150110015055054004405415010540044054150110015055054004405450550540044054150110015055054004100150550540044054150110015055051501100150550540044054150110015040541501100150550540044054150110400440541501100150550540044054155505400440541501100150550540044001505505400440541501100150550540011001505505400440541501100150555415011001505505400440541501100104405415011001505505400440541501",
};

for (const layout of ["x86", "arm"] as const)
  test(`I2_S of ${layout}: bitnet.cpp's quantiser`, () => {
    const expected = Int8Array.from({ length: 768 }, (_, i) => (((i * i * 7 + i * 3) % 11) % 3) - 1);
    assert.deepEqual(decodeI2s(Buffer.from(I2S[layout], "hex"), layout), expected);
    assert.notDeepEqual(decodeI2s(Buffer.from(I2S[layout], "hex"), layout === "x86" ? "arm" : "x86"), expected);
  });
