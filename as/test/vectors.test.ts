/**
 * The outside witness: spec/vectors were written by another implementation of the same pages (Python, from the text alone). Every case is
 * replayed; results agree to the last bit. Not replayed here: sampler.json and tokenizer.json (their own tests), and the few cases whose
 * inputs this implementation never forms (64-bit vectors of quantise, `apply` beyond 32 bits).
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { ACTIVATION_RELU2, ACTIVATION_SILU } from "../../spec/image.ts";
import { LOG2E_EXP, LOG2E_MANT } from "../../spec/numerics.ts";
import { LUT_BYTES, PACK_GAIN, PACK_INT4, PACK_INT8 } from "../../spec/packing.ts";
import { fromWord, Heap, loadEngine, makeTables, ropeInc, type Scale, toWord } from "./load_engine.ts";
import { simdProduct } from "./simd_product.ts";

interface Packing {
  legal: [byte: number, trits: number[]][];
  matrices: { packing: number; rows: number; cols: number; weights: number[][]; bytes: string }[];
  tables: { x: number[]; entries: number[] }[];
}

interface Matvec {
  cases: { packing: number; rows: number; cols: number; bytes: string; x: number[]; y: number[] }[];
}

interface Numerics {
  exp2: number[];
  sigmoid_table: number[];
  sine: number[];
  round_shift: { v: string; s: number; y: string }[];
  scale_of: { v: string; e: number; s: Scale }[];
  scale_mul: { a: Scale; b: Scale; s: Scale }[];
  apply: { v: string; s: Scale; f: number; y: number }[];
  isqrt: { v: string; y: number }[];
  quantise: { x: (number | string)[]; s: Scale; qmax: number; q: number[]; sq: Scale }[];
  norm_quantise: {
    x: number[];
    s: Scale;
    gain: number[];
    gain_exp: number;
    eps: Scale;
    qmax: number;
    q: number[];
    sq: Scale;
  }[];
  norm_uniform: { n: number; x: number; s: Scale; gain: number; gain_exp: number; eps: Scale; q: number; sq: Scale }[];
  normalise: { x: number[]; b: number; y: number[]; d: number }[];
  row_scales: { acc: number[]; sq: Scale; rows: Scale[]; y: number[]; s: Scale; x: number[]; x_after: number[] }[];
  sigmoid: [t: number, value: number][];
  gated: { activation: "relu2" | "silu"; g: number[]; sg: Scale; u: number[]; su: Scale; h: number[]; s: Scale }[];
  trig: [phase: number, sin: number, cos: number][];
  rope_inc: { theta: number; head_dim: number; inc: number[] }[];
  rope: {
    acc: number[];
    s: Scale;
    position: number;
    theta: number;
    rotated: number[];
    rotated_s: Scale;
    q: number[];
    sq: Scale;
    k: number[];
    k_word: number;
  }[];
  kv_scale: { s: Scale; word: number }[];
  attention: {
    name: string;
    head_dim: number;
    positions: number;
    q: number[];
    sq: Scale;
    attn_scale: Scale;
    keys: string;
    k_words: number[];
    values: string;
    v_words: number[];
    o: number[];
    so: Scale;
  }[];
  combine: { heads: [o: number[], so: Scale][]; x: number[]; s: Scale }[];
}

interface Experts {
  router: { rows: number[][]; q: number[]; sq: Scale; row_scales: Scale[]; logits: number[] }[];
  choice: { logits: number[]; used: number; chosen: number[]; weights: Scale[] }[];
}

interface Transcript {
  image: string;
  context: number;
  vocab_size: number;
  prompt_ids: number[];
  greedy: { ids: number[]; decode_logits_sha256: string; all_logits_sha256: string };
  sampled: { ids: number[]; decode_logits_sha256: string; all_logits_sha256: string };
  first_logits: number[][];
  quiet: { ids: number[]; logits: number[][] };
}

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(ROOT, "spec/vectors", name), "utf8")) as T;
}

const engine = await loadEngine();
const heap = new Heap(engine, 24 << 20);
const numerics = vectors<Numerics>("numerics.json");
/** Not touched by heap.reset(). */
const permanent = new Heap(engine, 1 << 16);
const tablesAt = permanent.bytes(makeTables());

