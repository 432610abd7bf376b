/** The fixed-point functions against BigInt formulas of NUMERICS.md (exact.ts), bit for bit, and against float64 within stated budgets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIVATION_RELU2, ACTIVATION_SILU } from "../../spec/image.ts";
import * as exact from "./exact.ts";
import { fromWord, Heap, loadEngine, makeTables, ropeInc, toWord } from "./load_engine.ts";
import { Random } from "./random.ts";

const engine = await loadEngine();
const heap = new Heap(engine, 4 << 20);

/** Error budgets. Units: the quantity's own quantum unless said otherwise. */
const SINE_BUDGET = 1.01; // of 32767
const SIGMOID_BUDGET = 3; // of 32768: steps of 1/16 with curvature 0.096 leave 1.6, and two roundings
const ROTATION_BUDGET = 1e-4; // of the vector's length
const NORM_BUDGET = 0.51; // of the quantum of q
const ATTENTION_BUDGET = 4e-3; // of the largest value: exponents have 8 fraction bits, 2^(1/512) - 1 = 1.4e-3
const GATE_BUDGET = 5e-4; // of the largest output

const toFloat = ([m, e]: readonly [number, number]) => m * 2 ** e;
const ceilScale = (value: number): [number, number] => {
  const e = Math.floor(Math.log2(value)) - 15;
  return [Math.round(value / 2 ** e), e];
};

function someScale(random: Random, low = -40, high = 0): [number, number] {
  return [random.between(32768, 65535), random.between(low, high)];
}

/** An i32 of any length of bits. */
function someWord(random: Random): number {
  return random.u32() >> random.between(0, 31);
}

const EDGES = [0, 1, -1, 2, 65535, 65536, -65536, 2 ** 30 - 1, 2 ** 30, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31)];

test("round_shift, scale_of, scale_mul equal their formulas", () => {
  const random = new Random(10);
  for (let round = 0; round < 3000; round++) {
    const v = (BigInt(random.u32()) << 30n) >> BigInt(random.between(0, 61));
    const signed = random.between(0, 1) === 0 ? v : -v;
    const s = random.between(-70, 70);
    assert.equal(engine.round_shift64(signed, s), exact.roundShift(signed, s), `${signed} ${s}`);
    const e = random.between(-60, 60);
    const [m, exponent] = exact.scaleOf(v, e);
    assert.deepEqual(fromWord(engine.scale_of(v, e)), [Number(m), exponent]);
    const a = someScale(random);
    const b = someScale(random);
    const product = exact.scaleMul([BigInt(a[0]), a[1]], [BigInt(b[0]), b[1]]);
    assert.deepEqual(fromWord(engine.scale_mul(toWord(a), toWord(b))), [Number(product[0]), product[1]]);
  }
});

test("apply equals its formula on both routes, 32 and 64 bits", () => {
  const random = new Random(11);
  const check = (v: number, s: [number, number], frac: number) =>
    assert.equal(
      engine.apply(v, toWord(s), frac),
      Number(exact.apply(BigInt(v), [BigInt(s[0]), s[1]], frac)),
      `${v} * ${s}, ${frac}`,
    );
  for (let round = 0; round < 5000; round++) check(someWord(random), someScale(random, -70, 10), random.between(0, 24));
  for (const v of EDGES)
    for (let shift = 0; shift <= 70; shift++) for (const m of [32768, 65535]) check(v, [m, -shift - 16], 16);
});

test("isqrt is the floor of the root", () => {
  const random = new Random(12);
  for (let round = 0; round < 500; round++) {
    const v = ((BigInt(random.u32()) << 32n) | BigInt(random.u32())) >> BigInt(random.between(0, 63));
    assert.equal(BigInt(engine.isqrt(v) >>> 0), exact.isqrt(v), `${v}`);
  }
});

function checkQuantise(x: number[], s: [number, number], qmax: number): void {
  heap.reset();
  const out = heap.room(2 * x.length);
  const sq = engine.quantise_i16(heap.i32(x), x.length, toWord(s), qmax, out);
  assert.ok(heap.readI16(out, x.length).every((q) => Math.abs(q) <= qmax));
  const wanted = exact.quantise(x.map(BigInt), [BigInt(s[0]), s[1]], qmax);
  assert.deepEqual(heap.readI16(out, x.length), wanted.q.map(Number), `${x} / ${qmax}`);
  assert.deepEqual(fromWord(sq), [Number(wanted.sq[0]), wanted.sq[1]]);
}

test("quantise equals its formula; |q| never exceeds qmax", () => {
  const random = new Random(13);
  for (const qmax of [127, 2047, 4095]) {
    checkQuantise(EDGES, [32768, -15], qmax);
    for (let round = 0; round < 200; round++) {
      const bits = random.between(0, 31);
      const x = random.vector(random.between(1, 40), () => random.u32() >> bits);
      checkQuantise(x, someScale(random), qmax);
    }
  }
});

