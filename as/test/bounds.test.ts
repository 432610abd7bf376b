/**
 * The bounds that NUMERICS.md states, reached: the widest matrices' vectors, a residual stream at the ends of i32, products of the largest
 * halves, heads as wide as the format allows. Each against its formula in BigInt; a word too narrow anywhere would show. (Kernels: kernels.test.ts.)
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compile } from "../../scripts/lib/asc.mjs";
import { ROOT } from "../../scripts/lib/root.mjs";
import { ACTIVATION_RELU2, ACTIVATION_SILU } from "../../spec/image.ts";
import { HEAD_DIM_MAX, K_MAX, KV_EXP_MIN, KV_MAX, Q_MAX } from "../../spec/numerics.ts";
import { FREE } from "./as_module.ts";
import * as exact from "./exact.ts";
import { fromWord, Heap, loadEngine, makeTables, type Scale, toWord } from "./load_engine.ts";
import { Random } from "./random.ts";

const TOP = 2 ** 31 - 1;
const BOTTOM = -(2 ** 31);

const engine = await loadEngine();
const heap = new Heap(engine, 16 << 20);
const big = ([m, e]: Scale): exact.BigScale => [BigInt(m), e];
const small = ([m, e]: exact.BigScale) => [Number(m), e];
const most = (values: readonly bigint[]) => values.reduce((a, v) => (v > a ? v : -v > a ? -v : a), 0n);

test(`norm_quantise of ${K_MAX} values at the ends of i32, gains at the ends of i16`, () => {
  const random = new Random(30);
  for (const pick of [
    () => BOTTOM,
    () => TOP,
    () => random.pick([TOP, BOTTOM]),
    () => random.pick([TOP, BOTTOM, 0, 1, -1, 65536]),
  ]) {
    heap.reset();
    const x = random.vector(K_MAX, pick);
    const gain = random.vector(K_MAX, () => random.pick([32767, -32768]));
    for (const [s, eps] of [
      [
        [65535, 10],
        [0, 0],
      ],
      [
        [32768, -60],
        [65535, -20],
      ],
    ] as [Scale, Scale][]) {
      const out = heap.room(2 * K_MAX);
      const sq = engine.norm_quantise(heap.i32(x), K_MAX, toWord(s), heap.i16(gain), 4, toWord(eps), 127, out);
      const wanted = exact.normQuantise(x.map(BigInt), big(s), gain.map(BigInt), 4, big(eps), 127);
      assert.deepEqual(heap.readI16(out, K_MAX), wanted.q.map(Number));
      assert.deepEqual(fromWord(sq), small(wanted.sq));
    }
  }
});

/** "Feed-forward" of NUMERICS.md. */
function exactGated(g: bigint[], sg: exact.BigScale, u: bigint[], su: exact.BigScale, sigmoid: bigint[] | null) {
  const shift = (x: bigint[]) => (most(x) === 0n ? 0 : exact.bitlen(most(x)) - 15);
  const [dg, du] = [shift(g), shift(u)];
  const a = g.map((value) => {
    const G = exact.roundShift(value, dg);
    if (sigmoid === null) return G > 0n ? G * G : 0n;
    const t = exact.apply(value, sg, 10);
    const n = t < 0n ? -t : t;
    const i = Number(n >> 6n);
    const S = n >= 16384n ? 32768n : sigmoid[i] + (((sigmoid[i + 1] - sigmoid[i]) * (n & 63n) + 32n) >> 6n);
    return G * (t < 0n ? 32768n - S : S);
  });
  const h = a.map((value, i) => exact.roundShift(value * exact.roundShift(u[i], du), 15));
  const gate: exact.BigScale = [sg[0], sg[1] + dg];
  const sa: exact.BigScale = sigmoid === null ? exact.scaleMul(gate, gate) : [gate[0], gate[1] - 15];
  return { h, s: exact.scaleMul(sa, [su[0], su[1] + du + 15]) };
}

test("the gated middle with gate and up at the ends of i32: its products have 45 bits", () => {
  const random = new Random(31);
  const tables = makeTables();
  const sigmoid = Array.from(new Uint16Array(tables.buffer, 512, 257), BigInt);
  const ends = [TOP, BOTTOM, BOTTOM + 1, 2 ** 30, -(2 ** 30), 2 ** 31 - 65536, 1, 0, -1];
  for (let round = 0; round < 100; round++) {
    heap.reset();
    const at = heap.bytes(tables);
    const g = random.vector(24, () => random.pick(ends));
    const u = random.vector(24, () => random.pick(ends));
    const [sg, su] = random
      .vector(2, () => random.between(32768, 65535))
      .map((m): Scale => [m, random.between(-31, 0)]);
    for (const activation of [ACTIVATION_RELU2, ACTIVATION_SILU]) {
      const out = heap.i32(g);
      const s = engine.gated(out, toWord(sg), heap.i32(u), toWord(su), g.length, activation, at);
      const table = activation === ACTIVATION_RELU2 ? null : sigmoid;
      const wanted = exactGated(g.map(BigInt), big(sg), u.map(BigInt), big(su), table);
      assert.deepEqual(heap.readI32(out, g.length), wanted.h.map(Number), `${activation}: ${g}`);
      assert.deepEqual(fromWord(s), small(wanted.s));
    }
  }
});

