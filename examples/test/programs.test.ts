/** The examples as people start them: processes of their own, which know the package by its name alone. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readScenario, runScenario, serveSim, startSim } from "../../host/index.ts";
import { ROOT } from "../../scripts/lib/root.mjs";

const folder = await mkdtemp(join(tmpdir(), "tritkit-examples-"));
after(() => rm(folder, { recursive: true }));

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(program: string, args: readonly string[], stdin = ""): Promise<Ended> {
  const child = spawn(process.execPath, [join("examples/programs", program), ...args], { cwd: ROOT });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  child.stdin.end(stdin);
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, stdout, stderr })));
}

/** Where a board of this process can be reached. */
async function withBoard(work: (port: string) => Promise<void>): Promise<void> {
  const sim = await startSim("rp2040-pico", { seed: 1 });
  const served = await serveSim(sim, { tcp: 0 });
  try {
    await work(served.port);
  } finally {
    await served.close();
    sim.close();
  }
}

describe("examples/programs", () => {
  test("flash.mjs and chat.mjs: a model goes to a board, and the board talks", async () => {
    await withBoard(async (port) => {
      const none = await run("chat.mjs", [port], "hello\n");
      assert.equal(none.status, 1);
      assert.match(none.stderr, /has no model: examples\/programs\/flash\.mjs/);
      const flashed = await run("flash.mjs", [port, "llama-300k"]);
      assert.equal(flashed.status, 0, flashed.stderr);
      assert.match(
        flashed.stdout,
        /^llama-300k on rp2040-pico, 256 positions, sha256 [0-9a-f]{8}, 0 bytes were there$/m,
      );
      const chat = await run("chat.mjs", [port], "Once upon a time\n");
      assert.equal(chat.status, 0, chat.stderr);
      assert.match(chat.stdout, /there was a/);
    });
  });

  test("an assistant on a board: calls and answers in words", async () => {
    await withBoard(async (port) => {
      const flashed = await run("flash.mjs", [port]);
      assert.equal(flashed.status, 0, flashed.stderr);
      assert.match(flashed.stdout, /^an assistant with 13 tools$/m);
      const chat = await run("chat.mjs", [port], "turn on the lamp\norder me a pizza\n");
      assert.equal(chat.status, 0, chat.stderr);
      assert.match(chat.stdout, /lamp on: 100 %/);
      assert.match(chat.stdout.split("lamp on")[1], /board {2}\S/, "it says that it cannot");
    });
  });

  test("emulator.mjs: pins move, and a sensor is read", async () => {
    const { status, stdout, stderr } = await run("emulator.mjs", []);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^turn on the lamp\n {2}pin 15 {2}duty 100 % {2}at \d+\.\d{3} s$/m);
    assert.match(stdout, /^set the fan to 40 percent\n {2}pin 16 {2}duty 40 %/m);
    assert.match(stdout, /"tool":"temperature","verb":"get","value":21\.5,"unit":"celsius"/);
  });

  test("emulator.mjs with tools of one's own, which nobody trained it for", async () => {
    const feeder = { name: "fish feeder", kind: "switch", aliases: ["feeder"], drive: { type: "gpio", pin: 11 } };
    const file = join(folder, "fish.json");
    await writeFile(file, JSON.stringify({ tools: [feeder] }));
    const { status, stdout, stderr } = await run("emulator.mjs", ["--tools", file, "turn on the fish feeder"]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /pin 11 {2}level 1/);
    const wrong = join(folder, "wrong.json");
    await writeFile(wrong, JSON.stringify({ tools: [{ ...feeder, drive: { type: "gpio", pin: 0 } }] }));
    const refused = await run("emulator.mjs", ["--tools", wrong, "turn on the fish feeder"]);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /pin 0/i);
  });

  test("without a port they say what they take; a port that is none is one sentence", async () => {
    for (const program of ["flash.mjs", "chat.mjs"]) {
      const { status, stderr } = await run(program, []);
      assert.equal(status, 2);
      assert.match(stderr, /^usage: node examples\/programs\//);
      const nowhere = await run(program, ["/dev/no-such-port"]);
      assert.notEqual(nowhere.status, 0);
      assert.match(nowhere.stderr, /\[E_[A-Z_]+\]\n$/);
      assert.doesNotMatch(nowhere.stderr, /\n +at /);
    }
  });
});

describe("examples/desk-lamp-and-fan", () => {
  test("test.json: sentences move its pins", async () => {
    const { passed, steps } = await runScenario(await readScenario(join(ROOT, "examples/desk-lamp-and-fan/test.json")));
    const failed = steps.flatMap(({ number, label, error }) =>
      error === null ? [] : [`${number} ${label}: ${error.message}`],
    );
    assert.deepEqual(failed, []);
    assert.ok(passed && steps.length > 25);
  });

  test("its README names every pin of tools.json", async () => {
    const text = (file: string) => readFile(join(ROOT, "examples/desk-lamp-and-fan", file), "utf8");
    const readme = await text("README.md");
    for (const { drive } of JSON.parse(await text("tools.json")).tools) {
      // ADC channel n of an RP2040 is GP26 + n.
      const pin = drive.type === "adc" ? 26 + drive.channel : drive.pin;
      assert.match(readme, new RegExp(`\\bGP${pin}\\b`));
    }
  });
});