test("norm_quantise equals its formula, up to the ends of the residual stream", () => {
  const random = new Random(14);
  for (let round = 0; round < 300; round++) {
    heap.reset();
    const n = random.pick([1, 2, 31, 128, 300]);
    const bits = random.between(0, 31);
    const x = random.vector(n, () => random.u32() >> bits);
    if (round % 5 === 0) x[0] = random.pick([2 ** 31 - 1, -(2 ** 31)]);
    const gainBits = 17 + random.between(0, 14);
    const gain = random.vector(n, () => random.u32() >> gainBits);
    if (round % 7 === 0) gain[0] = -32768;
    const s = someScale(random, -60, 10);
    const eps = round % 3 === 0 ? ([0, 0] as [number, number]) : someScale(random, -60, -20);
    const qmax = random.pick([127, 4095]);
    const gainExp = random.between(-16, 4);
    const out = heap.room(2 * n);
    const sq = engine.norm_quantise(heap.i32(x), n, toWord(s), heap.i16(gain), gainExp, toWord(eps), qmax, out);
    const wanted = exact.normQuantise(
      x.map(BigInt),
      [BigInt(s[0]), s[1]],
      gain.map(BigInt),
      gainExp,
      [BigInt(eps[0]), eps[1]],
      qmax,
    );
    assert.deepEqual(heap.readI16(out, n), wanted.q.map(Number), `round ${round}`);
    assert.deepEqual(fromWord(sq), [Number(wanted.sq[0]), wanted.sq[1]], `round ${round}`);
  }
});

test("norm_quantise is RMSNorm: within half a quantum of float64, massive activations included", () => {
  const random = new Random(15);
  const n = 256;
  for (const massive of [0, 300, 9000]) {
    heap.reset();
    const x = random.vector(n, () => Math.round(random.normal() * 65536));
    if (massive > 0) x[17] = -massive * 65536;
    const gain = random.vector(n, () => random.between(8192, 32767));
    const eps = ceilScale(1e-5);
    for (const qmax of [127, 4095]) {
      const out = heap.room(2 * n);
      const args = [toWord([32768, -31]), heap.i16(gain), -14, toWord(eps), qmax, out] as const;
      const quantum = toFloat(fromWord(engine.norm_quantise(heap.i32(x), n, ...args)));
      const mean = x.reduce((sum, v) => sum + (v / 65536) ** 2, 0) / n;
      heap.readI16(out, n).forEach((q, i) => {
        const wanted = ((x[i] / 65536) * (gain[i] / 16384)) / Math.sqrt(mean + 1e-5);
        // r is floored: up to qmax / 2^15 of a quantum at the largest entry.
        assert.ok(
          Math.abs(q * quantum - wanted) <= quantum * (NORM_BUDGET + qmax / 2 ** 14),
          `${massive} ${qmax} ${i}`,
        );
      });
    }
  }
});

test("normalise brings the largest entry to the bits asked for", () => {
  const random = new Random(16);
  for (let round = 0; round < 300; round++) {
    heap.reset();
    const x = random.vector(random.between(1, 20), () => someWord(random));
    const at = heap.i32(x);
    const d = engine.normalise(at, x.length, 15);
    const most = exact.bitlen(x.map((v) => BigInt(Math.abs(v))).reduce((a, b) => (a > b ? a : b)));
    assert.equal(d, most === 0 ? 0 : most - 15);
    assert.deepEqual(
      heap.readI32(at, x.length),
      x.map((v) => Number(exact.roundShift(BigInt(v), d))),
    );
  }
});

test("sine and cosine within a unit of 32767, on and between the entries of the table", () => {
  heap.reset();
  const tables = heap.bytes(makeTables());
  const random = new Random(17);
  for (let round = 0; round < 2000; round++) {
    const phase = round < 64 ? round * 2 ** 26 : random.u32();
    const wanted = 32767 * Math.sin((2 * Math.PI * phase) / 2 ** 32);
    assert.ok(Math.abs(engine.sin15(tables, phase) - wanted) < SINE_BUDGET, `${phase}`);
  }
});

test("sigmoid within its budget of float64, and 0 and 1 at the ends", () => {
  heap.reset();
  const table = heap.bytes(makeTables()) + 512;
  for (let t = -18000; t <= 18000; t += 7) {
    const wanted = 32768 / (1 + Math.exp(-t / 1024));
    assert.ok(Math.abs(engine.sigmoid15(table, t) - wanted) < SIGMOID_BUDGET, `${t}`);
  }
  assert.equal(engine.sigmoid15(table, 2 ** 31 - 1), 32768);
  assert.equal(engine.sigmoid15(table, -(2 ** 31)), 0);
});

