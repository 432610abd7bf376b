import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { asModule, FREE, seeded } from "./as_module.ts";

interface Options {
  seed: number;
  temperature: number;
  top_k: number;
  top_p: number;
  penalty: number;
}

interface Vectors {
  pcg32: { seed: number; state: string; rand32: number[] }[];
  logits: { name: string; values: number[] }[];
  cases: (Options & { logits: string; context: number[]; ids: number[] })[];
}

const as = await asModule(
  {
    "sampler/sampler.ts": ["sampler_open", "sampler_begin", "sample"],
    "sampler/pcg.ts": ["pcg_seed", "pcg_next"],
  },
  64,
);
const vectors: Vectors = JSON.parse(readFileSync(join(ROOT, "spec/vectors/sampler.json"), "utf8"));

const PCG = FREE;
const EXP2 = FREE + 64;
const CONTEXT = FREE + 1024;
const LOGITS = FREE + 65536;
const ORDER = FREE + 65536 + (1 << 20);

// NUMERICS.md, "Attention"; exact in f64: no entry lies within 1e-9 of a half.
const exp2 = Array.from({ length: 256 }, (_, f) => Math.round(2 ** 15 * 2 ** (-f / 256)));
as.u16.set(exp2, EXP2 / 2);

/** Draws from the same logits, `count` times; room: ids the order may hold. */
function draw(logits: number[], context: number[], options: Options, count: number, room = logits.length): number[] {
  as.u32.set(context, CONTEXT / 4);
  as.call.sampler_open(logits.length, EXP2, ORDER, room * 4);
  as.call.sampler_begin(options.temperature, options.top_k, options.top_p, options.penalty, options.seed);
  return Array.from({ length: count }, () => {
    as.i32.set(logits, LOGITS / 4); // the penalty changes them in place
    return as.call.sample(LOGITS, CONTEXT, context.length) >>> 0;
  });
}

// The page in BigInt, sentence by sentence.
const bitlen = (v: bigint) => (v === 0n ? 0 : v.toString(2).length);
const roundShift = (v: bigint, s: number) => (s > 0 ? (v + (1n << BigInt(s - 1))) >> BigInt(s) : v << BigInt(-s));
const floorDiv = (a: bigint, b: bigint) => (a - (((a % b) + b) % b)) / b;
const sat32 = (v: bigint) => (v > 2147483647n ? 2147483647n : v < -2147483648n ? -2147483648n : v);

function scaleOf(v: bigint, e: number): { m: bigint; e: number } {
  if (v === 0n) return { m: 0n, e: 0 };
  const n = bitlen(v) - 16;
  const m = roundShift(v, n);
  return m === 65536n ? { m: 32768n, e: e + n + 1 } : { m, e: e + n };
}

class Pcg32 {
  state = 0n;
  constructor(seed: number) {
    this.next();
    this.state = BigInt.asUintN(64, this.state + BigInt(seed));
    this.next();
  }
  next(): bigint {
    const s = this.state;
    this.state = BigInt.asUintN(64, s * 6364136223846793005n + 1442695040888963407n);
    const x = BigInt.asUintN(32, ((s >> 18n) ^ s) >> 27n);
    const rot = s >> 59n;
    return BigInt.asUintN(32, (x >> rot) | (x << (32n - rot)));
  }
}

function expected(logits: number[], context: number[], options: Options, count: number): number[] {
  const pcg = new Pcg32(options.seed);
  const l = logits.map(BigInt);
  const penalty = BigInt(options.penalty);
  if (penalty !== 0n && penalty !== 1000n)
    for (const id of new Set(context.slice(-64)))
      l[id] = sat32(l[id] > 0n ? (l[id] * 1000n) / penalty : floorDiv(l[id] * penalty, 1000n));
  let order = l.map((_, id) => id).sort((a, b) => (l[a] === l[b] ? a - b : l[a] > l[b] ? -1 : 1));
  if (options.temperature === 0) return Array(count).fill(order[0]);
  if (options.top_k > 0) order = order.slice(0, options.top_k);
  const inverse = scaleOf(65536000n / BigInt(options.temperature), -16);
  const k = inverse.m === 0n ? inverse : scaleOf(47274n * inverse.m, -15 + inverse.e);
  let weights = order.map((id) => {
    const d = roundShift((l[order[0]] - l[id]) * k.m, -k.e + 8);
    return d >> 8n > 45n ? 0n : (BigInt(exp2[Number(d & 255n)]) << 15n) >> (d >> 8n);
  });
  let total = weights.reduce((a, b) => a + b, 0n);
  if (options.top_p < 1000) {
    const wanted = (total * BigInt(options.top_p) + 999n) / 1000n;
    let kept = 0;
    for (let sum = 0n; kept === 0 || sum < wanted; kept++) sum += weights[kept];
    weights = weights.slice(0, kept);
    total = weights.reduce((a, b) => a + b, 0n);
  }
  return Array.from({ length: count }, () => {
    const r = (pcg.next() * total) >> 32n;
    let sum = 0n;
    return order[
      weights.findIndex((weight) => {
        sum += weight;
        return sum > r;
      })
    ];
  });
}

