/**
 * Threads that share a forward pass (as/model/team.ts): whatever the others do, or do not, the logits are those of one thread. And a batch of positions
 * has the logits that they have one by one.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { PACK_TRITS_4 } from "../../spec/packing.ts";
import { type EngineExports, engineInstance, engineModule } from "./load_engine.ts";
import { Random } from "./random.ts";
import { TINY, tinyImage } from "./tiny_image.ts";

/** Large enough for its matrices, its head and, in a batch, its attention to be shared. */
const SHAPE = {
  ...TINY,
  dim: 256,
  hidden: 1000,
  heads: 8,
  kvHeads: 2,
  headDim: 32,
  vocab: 1500,
  embedPacking: PACK_TRITS_4,
};
const IMAGE = tinyImage(SHAPE, new Random(41));
const IDS = new Random(42)
  .vector(48, () => new Random(43).between(0, SHAPE.vocab - 1))
  .map((id, i) => (id + 37 * i) % SHAPE.vocab);

async function engine(): Promise<EngineExports> {
  return (await engineInstance()).exports as unknown as EngineExports;
}

function open(model: EngineExports): void {
  const at = model.reserve(IMAGE.length) >>> 0;
  new Uint8Array(model.memory.buffer, at).set(IMAGE);
  assert.equal(model.open(at, IMAGE.length, 0, 2), 0);
}

function oneByOne(model: EngineExports): Int32Array[] {
  return IDS.map((id, position) => logitsAt(model, model.forward(id, position, 1)));
}

function logitsAt(model: EngineExports, address: number): Int32Array {
  return new Int32Array(model.memory.buffer, address >>> 0, SHAPE.vocab).slice();
}

function inBatches(model: EngineExports, n: number): Int32Array[] {
  const ids = model.reserve(4 * n) >>> 0;
  const logits: Int32Array[] = [];
  for (let from = 0; from < IDS.length; from += n) {
    const some = IDS.slice(from, from + n);
    new Uint32Array(model.memory.buffer, ids, n).set(some);
    assert.equal(model.forward_batch(ids, some.length, from), 1);
    for (let i = 0; i < some.length; i++) logits.push(logitsAt(model, model.logits_of(i)));
  }
  return logits;
}

const alone = await engine();
open(alone);
const wanted = oneByOne(alone);

test("a batch of positions has the logits that they have one by one", () => {
  for (const n of [16, 7, 1]) assert.deepEqual(inBatches(alone, n), wanted, `batches of ${n}`);
});

test("a batch out of range computes nothing", () => {
  const ids = alone.reserve(64) >>> 0;
  new Uint32Array(alone.memory.buffer, ids, 16).fill(5);
  const before = oneByOne(alone).at(-1);
  for (const [n, position] of [
    [17, 0],
    [0, 0],
    [-1, 0],
    [2, SHAPE.seqLen - 1],
    [1, -1],
  ])
    assert.equal(alone.forward_batch(ids, n, position), 0, `${n} at ${position}`);
  new Uint32Array(alone.memory.buffer, ids, 16)[1] = SHAPE.vocab;
  assert.equal(alone.forward_batch(ids, 2, 0), 0);
  assert.deepEqual(logitsAt(alone, alone.forward(IDS[47], 47, 1)), before, "the cache is as it was");
});

test("a team whose other threads never came computes the same", async () => {
  const model = await engine();
  assert.notEqual(model.team_open(3), 0);
  open(model);
  assert.equal(model.team_size(), 3);
  assert.deepEqual(inBatches(model, 16), wanted);
  assert.deepEqual(oneByOne(model), wanted);
});

/** Takes chunks as a worker does, and never brings a result; EPOCH, states and their tags are those of team.ts. */
const THIEF = `
const { workerData, parentPort } = require("node:worker_threads");
const words = new Int32Array(workerData.buffer, workerData.team);
const taken = new Int32Array(workerData.taken);
parentPort.postMessage("ready");
for (;;) {
  const epoch = Atomics.load(words, 0);
  for (let c = 0; c < 40; c += 3) {
    if (Atomics.compareExchange(words, 128 + c, epoch << 3, (epoch << 3) | 1) === epoch << 3) Atomics.add(taken, 0, 1);
  }
  if (Atomics.load(words, 33) !== 0) break;
}
`;

