import assert from "node:assert/strict";
import { test } from "node:test";
import { LUT_BYTES } from "../../spec/packing.ts";
import { Heap, loadEngine } from "./load_engine.ts";
import { packInt4, packTrits } from "./pack.ts";
import { Random } from "./random.ts";
import { simdProduct } from "./simd_product.ts";

const engine = await loadEngine();
const heap = new Heap(engine, 16 << 20);

/** W @ x in JavaScript's numbers, exact below 2^53. */
function product(weights: readonly number[], rows: number, cols: number, x: readonly number[]): number[] {
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let col = 0; col < cols; col++) sum += weights[row * cols + col] * x[col];
    return sum;
  });
}

const levels = (trits: number) => (3 ** trits - 1) / 2;

/** Weights of every temper: random, with a row of zeros, all at one end. */
function someWeights(random: Random, rows: number, cols: number, most: number): number[] {
  const weights = random.vector(rows * cols, () => random.between(-most, most));
  const temper = random.between(0, 3);
  if (temper === 1) weights.fill(0, 0, cols);
  if (temper === 2) weights.fill(random.pick([-most, most]), 0, cols);
  return weights;
}

/** Activations up to +-most; sometimes nothing but the extremes. */
function someActivations(random: Random, cols: number, most: number): number[] {
  const temper = random.between(0, 3);
  if (temper === 0) return random.vector(cols, () => random.pick([-most, most]));
  if (temper === 1) return random.vector(cols, () => most);
  return random.vector(cols, () => random.between(-most, most));
}

/** Kernel A3 from canonical bytes; the others: ternary_kernels.test.ts. Returns the address of its sums. */
function simd(w: number, rows: number, cols: number, x: number): number {
  return simdProduct(engine, heap, 0, w, rows, cols, x);
}

test("ternary kernels equal the reference on random shapes, tiles and extremes", () => {
  const random = new Random(1);
  for (let round = 0; round < 300; round++) {
    heap.reset();
    const rows = random.between(1, 40);
    const cols = random.pick([random.between(1, 12), random.between(13, 200), random.between(60, 70)]);
    const trits = random.between(1, 5);
    const most = random.pick([127, 4095]);
    const weights = someWeights(random, rows, cols, levels(trits));
    const x = someActivations(random, cols, most);
    const wanted = product(weights, rows, cols, x);
    const w = heap.bytes(packTrits(weights, trits, rows, cols));
    // What follows x must not matter: room() leaves 0xA5 there.
    const q = heap.i16([...x, ...random.vector(8, () => 4095)]);
    const acc = heap.room(4 * (rows + 8));
    const label = `round ${round}: ${rows} x ${cols}, ${trits} trits, |x| <= ${most}`;

    engine.ternary_ref(w, trits, rows, cols, q, acc);
    assert.deepEqual(heap.readI32(acc, rows), wanted, `ref, ${label}`);

    const tile = random.between(1, Math.ceil(cols / 5) + 1);
    engine.ternary_lut(w, trits, rows, cols, q, acc, heap.room(tile * LUT_BYTES + 8), tile);
    assert.deepEqual(heap.readI32(acc, rows), wanted, `lut, tile ${tile}, ${label}`);

    if (trits === 1 && most === 127) {
      assert.deepEqual(heap.readI32(simd(w, rows, cols, q), rows), wanted, `simd, ${label}`);
    }
    const wide = heap.room(rows * cols);
    engine.repack_trits_int8(w, trits, rows, cols, wide);
    assert.deepEqual(heap.readI8(wide, rows * cols), weights, `repack, ${label}`);
    engine.rows_int8_simd(wide, rows, cols, q, acc);
    assert.deepEqual(heap.readI32(acc, rows), wanted, `int8 simd, ${label}`);
  }
});

test("every tile size of a matrix gives the same sums", () => {
  const random = new Random(2);
  const rows = 6;
  const cols = 83;
  for (const trits of [1, 4]) {
    heap.reset();
    const weights = someWeights(random, rows, cols, levels(trits));
    const x = someActivations(random, cols, 4095);
    const w = heap.bytes(packTrits(weights, trits, rows, cols));
    const q = heap.i16(x);
    const acc = heap.room(4 * 8);
    const table = heap.room(20 * LUT_BYTES + 8);
    for (let tile = 1; tile <= 20; tile++) {
      engine.ternary_lut(w, trits, rows, cols, q, acc, table, tile);
      assert.deepEqual(heap.readI32(acc, rows), product(weights, rows, cols, x), `tile ${tile}`);
    }
  }
});

test("the widest matrix, all weights and activations at one end", () => {
  const cols = 32768;
  const rows = 9;
  for (const sign of [1, -1]) {
    heap.reset();
    const weights = Array<number>(rows * cols).fill(1);
    const w = heap.bytes(packTrits(weights, 1, rows, cols));
    const q = heap.i16(Array<number>(cols).fill(127 * sign));
    const acc = heap.room(4 * 16);
    const wanted = Array<number>(rows).fill(127 * sign * cols);
    engine.ternary_ref(w, 1, rows, cols, q, acc);
    assert.deepEqual(heap.readI32(acc, rows), wanted);
    engine.ternary_lut(w, 1, rows, cols, q, acc, heap.room(52 * LUT_BYTES + 8), 52);
    assert.deepEqual(heap.readI32(acc, rows), wanted);
    assert.deepEqual(heap.readI32(simd(w, rows, cols, q), rows), wanted);
  }
});

