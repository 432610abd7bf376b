/** Opening a model in Node: from memory and from a file, with threads, with a cache, and what is said when it does not work. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildImage } from "../convert/build.ts";
import { randomModel } from "../convert/random.ts";
import { Engine, type OpenOptions } from "../engine/engine.ts";
import { TritkitError } from "../errors.ts";
import { run } from "./command.ts";

/** The error that a promise comes to. */
async function failure(promise: Promise<unknown>): Promise<TritkitError> {
  const error = await promise.then(
    () => assert.fail("nothing failed"),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof TritkitError, String(error));
  return error;
}

const folder = await mkdtemp(join(tmpdir(), "tritkit-open-"));
after(() => rm(folder, { recursive: true }));

const { bytes } = await buildImage(
  randomModel({ dim: 256, hiddenDim: 768, nLayers: 3, nHeads: 8, nKvHeads: 2, seqLen: 128, vocabSize: 1200, seed: 5 }),
);
const file = join(folder, "model.trit");
await writeFile(file, bytes);
const PROMPT = "a prompt that is longer than one batch of positions, and has an end";
const ASKED = { temperature: 0.8, topP: 0.95, seed: 3, maxTokens: 40 };

const answerOf = async (engine: Engine) => (await engine.generate(PROMPT, ASKED)).tokenIds;
const wanted = await answerOf(await Engine.open(bytes, { engine: "scalar" }));

test("from memory and from a file, with one thread and with several: the ids of the scalar engine", async () => {
  assert.deepEqual(await answerOf(await Engine.open(bytes)), wanted);
  for (const threads of [1, 2, 3]) {
    const engine = await Engine.openFile(file, { threads });
    assert.equal(engine.threads, threads);
    assert.match(engine.label, new RegExp(`^simd, kernel \\w\\w, ${threads} thread`));
    assert.deepEqual(await answerOf(engine), wanted);
    await engine.close();
    assert.equal(engine.threads, 1);
    assert.deepEqual(await answerOf(engine), wanted, "without its threads");
  }
  for (const engine of ["ref", "scalar"] as const)
    assert.deepEqual(await answerOf(await Engine.openFile(file, { engine })), wanted);
});

test("progress is told in bytes and ends with all of them; the context may be chosen from the configuration", async () => {
  const told: number[] = [];
  const totals = new Set<number>();
  const engine = await Engine.openFile(file, {
    context: ({ seqLen }) => seqLen / 2,
    onProgress: (done, total) => {
      told.push(done);
      totals.add(total);
    },
  });
  assert.equal(engine.context, 64);
  assert.ok(told.every((done, i) => i === 0 || done > told[i - 1]));
  assert.deepEqual([...totals], [told.at(-1)]);
});

/** Opens with the cache; tells whether the weights were read from it: then their bytes are what progress counts. */
async function cached(path: string, options: OpenOptions = {}): Promise<{ hit: boolean; notes: string[] }> {
  const notes: string[] = [];
  let counted = 0;
  const onProgress = (_: number, total: number) => {
    counted = total;
  };
  const engine = await Engine.openFile(path, {
    cache: true,
    onProgress,
    onNote: (note) => notes.push(note),
    ...options,
  });
  assert.deepEqual(await answerOf(engine), wanted);
  return { hit: counted !== bytes.length - 128, notes };
}

