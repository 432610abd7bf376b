/** `tritkit bench`: its events, and what it says when it cannot measure. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { findPackages } from "../bench/ggml.ts";
import { buildImageFile } from "../convert/index.ts";
import { randomModel } from "../convert/random.ts";
import { json, run, start } from "./command.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-bench-cli-"));
after(() => rm(folder, { recursive: true }));
const QUICK = ["--only", "models", "--quick", "--rounds", "1"];
const DEADLINE_MS = 240_000;

describe("tritkit bench", () => {
  it("a model with one thread and two: rates, their ratio, memory of each process, and who else was busy", async () => {
    const path = join(folder, "random.trit");
    await buildImageFile(randomModel(), path);
    const lines = await json(["bench", path, "--threads", "2,1", ...QUICK], DEADLINE_MS);
    const [machine] = lines;
    assert.equal(machine.event, "machine");
    assert.match(String(machine.machine), /\d+ cores, \d+ GiB, Node [\d.]+, V8 [\d.]+/);
    const scaling = lines.filter(({ event }) => event === "bench");
    assert.deepEqual(
      scaling.map(({ name, mode, threads, peer }) => [name, mode, threads, peer]),
      [
        ["random", "decode", 1, "itself"],
        ["random", "prefill", 1, "itself"],
        ["random", "decode", 2, "the same with 1 thread"],
        ["random", "prefill", 2, "the same with 1 thread"],
      ],
    );
    for (const { tok_s, peer_tok_s, ratio } of scaling)
      assert.ok(Math.abs(Number(ratio) - Number(tok_s) / Number(peer_tok_s)) < 1e-9);
    const memory = lines.filter(({ event }) => event === "memory");
    assert.deepEqual(
      memory.map(({ threads }) => threads),
      [1, 2],
    );
    for (const line of memory)
      assert.ok(Number(line.peak_rss_bytes) >= Number(line.rss_bytes) * 0.9, JSON.stringify(line));
    const conditions = lines.find(({ event }) => event === "conditions");
    assert.ok(Number(conditions?.others_cpu) >= 0 && Number(conditions?.others_cpu) <= 1);
  });

  it("Ctrl-C ends it and every process of it", async () => {
    const bench = start(["bench", "stories-1m", "--threads", "1", "--rounds", "1000", "--only", "models", "--json"]);
    await bench.line(({ event, what }) => event === "progress" && /^round/.test(String(what)));
    bench.signal("SIGINT");
    const { status, stdout } = await bench.ended;
    assert.equal(status, 130, stdout);
  });

  const wrong: [what: string, args: string[], code: RegExp, status: number][] = [
    ["threads that are no number", ["--threads", "1,two"], /E_USAGE/, 2],
    ["threads without end", ["--threads", "1000"], /E_USAGE/, 2],
    ["a part that it has not", ["--only", "boards"], /E_USAGE/, 2],
    ["a model that is not there", ["--threads", "1", ...QUICK], /E_FILE_NOT_FOUND/, 1],
    ["a peer's file that is not there", ["--peer", join(folder, "none.gguf"), ...QUICK], /E_FILE_NOT_FOUND/, 1],
  ];
  for (const [what, args, code, status] of wrong)
    it(`${what}: one line`, async () => {
      const model = what === "a model that is not there" ? join(folder, "none.trit") : "stories-1m";
      const ended = await run(["bench", model, ...args]);
      assert.match(ended.stderr, code);
      assert.equal(ended.status, status);
      assert.equal(ended.stderr.trim().split("\n").length, 1, ended.stderr);
    });

  it("a peer's file that is no GGUF: one line, in llama.cpp's words", async () => {
    const path = join(folder, "no.gguf");
    await writeFile(path, "no GGUF");
    const { status, stderr } = await run(["bench", "stories-1m", "--peer", path, ...QUICK], undefined, DEADLINE_MS);
    assert.match(stderr, findPackages() === null ? /not installed.*E_PEER/ : /does not take .*no\.gguf: .*E_PEER/);
    assert.equal(status, 1);
  });
});
