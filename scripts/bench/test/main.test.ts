/** npm run bench --quick: whether the benchmark runs from models to figure. What it measures is nobody's business here. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../lib/root.mjs";
import { withGenerated } from "../report.ts";
import { RunStore } from "../runs.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-bench-"));
after(() => rm(folder, { recursive: true }));

type Line = { event: string } & Record<string, unknown>;

const BENCH: Record<string, string> = {
  name: "string",
  shape: "string",
  mode: "string",
  threads: "number",
  gweights_s: "number",
  peer: "string",
  peer_gweights_s: "number",
  ratio: "number",
};

describe("npm run bench", () => {
  it("--quick: events of every part, a page and a figure", { timeout: 300_000 }, async () => {
    const page = join(folder, "bench.md");
    const options = [
      "--quick",
      "--no-build",
      "--rounds",
      "1",
      "--json",
      "--markdown",
      page,
      "--folder",
      join(folder, "models"),
    ];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["scripts/run_ts.mjs", "scripts/bench/main.ts", ...options],
      { cwd: ROOT, maxBuffer: 1 << 24 },
    );
    const lines = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
    const machine = lines.find(({ event }) => event === "machine");
    assert.ok(Number(machine?.cores) >= 1 && String(machine?.node).includes("."), JSON.stringify(machine));
    const measured = lines.filter(({ event }) => event === "bench");
    for (const line of measured) {
      for (const [field, type] of Object.entries(BENCH)) assert.equal(typeof line[field], type, JSON.stringify(line));
      assert.match(String(line.mode), /^(hot|cold|prefill|decode)$/);
      for (const field of ["gweights_s", "peer_gweights_s", "ratio"])
        assert.ok(Number(line[field]) > 0, JSON.stringify(line));
    }
    assert.ok(
      measured.some(({ tok_s }) => tok_s === undefined),
      "kernels",
    );
    // Two threads beside one, on a machine that has them; llama.cpp where it is installed.
    const memory = lines.filter(({ event }) => event === "memory");
    assert.ok(
      memory.length > 0 && memory.every(({ rss_bytes, image_bytes }) => Number(rss_bytes) > Number(image_bytes)),
    );
    const written = await readFile(page, "utf8");
    assert.match(written, /^<!-- npm run bench .*-->\n/);
    assert.match(written, /\n### Memory\n/);
    const svg = await readFile(join(folder, "bench.svg"), "utf8");
    assert.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
    assert.ok(
      (await readdir(join(folder, "models"))).every((name) => /^synthetic-256x2-seed1\.(trit|gguf)$/.test(name)),
    );
  });

  it("makes the generated part of a page anew and leaves what stands around it", () => {
    const first = withGenerated("# Benchmarks\n\nwords\n", "one");
    assert.match(first, /^# Benchmarks\n\nwords\n\n<!-- npm run bench .*-->\none\n<!-- -->\n$/);
    assert.equal(withGenerated(`${first}\nafter\n`, "two"), `${first.replace("one", "two")}\nafter\n`);
  });

  it("keeps what an interrupted benchmark has told, but not for another program or run", async () => {
    const run = { name: "a run", node: process.execPath, args: ["--only", "kernels"], seconds: 1 };
    const store = await RunStore.open(folder, false);
    await store.keep(run, [{ event: "machine" }]);
    const again = await RunStore.open(folder, false);
    assert.deepEqual(again.known(run), [{ event: "machine" }]);
    assert.equal(again.known({ ...run, args: ["--only", "models"] }), null);
    assert.equal((await RunStore.open(folder, true)).known(run), null);
  });
});