test("the cache is written once and read then; a damaged, cut or foreign one is made anew", async () => {
  const [kernel] = [(await Engine.open(bytes)).kernel];
  const beside = `${file}.simd-${kernel}`;
  assert.deepEqual(await cached(file), { hit: false, notes: [] });
  const good = await readFile(beside);
  assert.deepEqual(await cached(file), { hit: true, notes: [] });
  assert.deepEqual(await readdir(folder), ["model.trit", `model.trit.simd-${kernel}`], "nothing else is left");

  const damages: [string, () => Promise<void>][] = [
    [
      "a bit of a weight",
      () =>
        writeFile(
          beside,
          good.map((byte, i) => (i === good.length - 99 ? byte ^ 4 : byte)),
        ),
    ],
    [
      "the header",
      () =>
        writeFile(
          beside,
          good.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
        ),
    ],
    ["cut short", () => truncate(beside, good.length - 1)],
    ["empty", () => writeFile(beside, "")],
    [
      "another build's",
      () => writeFile(beside, Buffer.from(good.toString("latin1").replace(/"build":"../, '"build":"zz'), "latin1")),
    ],
  ];
  for (const [what, damage] of damages) {
    await damage();
    assert.deepEqual(await cached(file), { hit: false, notes: [] }, what);
    assert.deepEqual(await readFile(beside), good, `${what}: made anew`);
  }

  const other = (
    await buildImage(
      randomModel({
        dim: 256,
        hiddenDim: 768,
        nLayers: 3,
        nHeads: 8,
        nKvHeads: 2,
        seqLen: 128,
        vocabSize: 1200,
        seed: 6,
      }),
    )
  ).bytes;
  await writeFile(file, other);
  const engine = await Engine.openFile(file, { cache: true });
  assert.deepEqual(await answerOf(engine), await answerOf(await Engine.open(other, { engine: "scalar" })));
  await writeFile(file, bytes);
});

test("a folder that cannot be written is a note, not an error", async (t) => {
  if (process.getuid?.() === 0) return t.skip("the superuser writes everywhere");
  const closed = await mkdtemp(join(tmpdir(), "tritkit-closed-"));
  try {
    await writeFile(join(closed, "model.trit"), bytes);
    await chmod(closed, 0o555);
    const { hit, notes } = await cached(join(closed, "model.trit"));
    assert.equal(hit, false);
    assert.match(notes.join(), /were not kept/);
  } finally {
    await chmod(closed, 0o755);
    await rm(closed, { recursive: true });
  }
});

test("a cache whose place is taken by a folder is a note too", async () => {
  const own = await mkdtemp(join(tmpdir(), "tritkit-taken-"));
  try {
    const path = join(own, "model.trit");
    await writeFile(path, bytes);
    const { kernel } = await Engine.open(bytes);
    await mkdir(join(`${path}.simd-${kernel}`, "full"), { recursive: true });
    const { hit, notes } = await cached(path);
    assert.equal(hit, false);
    assert.match(notes.join(), /were not kept/);
    assert.equal((await readdir(own)).length, 2, "no part of it is left");
  } finally {
    await rm(own, { recursive: true });
  }
});

test("damage is found while weights stream, and named by its block; so is a file that ends early", async () => {
  const path = join(folder, "damaged.trit");
  for (const at of [200, 5000, bytes.length >> 1, bytes.length - 300]) {
    await writeFile(
      path,
      bytes.map((byte, i) => (i === at ? byte ^ 64 : byte)),
    );
    for (const threads of [1, 2]) {
      const error = await failure(Engine.openFile(path, { threads }));
      assert.equal(error.code, "E_IMAGE_CORRUPT", `byte ${at}`);
      if (at < bytes.length - 1000) assert.match(error.message, new RegExp(`block ${at >> 12} `));
    }
  }
  await writeFile(path, bytes.subarray(0, bytes.length - 1));
  assert.equal((await failure(Engine.openFile(path))).code, "E_IMAGE_TRUNCATED");
  await writeFile(path, "no image");
  assert.equal((await failure(Engine.openFile(path))).code, "E_IMAGE_MAGIC");
});

test("whoever gives up while a model is read gets E_INTERRUPTED, and no cache is left", async () => {
  const path = join(folder, "given_up.trit");
  await writeFile(path, bytes);
  const abort = new AbortController();
  const opening = Engine.openFile(path, {
    cache: true,
    threads: 2,
    signal: abort.signal,
    onProgress: () => abort.abort(),
  });
  assert.equal((await failure(opening)).code, "E_INTERRUPTED");
  assert.equal((await readdir(folder)).filter((name) => name.startsWith("given_up")).length, 1);
});

test("a kernel or a number of threads that is not there is refused", async () => {
  assert.equal((await failure(Engine.open(bytes, { threads: 0 }))).code, "E_USAGE");
  assert.equal((await failure(Engine.open(bytes, { threads: 65 }))).code, "E_USAGE");
  assert.equal((await failure(Engine.open(bytes, { kernel: "c9" as "a3" }))).code, "E_USAGE");
});

test("the command ends though its threads live, says what computed, and refuses what makes no sense", async () => {
  const { status, stdout, stderr } = await run(["run", file, "-p", "a", "-n", "3", "--threads", "2", "--cache"]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /engine simd, kernel \w\w, 2 threads/);
  assert.notEqual(stdout, "");
  assert.equal((await run(["run", file, "-p", "a", "--threads", "0"])).status, 2);
  assert.equal((await run(["run", file, "-p", "a", "--engine", "ref", "--cache"])).status, 2);
  assert.ok((await stat(file)).size === bytes.length);
});