test("RoPE keeps lengths and turns by the angle of the position", () => {
  const random = new Random(18);
  const n = 32;
  for (const position of [0, 1, 100, 4095, 131071]) {
    heap.reset();
    const rotation = heap.room(2 * n);
    engine.rope_angles(heap.bytes(makeTables(ropeInc(10000, n))), n, position, rotation);
    const x = random.vector(n, () => random.between(-32768, 32768));
    const y = heap.i32(x);
    engine.rope_rotate(y, n, rotation);
    const got = heap.readI32(y, n);
    const length = Math.hypot(...x);
    for (let j = 0; j < n / 2; j++) {
      const angle = position * 10000 ** ((-2 * j) / n);
      const [a, b] = [x[j], x[j + n / 2]];
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      assert.ok(Math.abs(got[j] / 32767 - (a * c - b * s)) < ROTATION_BUDGET * length, `${position} ${j}`);
      assert.ok(Math.abs(got[j + n / 2] / 32767 - (b * c + a * s)) < ROTATION_BUDGET * length, `${position} ${j}`);
    }
  }
});

/** Random keys or values as the cache holds them: int8 and a word a position. */
function someCache(random: Random, n: number, headDim: number, scale: number) {
  const entries = random.vector(n * headDim, () => Math.max(-127, Math.min(127, Math.round(random.normal() * 45))));
  const words = random.vector(n, () => engine.kv_scale(toWord(ceilScale((scale * random.between(60, 140)) / 100))));
  return { entries, words };
}

/** (1024 + low 10 bits) * 2^(E - 50) */
const wordValue = (word: number) => (1024 + (word & 1023)) * 2 ** ((word >> 10) - 50);

test("attention is softmax(q k / sqrt(d)) v: within its budget of float64, beyond 512 positions too", () => {
  const random = new Random(19);
  for (const [n, headDim] of [
    [1, 32],
    [17, 32],
    [256, 32],
    [700, 16],
    [1300, 64],
  ]) {
    heap.reset();
    const tables = heap.bytes(makeTables());
    const q = random.vector(headDim, () => random.between(-2047, 2047));
    const quantum = 2 / 2047;
    const keys = someCache(random, n, headDim, 2 / 127);
    const values = someCache(random, n, headDim, 1 / 127);
    const o = heap.room(4 * headDim);
    const so = engine.attend_head(
      heap.i16(q),
      toWord(ceilScale((quantum * Math.LOG2E) / Math.sqrt(headDim))),
      n,
      headDim,
      heap.i8(keys.entries),
      heap.i16(keys.words),
      heap.i8(values.entries),
      heap.i16(values.words),
      tables,
      heap.room(4 * n),
      heap.room(8 * headDim),
      o,
    );
    const scores = keys.words.map((word, j) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += q[i] * keys.entries[j * headDim + i];
      return (dot * quantum * wordValue(word)) / Math.sqrt(headDim);
    });
    const most = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    heap.readI32(o, headDim).forEach((value, i) => {
      let wanted = 0;
      weights.forEach((weight, j) => {
        wanted += (weight / total) * wordValue(values.words[j]) * values.entries[j * headDim + i];
      });
      assert.ok(Math.abs(value * toFloat(fromWord(so)) - wanted) < ATTENTION_BUDGET, `${n} positions, ${i}`);
    });
  }
});

test("the gated middle is act(gate) * up, within its budget of float64", () => {
  const random = new Random(20);
  const n = 200;
  for (const activation of [ACTIVATION_SILU, ACTIVATION_RELU2]) {
    heap.reset();
    const g = random.vector(n, () => Math.round(random.normal() * 5000));
    const u = random.vector(n, () => Math.round(random.normal() * 9000));
    const sg = ceilScale(1 / 2500);
    const su = ceilScale(1 / 9000);
    const at = heap.i32(g);
    const s = engine.gated(at, toWord(sg), heap.i32(u), toWord(su), n, activation, heap.bytes(makeTables()));
    const wanted = g.map((value, i) => {
      const gate = value * toFloat(sg);
      const act = activation === ACTIVATION_SILU ? gate / (1 + Math.exp(-gate)) : Math.max(gate, 0) ** 2;
      return act * u[i] * toFloat(su);
    });
    const budget = GATE_BUDGET * Math.max(...wanted.map(Math.abs));
    heap.readI32(at, n).forEach((h, i) => {
      assert.ok(Math.abs(h * toFloat(fromWord(s)) - wanted[i]) < budget, `${activation} ${i}`);
    });
  }
});