test("columns just below and above a flush of the SIMD sums", () => {
  const random = new Random(3);
  for (const cols of [4088, 4095, 4096, 4097, 4104, 8200]) {
    heap.reset();
    for (const weight of [1, -1]) {
      // Row 3 and row 7 of a tile live in the highest field, where an overflow would show first.
      const weights = random.vector(8 * cols, () => weight);
      const x = Array<number>(cols).fill(-127);
      const w = heap.bytes(packTrits(weights, 1, 8, cols));
      const acc = simd(w, 8, cols, heap.i16(x));
      assert.deepEqual(heap.readI32(acc, 8), Array<number>(8).fill(-127 * weight * cols), `${cols}`);
    }
  }
});

test("int8 and int4 rows equal the product", () => {
  const random = new Random(4);
  for (let round = 0; round < 200; round++) {
    heap.reset();
    const rows = random.between(1, 20);
    const cols = random.between(1, 90);
    const x = someActivations(random, cols, random.pick([127, 4095]));
    const q = heap.i16(x);
    const acc = heap.room(4 * rows);
    for (const [most, bits] of [
      [127, 8],
      [7, 4],
    ]) {
      const weights = someWeights(random, rows, cols, most);
      const wanted = product(weights, rows, cols, x);
      const bytes = heap.i8(weights);
      if (bits === 8) {
        engine.rows_int8(bytes, rows, cols, q, acc);
        assert.deepEqual(heap.readI32(acc, rows), wanted);
      } else {
        const packed = heap.bytes(packInt4(weights, rows, cols));
        engine.rows_int4(packed, rows, cols, q, acc);
        assert.deepEqual(heap.readI32(acc, rows), wanted);
        const wide = heap.room(rows * cols);
        engine.repack_int4_int8(packed, rows, cols, wide);
        assert.deepEqual(heap.readI8(wide, rows * cols), weights);
      }
      engine.rows_int8_simd(bytes, rows, cols, q, acc);
      assert.deepEqual(heap.readI32(acc, rows), wanted);
    }
  }
});

test("weighted sums of int8 rows equal the product, at the most that 512 rows of 32 bits can hold too", () => {
  const random = new Random(5);
  for (const [rows, cols] of [
    [1, 2],
    [3, 8],
    [512, 16],
    [513, 24],
    [1500, 10],
    [1500, 64],
  ])
    for (const loud of [false, true]) {
      heap.reset();
      const weights = random.vector(rows, () => (loud ? 32767 : random.pick([0, random.between(0, 32767)])));
      const values = random.vector(rows * cols, () => (loud ? -127 : random.between(-127, 127)));
      const wanted = Array.from({ length: cols }, (_, col) => {
        let sum = 0;
        for (let row = 0; row < rows; row++) sum += weights[row] * values[row * cols + col];
        return BigInt(sum);
      });
      const sums = heap.room(8 * cols);
      for (const kernel of [engine.columns_int8, engine.columns_int8_simd]) {
        kernel(heap.i8(values), rows, cols, heap.i32(weights), sums);
        assert.deepEqual([...new BigInt64Array(engine.memory.buffer, sums, cols)], wanted, `${rows} x ${cols}`);
      }
    }
});

test("the widest head: 4128 columns of 127 times 4095 stay below 2^31", () => {
  heap.reset();
  const cols = 4128;
  const w = heap.i8([...Array<number>(cols).fill(127), ...Array<number>(cols).fill(-127)]);
  const q = heap.i16(Array<number>(cols).fill(4095));
  const acc = heap.room(8);
  const wanted = [127 * 4095 * cols, -127 * 4095 * cols];
  engine.rows_int8(w, 2, cols, q, acc);
  assert.deepEqual(heap.readI32(acc, 2), wanted);
  engine.rows_int8_simd(w, 2, cols, q, acc);
  assert.deepEqual(heap.readI32(acc, 2), wanted);
  const planes = heap.bytes(
    packTrits([...Array<number>(cols).fill(121), ...Array<number>(cols).fill(-121)], 5, 2, cols),
  );
  const room = heap.room(32);
  engine.ternary_lut(planes, 5, 2, cols, q, room, heap.room(52 * LUT_BYTES + 8), 52);
  assert.deepEqual(heap.readI32(room, 2), [121 * 4095 * cols, -121 * 4095 * cols]);
});

test("an illegal byte reads no memory outside the tables and breaks no other row", () => {
  heap.reset();
  const packed = packTrits([1, 1, 1, 1], 1, 4, 1);
  packed[1] = 255;
  const acc = heap.room(16);
  const table = heap.room(LUT_BYTES + 8);
  engine.ternary_lut(heap.bytes(packed), 1, 4, 1, heap.i16([5]), acc, table, 1);
  const [a, , c, d] = heap.readI32(acc, 4);
  assert.deepEqual([a, c, d], [5, 5, 5]);
});