test("packing.json: every legal byte decodes to its trits, every matrix unpacks", () => {
  const { legal, matrices } = vectors<Packing>("packing.json");
  for (const [byte, trits] of legal) {
    heap.reset();
    const out = heap.room(5);
    engine.unpack_trits_row(heap.bytes([byte]), 1, 5, 0, out);
    assert.deepEqual(heap.readI8(out, 5), trits, `byte ${byte}`);
  }
  for (const { packing, rows, cols, weights, bytes } of matrices) {
    heap.reset();
    const w = heap.bytes(Buffer.from(bytes, "hex"));
    const out = heap.room(rows * cols);
    if (packing === PACK_INT8 || packing === PACK_GAIN) continue; // nothing to unpack
    if (packing === PACK_INT4) engine.repack_int4_int8(w, rows, cols, out);
    else engine.repack_trits_int8(w, packing, rows, cols, out);
    assert.deepEqual(heap.readI8(out, rows * cols), weights.flat(), `${packing}: ${rows} x ${cols}`);
  }
});

test("packing.json: tables of partial sums", () => {
  const { legal, tables: cases } = vectors<Packing>("packing.json");
  for (const { x, entries } of cases) {
    heap.reset();
    const table = heap.room(LUT_BYTES);
    engine.lut_build(heap.i16(x), 5, table);
    const built = new Uint16Array(engine.memory.buffer, table, LUT_BYTES / 2);
    assert.deepEqual(
      legal.map(([byte]) => built[byte]),
      entries,
    );
  }
});

test("matvec.json: every kernel of each packing", () => {
  for (const { packing, rows, cols, bytes, x, y } of vectors<Matvec>("matvec.json").cases) {
    heap.reset();
    const w = heap.bytes(Buffer.from(bytes, "hex"));
    const q = heap.i16([...x, ...Array<number>(8).fill(0)]);
    const acc = heap.room(4 * rows + 32);
    const label = `packing ${packing}: ${rows} x ${cols}`;
    const check = (kernel: string) => assert.deepEqual(heap.readI32(acc, rows), y, `${kernel}, ${label}`);
    if (packing === PACK_INT8 || packing === PACK_INT4) {
      const wide = heap.room(rows * cols);
      if (packing === PACK_INT4) {
        engine.rows_int4(w, rows, cols, q, acc);
        engine.repack_int4_int8(w, rows, cols, wide);
      } else {
        engine.rows_int8(w, rows, cols, q, acc);
        new Uint8Array(engine.memory.buffer).copyWithin(wide, w, w + rows * cols);
      }
      check("scalar");
      engine.rows_int8_simd(wide, rows, cols, q, acc);
      check("simd");
      continue;
    }
    engine.ternary_ref(w, packing, rows, cols, q, acc);
    check("ref");
    for (const tile of [1, 3, 1000]) {
      engine.ternary_lut(w, packing, rows, cols, q, acc, heap.room(Math.min(tile, cols) * LUT_BYTES + 8), tile);
      check(`lut, tile ${tile}`);
    }
    if (packing === 1 && x.every((v) => Math.abs(v) <= 127)) {
      assert.deepEqual(heap.readI32(simdProduct(engine, heap, 0, w, rows, cols, q), rows), y, `simd, ${label}`);
    }
    const wide = heap.room(rows * cols);
    engine.repack_trits_int8(w, packing, rows, cols, wide);
    engine.rows_int8_simd(wide, rows, cols, q, acc);
    check("int8 simd");
  }
});

test("numerics.json: tables", () => {
  const view = new DataView(makeTables().buffer);
  numerics.exp2.forEach((value, i) => {
    assert.equal(view.getUint16(2 * i, true), value);
  });
  numerics.sigmoid_table.forEach((value, i) => {
    assert.equal(view.getUint16(512 + 2 * i, true), value);
  });
  numerics.sine.forEach((value, i) => {
    assert.equal(view.getInt16(1028 + 2 * i, true), value);
  });
  for (const { theta, head_dim, inc } of numerics.rope_inc) assert.deepEqual(ropeInc(theta, head_dim), inc);
});

test("numerics.json: shifts, scales, roots", () => {
  for (const { v, s, y } of numerics.round_shift)
    assert.equal(engine.round_shift64(BigInt(v), s), BigInt(y), `${v} ${s}`);
  for (const { v, e, s } of numerics.scale_of) assert.deepEqual(fromWord(engine.scale_of(BigInt(v), e)), s, v);
  for (const { a, b, s } of numerics.scale_mul)
    assert.deepEqual(fromWord(engine.scale_mul(toWord(a), toWord(b))), s, `${a} ${b}`);
  for (const { v, s, f, y } of numerics.apply)
    if (Math.abs(Number(v)) < 2 ** 31) assert.equal(engine.apply(Number(v), toWord(s), f), y, `${v} * ${s}, ${f}`);
  for (const { v, y } of numerics.isqrt) assert.equal(engine.isqrt(BigInt(v)) >>> 0, y, v);
});

