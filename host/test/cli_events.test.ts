/** What `--json` prints, field by field, and what a command's end says to the program that started it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { end, type JsonLine, json, run, start, startSimulator } from "./command.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-events-"));
after(() => rm(folder, { recursive: true }));
const text = join(folder, "story.txt");
await writeFile(text, "Once upon a time there was a small boat that wanted to see the sea.");

/** The type of each field; "?" stands for one that may be null. */
const FIELDS: Record<string, Record<string, string>> = {
  flash: {
    phase: "string",
    bytes: "number",
    total: "number",
    skipped: "number",
    seconds: "number",
    sha256: "string",
  },
  token: { text: "string", id: "number" },
  answer: {
    text: "string",
    token_ids: "object",
    tokens: "number",
    stop: "string",
    prefill_tok_s: "number?",
    decode_tok_s: "number?",
    first_token_s: "number?",
    board: "object?",
  },
  eval: { tokens: "number", loss_nats: "number", ppl: "number", bits_per_byte: "number" },
  sim: { board: "string", port: "string" },
  error: { code: "string", message: "string", hint: "string" },
};

function check(lines: JsonLine[], expected: string[]): void {
  for (const line of lines) {
    for (const [field, type] of Object.entries(FIELDS[line.event] ?? {})) {
      if (type.endsWith("?") && (line[field] ?? null) === null) continue;
      assert.equal(typeof line[field], type.replace("?", ""), `${field} of ${JSON.stringify(line)}`);
    }
  }
  for (const event of expected)
    assert.ok(
      lines.some((line) => line.event === event),
      `no ${event}`,
    );
}

describe("--json", () => {
  it("demo: flash, token, answer; the texts add up, the phases come in order", async () => {
    const lines = await json(["demo", "-n", "12", "--temp", "0"]);
    check(lines, ["flash", "token", "answer"]);
    const phases = lines.filter(({ event }) => event === "flash").map(({ phase }) => phase);
    assert.deepEqual([...new Set(phases)], ["plan", "write", "verify", "activate", "done"]);
    const tokens = lines.filter(({ event }) => event === "token");
    const answer = lines.at(-1);
    assert.equal(answer?.event, "answer");
    assert.equal(tokens.map((token) => token.text).join(""), answer?.text);
    assert.deepEqual(
      tokens.map(({ id }) => id),
      answer?.token_ids,
    );
    // By the board's clock: it was busy nearly all of the time, and read its weights from flash.
    const board = answer?.board as Record<string, number>;
    assert.ok(board.cycles > 12 * 1e6 && board.cycles <= board.seconds * 125e6 * 1.001, JSON.stringify(board));
    assert.ok(board.wait_cycles > 0 && board.wait_cycles < board.cycles, JSON.stringify(board));
    assert.match(String(board.cycles_origin), /^(calibrated|derived|estimated)$/);
    const rate = Number(answer?.decode_tok_s);
    assert.ok(rate > 1 && rate < 100, `a Pico with ${rate} tokens a second`);
    assert.ok(Number(answer?.first_token_s) < board.seconds);
  });

  it("run and eval", async () => {
    const lines = await json(["run", "stories-1m", "-p", "Once", "-n", "4"]);
    check(lines, ["token", "answer"]);
    assert.equal(typeof lines.at(-1)?.decode_tok_s, "number");
    const [evaluated] = await json(["eval", "stories-1m", "--text", text, "--window", "8"]);
    check([evaluated], ["eval"]);
    assert.equal(evaluated.window, 8);
  });

  it("sim and an error", async () => {
    const { running } = await startSimulator(["--port", "tcp:0"]);
    check(running.lines, ["sim"]);
    await end(running, "SIGINT");
    const { status, stdout } = await run(["boards", "--nonsense", "--json"]);
    assert.equal(status, 2);
    check([JSON.parse(stdout)], ["error"]);
  });

  it("monitor: the log, whatever bytes it has, in objects too", async () => {
    const server = createServer((socket) => socket.write(Buffer.from('boot "ok" \u00e9\n\xff', "latin1"))).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const monitor = start(["monitor", "--port", `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, "--json"]);
    const { text } = await monitor.line(({ event }) => event === "log");
    assert.match(String(text), /^boot "ok"/);
    assert.equal((await end(monitor, "SIGINT")).status, 0);
    server.close();
  });

  it("a window that is longer than the context is refused: the figure would be another window's", async () => {
    const { status, stderr } = await run(["eval", "stories-1m", "--text", text, "--window", "257"]);
    assert.equal(status, 2);
    assert.match(stderr, /E_USAGE/);
  });
});

describe("a conversation through a pipe", () => {
  const LONG = "word ".repeat(2000);

  it("goes on after a prompt that is refused, and its exit status tells", async () => {
    const { status, stdout, stderr } = await run(["run", "stories-1m", "-n", "4"], `${LONG}\nOnce upon a time\n`);
    assert.match(stderr, /E_PROMPT_TOO_LONG/);
    assert.ok(stdout.trim().length > 0, "the second line was answered");
    assert.equal(status, 1);
  });

  it("without a model on the board: status 3", async () => {
    const { status, stderr } = await run(["chat", "--port", "sim:rp2040-pico"], "Once\n");
    assert.match(stderr, /E_NO_MODEL/);
    assert.equal(status, 3);
  });

  it("a setting out of its range: status 2, and the conversation goes on", async () => {
    const { status, stdout } = await run(["run", "stories-1m", "-n", "4"], "/temp 500\nOnce upon a time\n");
    assert.ok(stdout.trim().length > 0);
    assert.equal(status, 2);
  });

  it("ends by SIGTERM, at the prompt and in the middle of an answer", async () => {
    for (const line of ["", "Once upon a time\n"]) {
      const chat = start(["run", "stories-1m", "-n", "0", "--temp", "1", "--json"], "open");
      chat.child.stdin?.write(line === "" ? "Once\n/max 1\n" : line);
      await chat.line(({ event }) => event === (line === "" ? "answer" : "token"));
      chat.signal("SIGTERM");
      const { status } = await chat.ended;
      assert.equal(status, 130);
    }
  });
});

describe("results that cannot be written", { skip: process.platform === "win32" }, () => {
  for (const flag of ["", "--json"]) {
    it(`tritkit boards ${flag} into a file that may not grow: status 1`, () => {
      const command = `ulimit -f 0; exec "${process.execPath}" "${join(ROOT, "dist/cli.js")}" boards ${flag} > "${join(folder, "out")}"`;
      const { status, stderr } = spawnSync("sh", ["-c", command]);
      assert.equal(status, 1);
      // With --json the one who is told reads what cannot be written.
      assert.match(stderr.toString(), flag === "" ? /^tritkit: .*\[E_DISK_FULL\]\n$/ : /^$/);
    });
  }
});
