import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { PACK_GAIN, PACK_INT4, PACK_INT8, PACK_TRITS_1, PACK_TRITS_5, PACK_ZERO } from "../../spec/packing.ts";
import { packGains, packRows, unpackGains, unpackRows } from "../convert/packing.ts";
import { levelsOf, packedBytes } from "../image/sizes.ts";
import { firstBadCode } from "../image/verify_codes.ts";

interface Vectors {
  legal: [number, number[]][];
  illegal: number[];
  matrices: { packing: number; rows: number; cols: number; weights: number[][]; bytes: string }[];
}

/** Written by the Python implementation in spec/vectors. */
const vectors = JSON.parse(await readFile("spec/vectors/packing.json", "utf8")) as Vectors;

test("each of the 243 legal bytes holds the five trits of the vectors, and the others are found", () => {
  for (const [byte, trits] of vectors.legal) {
    assert.deepEqual([...packRows(PACK_TRITS_1, Int8Array.from(trits), 1, 5)], [byte, PACK_ZERO, PACK_ZERO, PACK_ZERO]);
    assert.deepEqual([...unpackRows(PACK_TRITS_1, Uint8Array.of(byte, 125, 125, 125), 1, 5)], trits);
    assert.equal(firstBadCode(PACK_TRITS_1, Uint8Array.of(byte)), -1);
  }
  for (const byte of vectors.illegal) assert.equal(firstBadCode(PACK_TRITS_1, Uint8Array.of(PACK_ZERO, byte)), 1);
  assert.equal(vectors.legal.length + vectors.illegal.length, 256);
});

test("every matrix of the vectors packs to the same bytes and back", () => {
  assert.ok(vectors.matrices.length > 20);
  for (const { packing, rows, cols, weights, bytes } of vectors.matrices) {
    if (packing === PACK_GAIN) {
      const gains = Int16Array.from(weights.flat());
      assert.equal(Buffer.from(packGains(gains)).toString("hex"), bytes);
      assert.deepEqual(unpackGains(Buffer.from(bytes, "hex")), gains);
      continue;
    }
    const flat = Int8Array.from(weights.flat());
    const packed = packRows(packing, flat, rows, cols);
    assert.equal(Buffer.from(packed).toString("hex"), bytes, `packing ${packing}, (${rows}, ${cols})`);
    assert.deepEqual(unpackRows(packing, packed, rows, cols), flat);
  }
});

test("runs of rows packed apart are the matrix packed at once", () => {
  for (const packing of [1, 2, 3, 4, PACK_TRITS_5, PACK_INT8, PACK_INT4]) {
    const [rows, cols] = [11, 13];
    const top = levelsOf(packing);
    const weights = Int8Array.from({ length: rows * cols }, (_, i) => ((i * 7919) % (2 * top + 1)) - top);
    const apart = [
      packRows(packing, weights.subarray(0, 8 * cols), 8, cols),
      packRows(packing, weights.subarray(8 * cols), rows - 8, cols),
    ];
    assert.deepEqual(Buffer.concat(apart), Buffer.from(packRows(packing, weights, rows, cols)));
    assert.equal(Buffer.concat(apart).length, packedBytes(packing, rows, cols));
  }
});

test("a weight beyond the levels of its packing is refused", () => {
  for (const packing of [1, 2, 3, 4, 5, PACK_INT4])
    assert.throws(() => packRows(packing, Int8Array.of(-levelsOf(packing) - 1), 1, 1), RangeError);
  assert.throws(() => packRows(PACK_INT8, Int8Array.of(-128), 1, 1), RangeError);
});
