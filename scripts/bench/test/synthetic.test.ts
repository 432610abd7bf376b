/** Synthetic models: the same weights in every format, told by readers that did not write them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { Llama, PEER_HINT } from "../../../host/bench/llama.ts";
import { convert } from "../../../host/convert/index.ts";
import { unpackRows } from "../../../host/convert/packing.ts";
import { Engine, LOGIT_UNIT } from "../../../host/engine/engine.ts";
import { readImage } from "../../../host/image/reader.ts";
import { PACK_GAIN } from "../../../spec/packing.ts";
import { ROOT } from "../../lib/root.mjs";
import { writeGguf } from "../synthetic/gguf.ts";
import { writeHf } from "../synthetic/hf.ts";
import { writeSyntheticImage } from "../synthetic/image.ts";
import { SHAPE_QUICK } from "../synthetic/shape.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-synthetic-"));
after(() => rm(folder, { recursive: true }));
/** llama.cpp gives the architecture `bitnet` SiLU whatever the file says; so that both compute the same, our image gets it too. */
const SHAPE = { ...SHAPE_QUICK, activation: "silu" as const };
const image = join(folder, "model.trit");
const gguf = join(folder, "model.gguf");
await writeSyntheticImage(SHAPE, image);
await writeGguf(SHAPE, gguf);

/** (rows, cols) trits or integers of every matrix of an image, by kind and layer. */
async function matrices(path: string): Promise<Map<string, Int8Array>> {
  const read = readImage(new Uint8Array(await readFile(path)));
  return new Map(
    read.tensors
      .filter(({ packing }) => packing < PACK_GAIN)
      .map(({ kind, layer, packing, rows, cols, data }) => [`${kind} ${layer}`, unpackRows(packing, data, rows, cols)]),
  );
}

describe("a synthetic model", () => {
  it("as latent weights becomes, by the converter, the image that was written directly", async () => {
    const directory = join(folder, "hf");
    await writeHf(SHAPE, directory, { shardBytes: 500_000 });
    assert.ok((await readdir(directory)).includes("model.safetensors.index.json"), "it is sharded");
    const converted = join(folder, "converted.trit");
    await convert(directory, converted, { embedPacking: "int8" });
    const direct = await matrices(image);
    const fromHf = await matrices(converted);
    assert.deepEqual([...fromHf.keys()], [...direct.keys()]);
    for (const [name, weights] of direct) assert.deepEqual(fromHf.get(name), weights, name);
  });

  it("as GGUF becomes the same image, tokenizer included", async () => {
    const converted = join(folder, "from-gguf.trit");
    await convert(gguf, converted, { embedPacking: "int8" });
    assert.deepEqual(await matrices(converted), await matrices(image));
    const tokenizer = async (path: string) => readImage(new Uint8Array(await readFile(path))).tokenizer;
    assert.deepEqual(await tokenizer(converted), await tokenizer(image));
  });

  it("is the same from the same seed, and another from another", async () => {
    const again = join(folder, "again.trit");
    await writeSyntheticImage(SHAPE, again);
    assert.deepEqual(await readFile(again), await readFile(image));
    await writeSyntheticImage({ ...SHAPE, seed: 2 }, again);
    assert.notDeepEqual(await readFile(again), await readFile(image));
  });

  it("keeps its signals at size: logits are neither flat nor saturated", async () => {
    const engine = await Engine.open(new Uint8Array(await readFile(image)));
    const logits = Array.from(engine.forward(40, 0), (logit) => logit * LOGIT_UNIT);
    const deviation = Math.sqrt(logits.reduce((sum, logit) => sum + logit * logit, 0) / logits.length);
    assert.ok(deviation > 1 && deviation < 100, `deviation ${deviation}`);
  });

  it("as GGUF is what llama.cpp computes too: its logits are ours", async (test) => {
    const llama = Llama.load();
    if (llama === null) return test.skip(`llama.cpp is not installed. ${PEER_HINT}`);
    const session = llama.open(gguf, 64);
    assert.equal(session.vocabSize, SHAPE.vocabSize);
    assert.match(session.description, /^bitnet .*TQ2_0/);
    const engine = await Engine.open(new Uint8Array(await readFile(image)));
    for (const [position, id] of [40, 300, 41, 99, 7].entries()) {
      session.evaluate([id]);
      const theirs = session.logits();
      const ours = Array.from(engine.forward(id, position), (logit) => logit * LOGIT_UNIT);
      assert.ok(cosine(ours, theirs) > 0.99, `position ${position}: cosine ${cosine(ours, theirs)}`);
    }
    session.free();
  });

  it("is written by the command, and nothing stays of one that was interrupted", async () => {
    const program = ["scripts/run_ts.mjs", "scripts/bench/synthetic.ts", "--image", "-o", join(folder, "command")];
    const small = [
      "--dim",
      "256",
      "--hidden",
      "512",
      "--layers",
      "1",
      "--heads",
      "4",
      "--kv-heads",
      "2",
      "--vocab",
      "600",
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [...program, ...small], { cwd: ROOT });
    assert.equal(stdout.trim(), join(folder, "command/synthetic-256x1-seed1.trit"));
    await assert.rejects(
      writeGguf(SHAPE, join(folder, "cut.gguf"), undefined, AbortSignal.abort(new Error("interrupted"))),
      /interrupted/i,
    );
    assert.deepEqual(
      (await readdir(folder)).filter((name) => /part|cut/.test(name)),
      [],
    );
  });
});

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}