test("PCG32 gives the vectors' states and draws", () => {
  for (const { seed, state, rand32 } of vectors.pcg32) {
    as.call.pcg_seed(PCG, seed);
    assert.equal(as.u64[PCG / 8].toString(16).padStart(16, "0"), state);
    assert.deepEqual(
      rand32.map(() => as.call.pcg_next(PCG) >>> 0),
      rand32,
    );
  }
});

test("PCG32 equals the algorithm in BigInt over 10,000 draws", () => {
  const reference = new Pcg32(0xdeadbeef);
  as.call.pcg_seed(PCG, 0xdeadbeef);
  for (let i = 0; i < 10_000; i++) assert.equal(as.call.pcg_next(PCG) >>> 0, Number(reference.next()));
});

test("the vectors' draws, with room for every id and with room for two", () => {
  assert.ok(vectors.cases.length > 100);
  const logits = new Map(vectors.logits.map(({ name, values }) => [name, values]));
  for (const [index, { ids, context, logits: name, ...options }] of vectors.cases.entries()) {
    const values = logits.get(name);
    assert.ok(values, name);
    for (const room of [values.length, 2])
      assert.deepEqual(draw(values, context, options, ids.length, room), ids, `case ${index}, room ${room}`);
  }
});

test("random logits and options: equal to the page in BigInt, whatever room the order has", () => {
  const random = seeded(1);
  const below = (n: number) => random() % n;
  const shapes = [
    () => below(0x2000000) - 0x1000000, // +-256
    () => below(200_000), // a few units: flat at any temperature
    () => below(5) * 65536, // many equals
    () => random() | 0, // the whole range
    () => -below(4) - 0x7ffffffc, // near the smallest
  ];
  for (let round = 0; round < 400; round++) {
    const vocab = [6, 127, 128, 129, 1024, 3000][below(6)];
    const shape = shapes[below(shapes.length)];
    const logits = Array.from({ length: vocab }, shape);
    const context = Array.from({ length: below(100) }, () => below(vocab));
    const options = {
      seed: random(),
      temperature: [1, 50, 800, 1000, 3000, 100_000, 70_000_000][below(7)],
      top_k: [0, 0, 1, 2, 40, 500, vocab, vocab + 1, 4294967295][below(9)],
      top_p: [1000, 1000, 0, 1, 500, 950, 999, 1001][below(8)],
      penalty: [1000, 0, 1, 900, 1100, 1300, 4294967295][below(7)],
    };
    const wanted = expected(logits, context, options, 5);
    for (const room of [vocab, 7, 1])
      if (vocab <= 1024 || room > 1)
        assert.deepEqual(
          draw(logits, context, options, 5, room),
          wanted,
          JSON.stringify({ round, room, vocab, options }),
        );
  }
});

test("greedy takes the lowest id among equals, and draws nothing", () => {
  const options = { seed: 1, temperature: 0, top_k: 3, top_p: 1, penalty: 1000 };
  assert.deepEqual(draw([5, 9, 9, 7, 9], [], options, 2), [1, 1]);
});

test("the penalty counts each id once, and only the last 64", () => {
  const options = { seed: 1, temperature: 0, top_k: 0, top_p: 1000, penalty: 2000 };
  const old = Array(64).fill(2);
  assert.deepEqual(draw([100, 90, 0], [0, ...old.slice(1)], options, 1), [1], "the 64th last counts: 100/2 < 90");
  assert.deepEqual(draw([100, 90, 0], [0, ...old], options, 1), [0], "the 65th last does not");
  assert.deepEqual(draw([100, 49, 0], [0, 0, 0], options, 1), [0], "once: 100/2 > 49");
});

test("draws follow the distribution (chi-square, fixed seed)", () => {
  const vocab = 300;
  const draws = 60_000;
  const random = seeded(9);
  const logits = Array.from({ length: vocab }, () => random() % 200_000);
  const weights = logits.map((logit) => Math.exp(logit / 65536 / 0.9));
  const total = weights.reduce((a, b) => a + b, 0);
  const counts = Array(vocab).fill(0);
  for (const id of draw(logits, [], { seed: 5, temperature: 900, top_k: 0, top_p: 1000, penalty: 1000 }, draws))
    counts[id]++;
  const chi = counts.reduce(
    (sum, n, id) => sum + (n - (draws * weights[id]) / total) ** 2 / ((draws * weights[id]) / total),
    0,
  );
  // 299 degrees of freedom: mean 299, standard deviation 24.5.
  assert.ok(chi > 200 && chi < 400, `chi-square ${chi}`);
});

test("a flat distribution over 131,072 ids takes milliseconds, not minutes", () => {
  const random = seeded(3);
  const logits = Array.from({ length: 131_072 }, () => random() % 1000);
  const start = performance.now();
  const options = { seed: 8, temperature: 1000, top_k: 0, top_p: 990, penalty: 1000 };
  assert.deepEqual(draw(logits, [], options, 3), expected(logits, [], options, 3));
  assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
});