test("numerics.json: quantise and normalise", () => {
  for (const { x, s, qmax, q, sq } of numerics.quantise) {
    if (typeof x[0] === "string") continue;
    heap.reset();
    const out = heap.room(2 * x.length);
    const got = engine.quantise_i16(heap.i32(x.map(Number)), x.length, toWord(s), qmax, out);
    assert.deepEqual([heap.readI16(out, x.length), fromWord(got)], [q, sq], `${x} qmax ${qmax}`);
  }
  for (const { x, b, y, d } of numerics.normalise) {
    heap.reset();
    const at = heap.i32(x);
    assert.equal(engine.normalise(at, x.length, b), d);
    assert.deepEqual(heap.readI32(at, x.length), y);
  }
});

test("numerics.json: norm_quantise", () => {
  const uniform = numerics.norm_uniform.map((c) => ({
    ...c,
    qmax: 127,
    x: Array<number>(c.n).fill(c.x),
    gain: Array<number>(c.n).fill(c.gain),
    q: Array<number>(c.n).fill(c.q),
  }));
  for (const { x, s, gain, gain_exp, eps, qmax, q, sq } of [...numerics.norm_quantise, ...uniform]) {
    heap.reset();
    const n = x.length;
    const out = heap.room(2 * n);
    const got = engine.norm_quantise(heap.i32(x), n, toWord(s), heap.i16(gain), gain_exp, toWord(eps), qmax, out);
    assert.deepEqual([heap.readI16(out, n), fromWord(got)], [q, sq], `n ${n} s ${s} eps ${eps} qmax ${qmax}`);
  }
});

test("numerics.json: row scales", () => {
  for (const { acc, sq, rows, y, s } of numerics.row_scales) {
    heap.reset();
    const at = heap.i32(acc);
    const largest = Math.max(...rows.filter(([m]) => m !== 0).map(([, e]) => e));
    const got = engine.rescale_rows(at, acc.length, heap.i32(rows.map(toWord)), largest, toWord(sq));
    assert.deepEqual([heap.readI32(at, acc.length), fromWord(got)], [y, s]);
  }
});

test("numerics.json: sigmoid and the gated middle", () => {
  for (const [t, value] of numerics.sigmoid) assert.equal(engine.sigmoid15(tablesAt + 512, t), value, `${t}`);
  for (const { activation, g, sg, u, su, h, s } of numerics.gated) {
    heap.reset();
    const at = heap.i32(g);
    const code = activation === "relu2" ? ACTIVATION_RELU2 : ACTIVATION_SILU;
    const got = engine.gated(at, toWord(sg), heap.i32(u), toWord(su), g.length, code, tablesAt);
    assert.deepEqual([heap.readI32(at, g.length), fromWord(got)], [h, s], `${activation} ${g}`);
  }
});

test("numerics.json: trigonometry, RoPE, words of the cache", () => {
  for (const [phase, sin, cos] of numerics.trig) {
    assert.equal(engine.sin15(tablesAt, phase), sin, `sin ${phase}`);
    assert.equal(engine.sin15(tablesAt, (phase + 2 ** 30) | 0), cos, `cos ${phase}`);
  }
  for (const { acc, s, position, theta, rotated, rotated_s, q, sq, k, k_word } of numerics.rope) {
    heap.reset();
    const n = acc.length;
    const rotation = heap.room(2 * n);
    engine.rope_angles(heap.bytes(makeTables(ropeInc(theta, n))), n, position, rotation);
    const y = heap.i32(acc);
    const d = engine.normalise(y, n, 15);
    engine.rope_rotate(y, n, rotation);
    assert.deepEqual(heap.readI32(y, n), rotated);
    assert.deepEqual([s[0], s[1] + d - 15], rotated_s);
    const out = heap.room(2 * n);
    assert.deepEqual(fromWord(engine.quantise_i16(y, n, toWord(rotated_s), 2047, out)), sq);
    assert.deepEqual(heap.readI16(out, n), q);
    assert.equal(engine.kv_scale(engine.quantise_i8(y, n, toWord(rotated_s), 127, out)), k_word);
    assert.deepEqual(heap.readI8(out, n), k);
  }
  for (const { s, word } of numerics.kv_scale) assert.equal(engine.kv_scale(toWord(s)), word, `${s}`);
});

