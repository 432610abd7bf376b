/** TGEMV as a driver sees it (spec/TGEMV.md): products, registers, time, errors. The Verilog is held to the same model by npm run rtl. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { expected } from "../../scripts/rtl/expected.ts";
import { randomBatches } from "../../scripts/rtl/random_jobs.ts";
import * as T from "../../spec/tgemv.ts";
import { TGEMV_DEFAULTS } from "../peripherals/tgemv/config.ts";
import { estimateCycles } from "../peripherals/tgemv/estimate.ts";
import { steady } from "../peripherals/tgemv/ports.ts";
import { Random } from "../random.ts";
import {
  type Bench,
  bench,
  DESC,
  describeJob,
  getY,
  type JobOptions,
  randomWeights,
  reference,
  runChain,
  SRAM,
  setX,
  sizeOf,
  W,
  X,
  Y,
} from "./tgemv_bench.ts";

const read = (b: Bench, offset: number) => b.unit.read(offset, b.now);
const words = (y: bigint[]) => y.map((v) => Number(BigInt.asIntN(32, v)));

describe("products", () => {
  it("gives the results of matvec.json, whose author is another implementation", () => {
    const { cases } = JSON.parse(readFileSync(`${ROOT}/spec/vectors/matvec.json`, "utf8")) as {
      cases: { packing: number; rows: number; cols: number; bytes: string; x: number[]; y: number[] }[];
    };
    const ternary = cases.filter(({ packing }) => packing <= 5);
    assert.ok(ternary.length >= 5);
    for (const { packing, rows, cols, bytes, x, y } of ternary) {
      const b = bench();
      b.weights.set(Buffer.from(bytes, "hex"));
      setX(b, x);
      describeJob(b, { rows, cols, planes: packing, wide: x.some((v) => v < -128 || v > 127) });
      runChain(b);
      assert.deepEqual(getY(b, rows), y, `${rows} x ${cols}, packing ${packing}`);
    }
  });

  it("is PACKING.md's definition for all planes, widths and vectors, also where sums leave 32 bits", () => {
    const random = new Random(5);
    for (let n = 0; n < 120; n++) {
      const wide = random.below(2) === 0;
      const vectors = 1 + random.below(wide ? 2 : 4);
      const slots = wide ? 2 * vectors : vectors;
      const cols = n === 0 ? 5120 : Math.min(1 + random.below(90), 5 * Math.floor(2048 / slots));
      const job: JobOptions = { rows: 1 + random.below(9), cols, planes: 1 + random.below(5), vectors, wide };
      if (n === 0) Object.assign(job, { vectors: 1, wide: true, planes: 5 });
      job.xWords = Math.ceil(job.cols / 2) + 1;
      job.yWords = job.rows + 2;
      const b = bench();
      randomWeights(b, random, sizeOf(job));
      if (n === 0) b.weights.fill(28 * 8 + 26, 0, sizeOf(job)); // every trit 1: 4095 * 5120 * 121 is beyond 2^31
      const most = wide || n === 0 ? 4096 : 128;
      b.sram.fill(0x55, Y - SRAM);
      const xs: number[][] = [];
      for (let v = 0; v < (job.vectors ?? 1); v++) {
        xs.push(Array.from({ length: job.cols }, () => (n === 0 ? 4095 : random.below(2 * most) - most)));
        setX(b, xs[v], X + 4 * job.xWords * v);
      }
      describeJob(b, job);
      b.unit.slow = n % 2 === 1;
      runChain(b);
      assert.equal(read(b, T.TGEMV_ERR), 0);
      for (const [v, x] of xs.entries()) {
        const at: number = Y + 4 * job.yWords * v;
        assert.deepEqual(getY(b, job.rows, at), words(reference(b.weights, job, x)), JSON.stringify(job));
        assert.deepEqual(getY(b, 2, at + 4 * job.rows), [0x55555555, 0x55555555], "wrote beyond the rows");
      }
    }
  });

  it("uses the activations of the job before, and refuses when there are none like that", () => {
    const random = new Random(6);
    const b = bench();
    randomWeights(b, random, 4096);
    const x = Array.from({ length: 23 }, () => random.below(256) - 128);
    setX(b, x);
    const second = { rows: 7, cols: 23, keep: true, waddr: W + 400 };
    describeJob(b, { rows: 3, cols: 23, next: DESC + 40 });
    describeJob(b, second, DESC + 40);
    runChain(b);
    assert.deepEqual(getY(b, 7), words(reference(b.weights.subarray(400), second, x)));
    assert.equal(read(b, T.TGEMV_PC_JOBS), 2);
    describeJob(b, { ...second, cols: 24 });
    runChain(b);
    assert.equal(read(b, T.TGEMV_ERR), T.TGEMV_ERR_BAD_KEEP);
    describeJob(b, second);
    runChain(b);
    assert.equal(read(b, T.TGEMV_ERR), T.TGEMV_ERR_BAD_KEEP, "an error empties the buffer");
  });
});

describe("time", () => {
  it("is the sum of its classes, and 10 fetches, a load of a word a cycle and a beat a cycle", () => {
    const b = bench();
    b.weights.fill(125, 0, 4096);
    describeJob(b, { rows: 64, cols: 60 });
    // fetch 11, check 1, load 30 + 1, prime 1, run 1 + 192 beats, drain 1 + 4
    assert.equal(runChain(b), 11 + 1 + 31 + 1 + 192 + 5);
    const sum = [
      T.TGEMV_PC_SETUP,
      T.TGEMV_PC_ASTALL,
      T.TGEMV_PC_ISSUE,
      T.TGEMV_PC_WSTALL,
      T.TGEMV_PC_OSTALL,
      T.TGEMV_PC_DRAIN,
    ];
    assert.deepEqual(
      sum.map((offset) => read(b, offset)),
      [12, 32, 192, 0, 0, 5],
    );
    assert.equal(read(b, T.TGEMV_PC_CYC_LO), 241);
    assert.equal(read(b, T.TGEMV_PC_BEATS), 192);
    assert.equal(read(b, T.TGEMV_PC_WBYTES), 768);
    assert.equal(read(b, T.TGEMV_PC_ZERO_TRITS), 192 * 20);
  });

  it("is the memory's on a slow memory, and the lanes' with more slots than cycles a beat", () => {
    const job = { rows: 400, cols: 400 };
    const beats = sizeOf(job) / 4;
    for (const [num, den, vectors, per] of [
      [8, 1, 1, 8],
      [8, 1, 4, 8],
      [3, 2, 1, 1.5],
      [3, 2, 4, 4],
      [1, 2, 1, 1],
    ]) {
      const b = bench(steady({ cycles: { num, den }, setup: 0, burstBeats: 0 }));
      b.weights.fill(125);
      describeJob(b, { ...job, vectors });
      const cycles = runChain(b);
      assert.ok(cycles >= beats * per && cycles < beats * per * 1.02 + 820, `${cycles} for ${num}/${den}, ${vectors}`);
    }
  });

  it("is the same by recurrence, with stretches skipped or not, and by the machine", () => {
    const random = new Random(11);
    for (let n = 0; n < 60; n++) {
      const cycles = { num: 1 + random.below(9), den: 1 + random.below(4) };
      const timing = steady({ cycles, setup: random.below(20), burstBeats: [0, 0, 3, 16, 50][random.below(5)] });
      const job = { rows: 1 + random.below(160), cols: 1 + random.below(40), vectors: 1 + random.below(4) };
      const config = { ...TGEMV_DEFAULTS, fifo: [2, 8, 32][random.below(3)] };
      const runs = [timing, { ...timing, period: undefined }, timing].map((timing, i) => {
        const b = bench(timing, config);
        b.weights.fill(125);
        describeJob(b, { ...job, xWords: 100, yWords: 200 });
        b.unit.slow = i === 2;
        return [runChain(b), b.unit.state.counters];
      });
      assert.deepEqual(runs[0], runs[2], JSON.stringify([cycles, job, config]));
      assert.deepEqual(runs[1], runs[2]);
    }
  });

  it("is the closed form's within 2 %", () => {
    const random = new Random(9);
    const b = bench();
    b.weights.fill(125);
    for (let n = 0; n < 150; n++) {
      const wide = random.below(2) === 0;
      const vectors = 1 + random.below(wide ? 2 : 4);
      const job = {
        rows: 16 + random.below(200),
        cols: 16 + random.below(300),
        planes: 1 + random.below(3),
        vectors,
        wide,
      };
      const [num, den] = [
        [1, 1],
        [3, 2],
        [2, 1],
        [4, 1],
        [8, 1],
        [9, 4],
      ][random.below(6)];
      const [setup, burstBeats] = [
        [0, 0],
        [20, 0],
        [14, 32],
        [10, 8],
      ][random.below(4)];
      const memory = { cycles: { num, den }, setup, burstBeats };
      b.unit.ports.timing = steady(memory);
      describeJob(b, job);
      const cycles = runChain(b);
      assert.equal(read(b, T.TGEMV_ERR), 0);
      const estimate = estimateCycles({ ...job, keep: false }, memory, TGEMV_DEFAULTS);
      assert.ok(Math.abs(estimate / cycles - 1) < 0.02, `${estimate} for ${cycles}: ${JSON.stringify([job, memory])}`);
    }
  });

  it("gives registers, results and cycles of 1,000 random jobs by recurrence as by the machine", () => {
    for (const batch of randomBatches(77, 1000)) {
      const fast = expected(batch, TGEMV_DEFAULTS);
      const slow = expected(batch, TGEMV_DEFAULTS, true);
      assert.deepEqual(fast.lines, slow.lines);
      assert.ok(Buffer.from(fast.mmem).equals(slow.mmem));
    }
  });
});

describe("the host's view", () => {
  it("is busy from the cycle after the doorbell, and shows outputs and the interrupt when the last was written", () => {
    const b = bench();
    b.weights.fill(125);
    b.unit.write(T.TGEMV_IRQ_EN, T.TGEMV_IRQ_DONE, 0);
    describeJob(b, { rows: 8, cols: 10 });
    b.sram.fill(0x55, Y - SRAM, Y - SRAM + 32);
    b.unit.write(T.TGEMV_DOORBELL, DESC, 10);
    assert.equal(b.unit.read(T.TGEMV_STATUS, 11) & 1, T.TGEMV_STATUS_BUSY);
    const end = b.unit.idleAt(11);
    assert.equal(b.unit.read(T.TGEMV_STATUS, end - 1), 1 | (T.TGEMV_PHASE_DRAIN << T.TGEMV_STATUS_PHASE_SHIFT));
    assert.equal(b.unit.irq(end - 1), false);
    assert.equal(b.unit.irqAt(11), end);
    assert.equal(getY(b, 1)[0], 0x55555555);
    assert.equal(b.unit.read(T.TGEMV_STATUS, end), T.TGEMV_STATUS_DONE);
    assert.equal(b.unit.irq(end), true);
    assert.deepEqual(getY(b, 8), Array(8).fill(0));
    b.unit.write(T.TGEMV_IRQ_STAT, 1, end);
    assert.equal(b.unit.irq(end + 1), false);
  });

  it("tells of jobs and phases what the counters say", () => {
    const b = bench();
    b.weights.fill(125);
    const told: string[] = [];
    const phases: number[] = [];
    b.unit.listener = {
      job: (end, job, counts, error) => told.push(`${end} ${job.rows}x${job.cols} ${counts.beats} ${error}`),
      phase: (_, phase) => phases.push(phase),
    };
    describeJob(b, { rows: 8, cols: 10, next: DESC + 40 });
    describeJob(b, { rows: 4, cols: 10, keep: true, wbytes: 4 }, DESC + 40);
    const cycles = runChain(b);
    // Busy from cycle 1: fetch 11, check 1, load 6, prime 1, two beats, two more, the last of which waits 4 cycles for the first block's outputs; drain 5.
    assert.deepEqual(told, ["33 8x10 4 0", `${1 + cycles} 4x10 1 ${T.TGEMV_ERR_LEN_MISMATCH}`]);
    assert.deepEqual(phases, [1, 2, 3, 4, 5, 6, 1, 2, 4, 5, 0]);
  });

  it("comes back by abort from a beat that never comes, and works again", () => {
    let stuck = true;
    const gaps = (out: Float64Array, count: number, beat: number) => {
      for (let i = 0; i < count; i++) out[i] = stuck && beat + i === 5 ? Number.POSITIVE_INFINITY : 1;
    };
    const b = bench({ gaps });
    b.weights.fill(125);
    describeJob(b, { rows: 16, cols: 20 });
    b.unit.write(T.TGEMV_DOORBELL, DESC, 0);
    assert.equal(b.unit.idleAt(1), Number.POSITIVE_INFINITY);
    assert.equal(b.unit.irqAt(1), Number.POSITIVE_INFINITY);
    assert.equal(b.unit.read(T.TGEMV_STATUS, 5_000_000), 1 | (T.TGEMV_PHASE_RUN << T.TGEMV_STATUS_PHASE_SHIFT));
    b.unit.write(T.TGEMV_CTRL, T.TGEMV_CTRL_ABORT, 5_000_000);
    b.now = 5_000_001;
    assert.equal(read(b, T.TGEMV_STATUS), 0);
    assert.equal(read(b, T.TGEMV_PC_BEATS), 5);
    assert.equal(read(b, T.TGEMV_PC_CYC_LO), 5_000_000);
    stuck = false;
    runChain(b);
    assert.equal(read(b, T.TGEMV_STATUS), T.TGEMV_STATUS_DONE);
  });

  it("goes on from a copy of its state as from the original, in the middle of a job", () => {
    const random = new Random(3);
    const a = bench();
    randomWeights(a, random, 4096);
    setX(
      a,
      Array.from({ length: 50 }, () => random.below(256) - 128),
    );
    describeJob(a, { rows: 30, cols: 50 });
    a.unit.write(T.TGEMV_DOORBELL, DESC, 0);
    a.unit.write(T.TGEMV_IRQ_EN, 1, 70); // brings the state there
    const b = bench();
    b.weights.set(a.weights);
    b.sram.set(a.sram);
    b.unit.restore(structuredClone(a.unit.state));
    const end = a.unit.idleAt(80);
    assert.equal(b.unit.idleAt(80), end);
    a.unit.settle(end);
    b.unit.settle(end);
    assert.deepEqual(b.sram, a.sram);
    assert.deepEqual(b.unit.state, a.unit.state);
  });
});

describe("errors", () => {
  const cases: [
    what: string,
    code: number,
    info: number | null,
    job: Partial<JobOptions>,
    spoil?: (b: Bench) => void,
  ][] = [
    ["weights off a word", T.TGEMV_ERR_MISALIGNED, W + 2, { waddr: W + 2 }],
    ["no vectors", T.TGEMV_ERR_BAD_VECTORS, null, { vectors: 0 }],
    ["three wide vectors", T.TGEMV_ERR_BAD_VECTORS, null, { vectors: 3, wide: true }],
    ["a column too many", T.TGEMV_ERR_BAD_DIM, (8 << 16) | 10241, { cols: 10241 }],
    ["packing 6", T.TGEMV_ERR_BAD_PACKING, null, { planes: 6 }],
    ["an illegal code", T.TGEMV_ERR_BAD_CODE, W + 9, {}, (b) => b.weights.fill(251, 9, 10)],
    ["weights beyond memory", T.TGEMV_ERR_BUS, W + (1 << 18), { waddr: W + (1 << 18) - 8 }],
    ["short weights", T.TGEMV_ERR_LEN_MISMATCH, 12, { wbytes: 12 }],
    ["long weights", T.TGEMV_ERR_LEN_MISMATCH, 20, { wbytes: 20 }],
    ["a flipped bit", T.TGEMV_ERR_BAD_SUM, DESC, {}, (b) => b.sram.fill(1, DESC - SRAM + 33, DESC - SRAM + 34)],
    ["128", T.TGEMV_ERR_BAD_ACT, 6, {}, (b) => setX(b, [0, 0, 0, 0, 0, 0, 0, 128])],
  ];
  for (const [what, code, info, job, spoil] of cases)
    it(`${what} is error ${code}, told by interrupt, and the next job runs`, () => {
      const b = bench();
      b.weights.fill(125);
      b.unit.write(T.TGEMV_IRQ_EN, T.TGEMV_IRQ_ERROR, b.now++);
      const whole = { rows: 8, cols: 8, ...job };
      describeJob(b, whole);
      spoil?.(b);
      runChain(b);
      assert.equal(read(b, T.TGEMV_ERR), code);
      if (info !== null) assert.equal(read(b, T.TGEMV_ERR_INFO), info);
      assert.equal(read(b, T.TGEMV_STATUS), T.TGEMV_STATUS_ERR);
      assert.equal(b.unit.irq(b.now), true);
      assert.equal(read(b, T.TGEMV_PC_JOBS), 0);
      b.weights.fill(125);
      setX(b, Array(8).fill(0));
      describeJob(b, { rows: 8, cols: 8 });
      runChain(b);
      assert.equal(read(b, T.TGEMV_STATUS), T.TGEMV_STATUS_DONE);
    });

  it("takes the largest job of 10,240 columns and refuses what a smaller buffer cannot hold", () => {
    const b = bench();
    b.weights.fill(125);
    describeJob(b, { rows: 1, cols: 10240 });
    runChain(b);
    assert.equal(read(b, T.TGEMV_STATUS), T.TGEMV_STATUS_DONE);
    assert.throws(() => bench(undefined, { slots: 4, fifo: 3, entries: 64 }), RangeError);
    assert.throws(() => steady({ cycles: { num: 1, den: 0 }, setup: 0, burstBeats: 0 }), RangeError);
    assert.throws(() => b.unit.read(2, b.now), RangeError);
  });
});
