/** `tritkit sim --script`: exit status, one line that names the step, JSON events, JUnit XML, baselines; and the hand on a board that serves a port. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { end, json, run, start } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "tritkit-scenario-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const GOOD = file("good.json", {
  cpu: "flat",
  model: "llama-300k",
  steps: [
    { chat: "hi", max: 3 },
    { assert: "tokens", is: 3 },
  ],
});
const BAD = file("bad.json", {
  name: "a & b",
  cpu: "flat",
  model: "llama-300k",
  steps: [{ reset: true }, { chat: "hi", max: 3 }, { expect: '"nothing" <of the kind>' }, { reset: true }],
});

describe("a scenario that passes", () => {
  test("leaves with 0, a line for each step, and nothing on stdout", async () => {
    const { status, stdout, stderr } = await run(["sim", "--script", GOOD]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^ok {4}1 {2}\d\.\d{6} {2}chat "hi" {2}3 tokens, max\nok {4}2 .*\ngood {2}rp2040-pico {2}passed, 2 steps, \d\.\d{6} s simulated\n$/,
    );
    assert.equal((await run(["sim", "--script", GOOD])).stderr, stderr, "two runs print the same");
  });

  test("tells each step as JSON", async () => {
    const lines = await json(["sim", "--script", GOOD]);
    assert.deepEqual(
      lines.map(({ event, state, kind, passed }) => [event, state, kind, passed]),
      [
        ["step", "passed", "chat", undefined],
        ["step", "passed", "assert", undefined],
        ["scenario", undefined, undefined, true],
      ],
    );
  });

  test("runs on another board, with a fault from the beginning", async () => {
    const lines = await json(["sim", "--script", GOOD, "--board", "stm32h743", "--fault", "uart-noise:per=5000"]);
    assert.equal(lines.at(-1)?.board, "stm32h743");
  });
});

describe("a scenario that fails", () => {
  test("leaves with 1 and one line that names the step", async () => {
    const { status, stderr } = await run(["sim", "--script", GOOD, "--script", BAD, "--quiet"]);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^tritkit: a & b, step 3 \(expect "\\"nothing\\" <of the kind>"\): The answer ended \(max\) without it; what arrived: ".*"\. \[E_STEP_EXPECT\]\n$/,
    );
  });

  test("skips the steps behind, and says so in JSON and JUnit", async () => {
    const junit = join(folder, "report.xml");
    const { status, stdout } = await run(["sim", "--script", BAD, "--json", "--junit", junit]);
    assert.equal(status, 1);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ event, state, code }) => [event, state ?? null, code ?? null]),
      [
        ["step", "passed", null],
        ["step", "passed", null],
        ["step", "failed", "E_STEP_EXPECT"],
        ["step", "skipped", null],
        ["scenario", null, null],
        ["error", null, "E_STEP_EXPECT"],
      ],
    );
    const xml = readFileSync(junit, "utf8");
    assert.match(xml, /<testsuite name="a &amp; b" tests="4" failures="1" errors="0" skipped="1" time="\d\.\d{6}">/);
    assert.match(xml, /name="3 expect &quot;\\&quot;nothing\\&quot; &lt;of the kind&gt;&quot;"/);
    assert.match(xml, /<failure type="E_STEP_EXPECT" message="The answer ended/);
    assert.equal(xml.match(/<skipped\/>/g)?.length, 1);
    assert.equal(xml.match(/<testcase /g)?.length, 4);
  });
});

describe("a baseline", () => {
  const script = file("fast.json", {
    model: "llama-300k",
    steps: [
      { chat: "hi", max: 4 },
      { assert: "us", baseline: "chat", within_percent: 1 },
    ],
  });
  const path = join(folder, "baseline.json");
  const args = ["sim", "--script", script, "--baseline", path];

  test("is written with --update, held, and missed when a figure moves", async () => {
    assert.equal((await run(args)).status, 2, "there is none yet");
    assert.equal((await run([...args, "--update"])).status, 0);
    const figures = JSON.parse(readFileSync(path, "utf8"));
    assert.ok(figures.fast.chat > 0);
    assert.equal((await run(args)).status, 0);
    writeFileSync(path, JSON.stringify({ fast: { chat: figures.fast.chat * 1.02 } }));
    const { status, stderr } = await run([...args, "--quiet"]);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /step 2 \(assert "us"\): The figure us \d+.* is -1\.9\d+ % off \d+.*, 1 % are allowed\. \[E_STEP_ASSERT\]/,
    );
    writeFileSync(path, "{}");
    assert.match((await run([...args, "--quiet"])).stderr, /The baseline has no "chat" of fast\. --update writes it\./);
    writeFileSync(path, "[1]");
    assert.match((await run([...args, "--quiet"])).stderr, /E_BASELINE/);
  });
});

describe("what is wrong before the first step", () => {
  const cases: [what: string, args: string[], message: RegExp][] = [
    ["no such file", ["--script", join(folder, "none.json")], /There is no file .*none\.json/],
    ["no JSON", ["--script", file("text.json", "{ steps }")], /text\.json is no JSON: .*\[E_SCENARIO\]/],
    [
      "an unknown key",
      ["--script", file("key.json", { steps: [{ chat: "x", tmp: 1 }] })],
      /Step 1 \(chat\) takes no "tmp"/,
    ],
    [
      "an unknown board",
      ["--script", file("board.json", { board: "pico", steps: [{ reset: true }] })],
      /E_UNKNOWN_BOARD/,
    ],
    [
      "an unknown model",
      ["--script", file("model.json", { model: "gpt", steps: [{ reset: true }] })],
      /E_UNKNOWN_MODEL/,
    ],
    ["a port", ["--script", GOOD, "--port", "pty"], /--port does not go with --script/],
    ["a baseline without a script", ["--baseline", "x"], /--baseline is for --script/],
    ["an update without a baseline", ["--script", GOOD, "--update"], /--update is for --baseline/],
    ["a fault that is none", ["--script", GOOD, "--fault", "rain"], /--fault: there is no fault "rain"/],
    ["a fault that this board cannot have", ["--script", GOOD, "--fault", "lost-irq"], /has no coprocessor/],
  ];
  for (const [what, args, message] of cases)
    test(`${what} is one line, and no scenario runs`, async () => {
      const { status, stdout, stderr } = await run(["sim", ...args]);
      assert.ok(status === 1 || status === 2, `${status}`);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      assert.equal(stdout, "");
    });
});

describe("a board that serves a port", () => {
  test("obeys commands on standard input, one after the other", async () => {
    const running = start(["sim", "--port", "tcp:0", "--json"], "open");
    try {
      await running.line(({ event }) => event === "sim");
      for (const command of ["pause", "step 2", "step 3 ms", "bogus", "speed 1", "resume"])
        running.child.stdin?.write(`${command}\n`);
      const resumed = await running.line(({ command }) => command === "resume");
      assert.match(String(resumed.said), /^running at .* speed 1$/);
      const said = running.lines.filter(({ event }) => event === "control" || event === "error");
      assert.deepEqual(
        said.map(({ command, code }) => command ?? code),
        ["pause", "step 2", "step 3 ms", "E_SIM_COMMAND", "speed 1", "resume"],
      );
      // Whole nanoseconds: as doubles 0.011703942 + 0.003 is more than 0.014703942.
      const [paused, stepped, waited] = said.map(({ seconds }) => Math.round(Number(seconds) * 1e9));
      assert.ok(stepped > paused && waited >= stepped + 3e6 && waited < stepped + 4e6, `${[paused, stepped, waited]}`);
      running.child.stdin?.end();
      const { status } = await end(running, "SIGINT");
      assert.equal(status, 0);
    } finally {
      running.signal("SIGKILL");
    }
  });
});
