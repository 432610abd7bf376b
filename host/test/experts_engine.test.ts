/** A larger mixture on the SIMD engine as people run it: streamed from a file, prompts in batches, two threads. The ids are those of the scalar engine. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildImage } from "../convert/build.ts";
import { randomModel } from "../convert/random.ts";
import { Engine, type OpenOptions } from "../engine/engine.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-mixture-"));
after(() => rm(folder, { recursive: true }));

// Matrices large enough to be shared among threads.
const SHAPE = {
  dim: 512,
  hiddenDim: 768,
  nLayers: 2,
  nHeads: 8,
  nKvHeads: 2,
  headDim: 64,
  nExperts: 5,
  nExpertsUsed: 2,
};
const { bytes } = await buildImage(randomModel({ ...SHAPE, seed: 9, rowScales: true, tied: false }));
const path = join(folder, "mixture.trit");
await writeFile(path, bytes);

const PROMPT =
  "Forty positions of a prompt choose their own experts, each for itself, while they share a batch of sixteen.";
const OPTIONS = { temperature: 0.8, seed: 3, maxTokens: 24 };

async function ids(options: OpenOptions, fromFile = false): Promise<readonly number[]> {
  const engine = fromFile ? await Engine.openFile(path, options) : await Engine.open(bytes, options);
  try {
    return (await engine.generate(PROMPT, OPTIONS)).tokenIds;
  } finally {
    await engine.close();
  }
}

test("batches of positions, threads, and weights that are streamed and cached change nothing", async () => {
  const wanted = await ids({ engine: "scalar" });
  assert.equal(wanted.length, OPTIONS.maxTokens);
  assert.ok(new Set(wanted).size > 8);
  assert.deepEqual(await ids({}), wanted);
  assert.deepEqual(await ids({ threads: 2 }), wanted);
  assert.deepEqual(await ids({ threads: 2 }, true), wanted);
  for (const round of ["written", "read"]) assert.deepEqual(await ids({ cache: true }, true), wanted, `cache ${round}`);
});
