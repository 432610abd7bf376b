import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseHeadActMax, choosePacking, chooseResidualFrac } from "../convert/choices.ts";
import { bfloatsToFloats } from "../convert/halves.ts";
import type { MatrixSource } from "../convert/model.ts";
import { quantiseRow } from "../convert/quantise_rows.ts";
import { scaleOf, scaleValue } from "../image/scale.ts";
import { seeded } from "./seeded.ts";

const LEVELS = [1, 4, 7, 13, 40, 121, 127];

/** A row of normal numbers. */
function normals(random: () => number, length: number): Float32Array {
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

/** Rounded to nearest, as a checkpoint in bf16 holds it. */
function toBfloat(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = (view.getUint32(0) + 0x7fff + ((view.getUint32(0) >>> 16) & 1)) >>> 16;
  return bfloatsToFloats(Uint16Array.of(bits))[0];
}

test("weights that are levels times a scale come back exactly, stored as float32 or as bf16", () => {
  const random = seeded(11);
  for (const levels of LEVELS)
    for (let round = 0; round < 60; round++) {
      // In some rows no weight reaches the last level.
      const top = round % 3 === 0 ? Math.ceil(levels * 0.7) : levels;
      const q = Int8Array.from({ length: 96 }, () => Math.round((random() * 2 - 1) * top));
      q[5] = top;
      const scale = 10 ** (random() * 6 - 4);
      const row = Float32Array.from(q, (level) => level * scale);
      const out = new Int8Array(96);
      const got = quantiseRow(row, levels, out);
      assert.deepEqual(out, q);
      assert.ok(Math.abs(got.scale / scale - 1) < 1e-6 && got.error <= 1e-12 * got.energy);
      if (levels <= 40) {
        const rounded = row.map(toBfloat);
        const again = quantiseRow(rounded, levels, out);
        assert.deepEqual(out, q, `bf16, ${levels} levels`);
        assert.ok(Math.abs(again.scale / scale - 1) < 2 ** -8);
      }
    }
});

test("the error is what it says, and never more than that of absmax scaling", () => {
  const random = seeded(12);
  for (const levels of LEVELS) {
    let better = 0;
    for (let round = 0; round < 50; round++) {
      const row = normals(random, 128);
      const out = new Int8Array(128);
      const { scale, error } = quantiseRow(row, levels, out);
      const measured = row.reduce((sum, value, i) => sum + (value - out[i] * scale) ** 2, 0);
      assert.ok(Math.abs(measured - error) < 1e-6 * measured + 1e-9);
      const step = Math.max(...row.map(Math.abs)) / levels;
      const plain = row.reduce((sum, value) => sum + (value - Math.round(value / step) * step) ** 2, 0);
      assert.ok(error <= plain * (1 + 1e-9));
      assert.ok(out.every((q) => Math.abs(q) <= levels));
      if (error < 0.95 * plain) better++;
    }
    if (levels <= 13) assert.ok(better >= 25, `${levels} levels: better in ${better} of 50 rows`);
  }
});

test("a row of zeros has the zero scale", () => {
  const out = new Int8Array(4).fill(9);
  assert.deepEqual(quantiseRow(new Float32Array(4), 13, out), { scale: 0, error: 0, energy: 0 });
  assert.deepEqual([...out], [0, 0, 0, 0]);
});

function matrixOf(rows: Float32Array[]): MatrixSource {
  return {
    rows: rows.length,
    cols: rows[0].length,
    values: (start, count) => Float32Array.from(rows.slice(start, start + count).flatMap((row) => [...row])),
  };
}

test("auto packing finds the grid on which the rows lie", async () => {
  const random = seeded(13);
  for (const [levels, packing] of [
    [4, 2],
    [13, 3],
    [40, 4],
    [121, 5],
    [127, 16],
  ]) {
    const rows = Array.from({ length: 40 }, () => {
      const scale = 0.01 + random();
      const row = Float32Array.from({ length: 64 }, () => Math.round((random() * 2 - 1) * levels) * scale);
      row[0] = levels * scale;
      return row;
    });
    assert.equal((await choosePacking("auto", matrixOf(rows))).packing, packing);
  }
  assert.equal(
    (await choosePacking("auto", matrixOf(Array.from({ length: 40 }, () => normals(random, 64))))).packing,
    4,
  );
  await assert.rejects(choosePacking("t9" as "t5", matrixOf([new Float32Array(4)])), {
    code: "E_OPTION",
    exitStatus: 2,
  });
});

test("residual_frac is 16 unless no embedding reaches 2^-6; the head takes 4095 up to dim 4128", () => {
  assert.deepEqual(
    [1, 2 ** -6, 2 ** -6 * 0.99, 2 ** -8, 2 ** -14, 2 ** -20, 1000, 0].map(chooseResidualFrac),
    [16, 16, 17, 18, 24, 24, 16, 16],
  );
  assert.deepEqual([128, 4128, 4132].map(chooseHeadActMax), [4095, 4095, 127]);
});

test("scales keep 16 bits of mantissa", () => {
  assert.deepEqual(scaleOf(1), { m: 32768, e: -15 });
  assert.deepEqual(scaleOf(0), { m: 0, e: 0 });
  assert.deepEqual(scaleOf(2 - 2 ** -20), { m: 32768, e: -14 });
  assert.deepEqual(scaleOf(1.5 * 2 ** -60), { m: 49152, e: -75 });
  const random = seeded(14);
  for (let round = 0; round < 1000; round++) {
    const value = 2 ** (random() * 200 - 100);
    const scale = scaleOf(value);
    assert.ok(scale.m >= 32768 && scale.m < 65536);
    assert.ok(Math.abs(scaleValue(scale) - value) <= 2 ** (scale.e - 1));
  }
  for (const bad of [-1, Number.NaN, Infinity]) assert.throws(() => scaleOf(bad), RangeError);
});