test("RoPE of the longest pairs stays below 2^31", () => {
  const n = 1024;
  heap.reset();
  // Pair j is turned by j / 512 of a turn: through the corners of the square.
  const inc = Array.from({ length: n / 2 }, (_, j) => (j * 2 ** 23) >>> 0);
  const rotation = heap.room(2 * n);
  engine.rope_angles(heap.bytes(makeTables(inc)), n, 1, rotation);
  const unit = heap.i32(Array.from({ length: n }, (_, i) => (i < n / 2 ? 1 : 0)));
  engine.rope_rotate(unit, n, rotation);
  const angles = heap.readI32(unit, n);
  for (const [a, b] of [
    [32768, 32768],
    [32768, -32768],
    [-32768, 32768],
    [-32768, -32768],
  ]) {
    const y = heap.i32(Array.from({ length: n }, (_, i) => (i < n / 2 ? a : b)));
    engine.rope_rotate(y, n, rotation);
    const wanted = angles.map((_, i) => {
      const [c, s] = [angles[i % (n / 2)], angles[(i % (n / 2)) + n / 2]];
      return i < n / 2 ? a * c - b * s : b * c + a * s;
    });
    assert.deepEqual(heap.readI32(y, n), wanted);
    assert.ok(Math.max(...wanted.map(Math.abs)) > 1.5e9);
  }
});

const word = (E: number, low: number) => (E << 10) | low;
const kvMant = (w: number) => BigInt(1024 + (w & 1023));
const kvExp = (w: number) => (w >> 10) + KV_EXP_MIN;

interface Head {
  q: number[];
  C: Scale;
  keys: number[];
  keyWords: number[];
  values: number[];
  valueWords: number[];
}

/** "Attention, one head" of NUMERICS.md, steps 2 to 7. */
function exactHead({ q, C, keys, keyWords, values, valueWords }: Head) {
  const d = q.length;
  const z = keyWords.map((w, j) => {
    const dot = q.reduce((sum, value, i) => sum + value * keys[j * d + i], 0);
    if (w === 0 || C[0] === 0) return 0n;
    return exact.sat32(exact.roundShift(BigInt(dot) * kvMant(w) * BigInt(C[0]), -(C[1] + kvExp(w) + 16)));
  });
  const top = z.reduce((a, b) => (a > b ? a : b));
  const p = z.map((value) => {
    const eighths = Number((top - value + 128n) >> 8n);
    const i = eighths >> 8;
    return i > 15 ? 0 : Math.round(2 ** (15 - (eighths & 255) / 256)) >> i;
  });
  const P = p.reduce((sum, value) => sum + value, 0);
  const counts = valueWords.map((w, j) => p[j] > 0 && w !== 0);
  const ev = Math.max(...valueWords.filter((_, j) => counts[j]).map(kvExp));
  const g = valueWords.map((w, j) =>
    counts[j] ? (BigInt(p[j]) * kvMant(w)) >> BigInt(Math.min(31, ev - kvExp(w))) : 0n,
  );
  const sh = Math.max(0, exact.bitlen(most(g)) - 15);
  const o = q.map((_, i) => g.reduce((sum, value, j) => sum + (value >> BigInt(sh)) * BigInt(values[j * d + i]), 0n));
  const so = exact.scaleOf((1n << 46n) / BigInt(P), ev + sh - 46);
  const shift = Math.max(0, exact.bitlen(most(o)) - 24);
  return {
    o: o.map((value) => (shift > 0 ? exact.roundShift(value, shift) : value)),
    so: [so[0], so[1] + shift] as const,
  };
}

const MIDDLE = 31;
const loud = (_: Random, bound: number) => bound;
const ends = (random: Random, bound: number) => random.pick([bound, -bound]);
const anyWord = (random: Random) => random.pick([0, 1, word(1, 0), word(30, 0), word(63, 1023)]);
/** exponent: of C. With a head of d the largest score is about 2^(exponent + log2 d - 5 + E), E of the key's word. */
const TEMPERS = [
  { name: "all alike", entry: loud, key: () => word(63, 1023), value: () => word(63, 1023), exponent: () => -40 },
  {
    name: "scores up to 8",
    entry: ends,
    key: (random: Random) => word(random.between(MIDDLE - 2, MIDDLE), random.between(0, 1023)),
    value: (random: Random) => word(random.between(MIDDLE - 9, MIDDLE), random.between(0, 1023)),
    exponent: (d: number) => 8 - Math.ceil(Math.log2(d)) - MIDDLE,
  },
  { name: "saturated scores", entry: ends, key: anyWord, value: anyWord, exponent: () => 0 },
  { name: "tiny scores", entry: ends, key: anyWord, value: anyWord, exponent: () => -60 },
];