test("chunks that a thread takes and never brings are computed by the leader", async () => {
  const model = await engine();
  const team = model.team_open(2) >>> 0;
  open(model);
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { buffer: model.memory.buffer, team, taken: taken.buffer };
  const thief = new Worker(THIEF, { eval: true, workerData });
  await once(thief, "message");
  // How often it comes in time is the scheduler's business.
  for (let round = 0; round < 300 && Atomics.load(taken, 0) < 20; round++) {
    assert.deepEqual(oneByOne(model), wanted);
    assert.deepEqual(inBatches(model, 16), wanted);
  }
  const gone = once(thief, "exit");
  model.team_dismiss();
  await gone;
  assert.ok(taken[0] >= 20, `${taken[0]} chunks were taken`);
});

const WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
WebAssembly.instantiate(workerData.module, { env: { memory: workerData.memory } }).then(({ exports }) => {
  parentPort.once("message", (team) => exports.team_work(team, workerData.index));
  parentPort.postMessage("ready");
});
`;

for (const size of [2, 3])
  test(`${size} threads compute the logits of one, also when they come late and leave early`, async () => {
    const { exports } = await engineInstance();
    const model = exports as unknown as EngineExports;
    const module = await engineModule();
    const workers = Array.from({ length: size - 1 }, (_, i) => {
      return new Worker(WORKER, { eval: true, workerData: { module, memory: model.memory, index: i + 1 } });
    });
    await Promise.all(workers.map((worker) => once(worker, "message")));
    const team = model.team_open(size) >>> 0;
    open(model);
    assert.deepEqual(oneByOne(model), wanted, "before the workers listen");
    for (const worker of workers) worker.postMessage(team);
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(inBatches(model, 16), wanted);
      assert.deepEqual(oneByOne(model), wanted);
      await new Promise((resolve) => setTimeout(resolve, 5 + 300 * round)); // long enough to nap, then to sleep
    }
    const gone = workers.map((worker) => once(worker, "exit"));
    model.team_dismiss();
    await Promise.all(gone);
    assert.equal(model.team_size(), 1);
    assert.deepEqual(oneByOne(model).slice(0, 4), wanted.slice(0, 4), "alone again");
  });

test("a kernel ends and stays in the memory whatever it finds among the prepared activations, as a thread that comes late does", async () => {
  const { exports } = await engineInstance();
  const model = exports as unknown as EngineExports;
  const random = new Random(44);
  const [rows, cols, n] = [64, 520, 3];
  for (let kernel = 0; kernel < 3; kernel++) {
    if (((model.kernels() >> kernel) & 1) === 0) continue;
    const w = model.reserve(model.repacked_bytes(kernel, rows, cols)) >>> 0;
    const acc = model.reserve(4 * rows * n) >>> 0;
    const scratch = model.reserve(65536) >>> 0;
    // Last, so that what lies behind it lies behind the memory.
    const bytes = n * model.prepared_bytes(kernel, cols);
    const prepared = model.reserve(bytes) >>> 0;
    for (let round = 0; round < 50; round++) {
      const garbage = new Uint8Array(model.memory.buffer, prepared, bytes);
      for (let i = 0; i < bytes; i++) garbage[i] = random.between(0, 255);
      for (const count of [1, 2, n]) model.product_rows(kernel, w, cols, 0, rows, prepared, count, acc, rows, scratch);
    }
  }
});

test("addresses beyond 2 GiB are addresses", async () => {
  const model = await engine();
  assert.notEqual(model.reserve(0xb0000000), 0);
  open(model);
  assert.ok(model.part_address(8) >>> 0 > 2 ** 31, "the arena lies there");
  assert.ok(model.weights_address() >>> 0 > 2 ** 31, "and the weights");
  assert.deepEqual(oneByOne(model).slice(0, 4), wanted.slice(0, 4));
  assert.deepEqual(inBatches(model, 16), wanted);
});

test("what does not fit into 4 GiB is refused, and what fits to the page is given", async () => {
  const model = await engine();
  assert.equal(model.reserve(0xffff0000), 0);
  assert.notEqual(model.reserve(0xfffb0000), 0);
  assert.equal(model.reserve(1), 0);
  const image = (await engine()).memory; // another instance is not disturbed
  assert.ok(image.buffer.byteLength < 2 ** 20);
});
