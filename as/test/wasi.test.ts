import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { decode, encode } from "cborg";
import { compile } from "../../scripts/lib/asc.mjs";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as W from "../../spec/wire.ts";
import type { Body } from "./client.ts";
import { consoleFrame, consoleMessages } from "./wire_reference.ts";

const { wasm } = await compile(["as/wasi.ts", "--target", "wasi"]);
const folder = await mkdtemp(join(tmpdir(), "tritkit-wasi-"));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true });
});
await writeFile(join(folder, "device.wasm"), wasm);
await writeFile(
  join(folder, "run.mjs"),
  `import { readFileSync } from "node:fs";
   import { WASI } from "node:wasi";
   const [, , folder, ...args] = process.argv;
   const wasi = new WASI({ version: "preview1", args: ["device", ...args], preopens: { "/": folder } });
   const { instance } = await WebAssembly.instantiate(readFileSync(folder + "/device.wasm"), wasi.getImportObject());
   process.exitCode = wasi.start(instance);`,
);

/** The device as a process. */
class Process {
  private readonly child: ChildProcess;
  /** From the start: a process that was asked to reset may be gone before anybody asks for its status. */
  private readonly ended: Promise<number | null>;
  private received = Buffer.alloc(0);
  private seq = 0;

  constructor(...args: string[]) {
    const argv = ["--no-warnings", join(folder, "run.mjs"), folder, ...args];
    this.child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(this.child);
    this.ended = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.stdout?.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
  }

  async ask(op: number, group: number, command: number, body: Body): Promise<Body> {
    const payload = encode(body);
    const seq = this.seq++ & 0xff;
    const header = Buffer.from([
      (W.SMP_V2 << 3) | op,
      0,
      payload.length >> 8,
      payload.length & 0xff,
      0,
      group,
      seq,
      command,
    ]);
    this.child.stdin?.write(consoleFrame(Buffer.concat([header, payload])));
    for (let waited = 0; waited < 2000; waited++) {
      const answer = consoleMessages(this.received).find((message) => message[6] === seq);
      if (answer !== undefined) {
        this.received = Buffer.alloc(0);
        return decode(answer.subarray(8)) as Body;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error("no answer");
  }

  exit(): Promise<number | null> {
    this.child.stdin?.end();
    return this.ended;
  }
}

test("the WASI build: a model uploaded into a file runs in the next process", async () => {
  const image = await readFile(join(ROOT, "spec/vectors/relu2.trit"));
  const transcript = JSON.parse(await readFile(join(ROOT, "spec/vectors/relu2.transcript.json"), "utf8"));
  const sha = createHash("sha256").update(image).digest();
  const first = new Process("flash.bin");
  const hello = await first.ask(W.OP_READ, W.GROUP_TRITKIT, W.TK_HELLO, {});
  assert.deepEqual([hello.board, hello.ctx, hello.part], ["wasi", 0, 2 << 20]);
  for (let off = 0; off < image.length; ) {
    const head = off === 0 ? { len: image.length, sha } : {};
    const body = { ...head, off, data: image.subarray(off, off + 1000) };
    off = Number((await first.ask(W.OP_WRITE, W.GROUP_IMAGE, W.IMG_UPLOAD, body)).off);
  }
  const state = { hash: sha, confirm: true, ctx: transcript.context };
  await first.ask(W.OP_WRITE, W.GROUP_IMAGE, W.IMG_STATE, state);
  assert.equal(await first.exit(), 0);
  assert.equal((await stat(join(folder, "flash.bin"))).size, 2 << 20);

  const second = new Process("/flash.bin");
  const p = Buffer.from(transcript.prompt);
  const gen = { id: 1, off: 0, len: p.length, p, max: 20, temp: 0 };
  assert.equal((await second.ask(W.OP_WRITE, W.GROUP_TRITKIT, W.TK_GEN, gen)).n, transcript.prompt_ids.length);
  const ids: number[] = [];
  for (let done = false; !done; ) {
    const reply = await second.ask(W.OP_READ, W.GROUP_TRITKIT, W.TK_NEXT, { id: 1, ack: ids.length });
    ids.push(...(reply.ids as number[]));
    done = reply.st === W.GEN_DONE;
  }
  // The transcript runs on past the end token.
  assert.ok(ids.length > 0);
  assert.deepEqual(ids, transcript.greedy.ids.slice(0, ids.length));
  assert.equal(await second.exit(), 0);
});

test("the WASI build: without a flash file it still answers, a reset ends it, a bad path is status 1", async () => {
  const device = new Process();
  assert.deepEqual(await device.ask(W.OP_WRITE, W.GROUP_OS, W.OS_ECHO, { d: "hello" }), { r: "hello" });
  assert.deepEqual(await device.ask(W.OP_WRITE, W.GROUP_OS, W.OS_RESET, {}), {});
  assert.equal(await device.exit(), 0);
  assert.equal(await new Process("no/such/folder/flash.bin").exit(), 1);
});