test("attention of heads and contexts as large as they get, all entries at their ends", () => {
  const random = new Random(32);
  for (const [n, d] of [
    [3, HEAD_DIM_MAX],
    [512, 16],
    [513, 16],
    [4096, 8],
    [40, 64],
  ])
    for (const { name, key, value, exponent, entry } of TEMPERS) {
      heap.reset();
      const C: Scale = [65535, exponent(d)];
      const head: Head = {
        q: random.vector(d, () => entry(random, Q_MAX)),
        C,
        keys: random.vector(n * d, () => entry(random, KV_MAX)),
        keyWords: random.vector(n, () => key(random)),
        values: random.vector(n * d, () => entry(random, KV_MAX)),
        valueWords: random.vector(n, () => value(random)),
      };
      // One position that certainly contributes.
      head.keyWords[0] = word(MIDDLE, 1023);
      head.valueWords[0] = word(MIDDLE, 1023);
      for (let i = 0; i < d; i++) head.keys[i] = KV_MAX * Math.sign(head.q[i]);
      const o = heap.room(4 * d);
      const so = engine.attend_head(
        heap.i16(head.q),
        toWord(C),
        n,
        d,
        heap.i8(head.keys),
        heap.i16(head.keyWords),
        heap.i8(head.values),
        heap.i16(head.valueWords),
        heap.bytes(makeTables()),
        heap.room(4 * n),
        heap.room(8 * d),
        o,
      );
      const wanted = exactHead(head);
      const label = `${n} positions of ${d}, ${name}`;
      assert.deepEqual(heap.readI32(o, d), wanted.o.map(Number), label);
      assert.deepEqual(fromWord(so), [Number(wanted.so[0]), wanted.so[1]], label);
    }
});

/** add_residual alone: x i32[n] at FREE, y behind it. */
const RESIDUAL_ENTRY = `
  import { add_residual } from "./as/model/bitlinear.ts";
  import { config } from "./as/model/config.ts";
  export function add(n: i32, s: u32, frac: i32): void {
    config.dim = n;
    config.residual_frac = frac;
    add_residual(${FREE}, ${FREE} + 4 * n, s);
  }`;

test("the residual stream saturates at the ends of i32 and nowhere before, as the vectors say too", async () => {
  const flags = ["--target", "device", "--initialMemory", "4", "--maximumMemory", "4"];
  const { wasm } = await compile(["residual_entry.ts", ...flags], { "residual_entry.ts": RESIDUAL_ENTRY });
  const { instance } = await WebAssembly.instantiate(wasm, {});
  const { buffer } = instance.exports.memory as WebAssembly.Memory;
  const call = instance.exports.add as (n: number, s: number, frac: number) => void;
  const add = (x: number[], y: number[], s: Scale, frac: number): number[] => {
    new Int32Array(buffer, FREE).set([...x, ...y]);
    call(x.length, toWord(s), frac);
    return [...new Int32Array(buffer, FREE, x.length)];
  };

  const random = new Random(33);
  const ends = [TOP, TOP - 1, 2 ** 30, 1, 0, -1, -(2 ** 30), BOTTOM + 1, BOTTOM];
  for (let round = 0; round < 200; round++) {
    const [x, y] = [random.vector(16, () => random.pick(ends)), random.vector(16, () => random.pick(ends))];
    const s: Scale = [random.pick([32768, 65535]), random.between(-50, -10)];
    const frac = random.between(0, 24);
    const wanted = x.map((value, i) => Number(exact.sat32(BigInt(value) + exact.apply(BigInt(y[i]), big(s), frac))));
    assert.deepEqual(add(x, y, s, frac), wanted, `${x} + ${y} * ${s}, ${frac}`);
  }

  // The outputs of experts, each with its weight.
  const { mixing } = JSON.parse(readFileSync(join(ROOT, "spec/vectors/experts.json"), "utf8"));
  assert.ok(mixing.length > 5);
  for (const { x, outputs, weights, residual_frac, x_after } of mixing) {
    const mixed = (outputs as [number[], Scale][]).reduce((sum: number[], [y, s], j) => {
      const [m, e] = exact.scaleMul(big(s), big(weights[j]));
      return add(sum, y, [Number(m), e], residual_frac);
    }, x);
    assert.deepEqual(mixed, x_after);
  }

  const { row_scales } = JSON.parse(readFileSync(join(ROOT, "spec/vectors/numerics.json"), "utf8"));
  for (const { y, s, x, x_after } of row_scales) assert.deepEqual(add(x, y, s, 16), x_after);
});