test("numerics.json: attention", () => {
  for (const c of numerics.attention) {
    heap.reset();
    const log2 = engine.scale_mul(toWord(c.sq), toWord([LOG2E_MANT, LOG2E_EXP]));
    const o = heap.room(4 * c.head_dim);
    const so = engine.attend_head(
      heap.i16(c.q),
      engine.scale_mul(log2, toWord(c.attn_scale)),
      c.positions,
      c.head_dim,
      heap.bytes(Buffer.from(c.keys, "base64")),
      heap.i16(c.k_words),
      heap.bytes(Buffer.from(c.values, "base64")),
      heap.i16(c.v_words),
      tablesAt,
      heap.room(4 * c.positions),
      heap.room(8 * c.head_dim),
      o,
    );
    assert.deepEqual([heap.readI32(o, c.head_dim), fromWord(so)], [c.o, c.so], c.name);
  }
  for (const { heads, x, s } of numerics.combine) {
    heap.reset();
    const o = heads.flatMap(([values]) => values);
    const at = heap.i32(o);
    const length = (values: number[]) => 32 - Math.clz32(Math.max(...values.map(Math.abs)));
    const notes = heap.i32(heads.flatMap(([values, so]) => [toWord(so), length(values)]));
    const got = engine.join_heads(at, heads.length, heads[0][0].length, notes);
    assert.deepEqual([heap.readI32(at, o.length), fromWord(got)], [x, s]);
  }
});

test("experts.json: the router's logits", () => {
  for (const { rows, q, sq, row_scales, logits } of vectors<Experts>("experts.json").router) {
    heap.reset();
    const acc = heap.room(4 * rows.length + 32);
    engine.rows_int8(heap.i8(rows.flat()), rows.length, q.length, heap.i16([...q, ...Array<number>(8).fill(0)]), acc);
    const got = heap
      .readI32(acc, rows.length)
      .map((value, e) => engine.apply(value, engine.scale_mul(toWord(sq), toWord(row_scales[e])), 16));
    assert.deepEqual(got, logits);
  }
});

test("experts.json: choices and weights", () => {
  for (const { logits, used, chosen, weights } of vectors<Experts>("experts.json").choice) {
    heap.reset();
    const out = heap.room(8 * used);
    engine.choose_experts(heap.i32(logits), logits.length, used, tablesAt, out);
    const words = heap.readI32(out, 2 * used);
    assert.deepEqual(
      chosen.map((_, j) => words[2 * j]),
      chosen,
    );
    assert.deepEqual(
      weights.map((_, j) => fromWord(words[2 * j + 1])),
      weights,
      `${used} of ${logits}`,
    );
  }
});

for (const name of ["llama", "relu2", "silu", "experts"]) {
  for (const [kind, label] of ["ref", "lut", "simd"].entries()) {
    test(`${name}.trit: the transcript's logits, engine ${label}`, async () => {
      const transcript = vectors<Transcript>(`${name}.transcript.json`);
      const file = readFileSync(join(ROOT, "spec/vectors", transcript.image));
      const model = await loadEngine();
      const image = model.reserve(file.length) >>> 0;
      new Uint8Array(model.memory.buffer, image).set(file);
      assert.equal(model.open(image, file.length, transcript.context, kind), 0);
      assert.equal(model.context(), transcript.context);

      const bytes = transcript.vocab_size * 4;
      const logits = (id: number, position: number) =>
        new Uint8Array(model.memory.buffer, model.forward(id, position, 1) >>> 0, bytes).slice();
      const values = (row: Uint8Array) => [...new Int32Array(row.buffer)];

      transcript.first_logits.forEach((row, position) => {
        assert.deepEqual(values(logits(transcript.prompt_ids[position], position)), row, `position ${position}`);
      });
      transcript.quiet.ids.forEach((id, position) => {
        assert.deepEqual(values(logits(id, position)), transcript.quiet.logits[position], `quiet ${position}`);
      });
      for (const run of [transcript.greedy, transcript.sampled]) {
        const all = createHash("sha256");
        const decoded = createHash("sha256");
        [...transcript.prompt_ids, ...run.ids.slice(0, -1)].forEach((id, position) => {
          const row = logits(id, position);
          all.update(row);
          if (position >= transcript.prompt_ids.length - 1) decoded.update(row);
        });
        assert.equal(all.digest("hex"), run.all_logits_sha256);
        assert.equal(decoded.digest("hex"), run.decode_logits_sha256);
      }
    });
  }
}
