/**
 * What a user does with a board, on chips that nobody of us emulates: the command, its TCP port, the firmware that ships. The model travels over the
 * emulated UART into emulated flash; the power goes in the middle; the second try finishes what the first began; the board says what Node says.
 *
 * Needs QEMU (qemu-system-arm, qemu-system-misc): skipped in plain `npm test`, `npm run test:emulators` insists on it.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { json, run, start } from "../../../host/test/command.ts";
import { ROOT } from "../../lib/root.mjs";
import { startQemu } from "../qemu/qemu.ts";

const SKIP = process.env.TRITKIT_TEST_EMULATORS === "1" ? false : "needs QEMU: npm run test:emulators";
const PROMPT = ["-p", "Once upon a time", "--temp", "0", "-n", "24"];
/** An upload at the speed of an emulated UART, on a busy machine. */
const UPLOAD_MS = 300_000;

interface Powered {
  readonly port: string;
  /** Cuts the power: SIGKILL. */
  kill(): Promise<void>;
}

interface Chip {
  readonly name: string;
  readonly model: string;
  /** Where the power goes, in shares of the image: behind the first whole sector, which is 256 KiB on riscv-virt. */
  readonly cutAt: number;
  powerOn(flash: string): Promise<Powered>;
}

const CHIPS: Chip[] = [
  {
    name: "mps2-an385 on QEMU (Cortex-M3)",
    model: "llama-300k",
    cutAt: 0.6,
    powerOn: (flash) => qemu("mps2-an385", flash),
  },
  {
    name: "riscv-virt on QEMU (RV32IMAC, CFI flash)",
    model: "stories-1m",
    cutAt: 0.9,
    powerOn: (flash) => qemu("riscv-virt", flash),
  },
  { name: "rp2040-pico on rp2040js (Cortex-M0+, W25Q flash)", model: "llama-300k", cutAt: 0.6, powerOn: picoProcess },
];

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-chips-"));
});
after(() => rm(folder, { recursive: true, force: true }));

for (const { name, model, cutAt, powerOn } of CHIPS) {
  describe(name, { skip: SKIP }, () => {
    it("takes a model over its UART, loses its power in between, resumes, and says what Node says", async (t) => {
      const flash = join(folder, `${name.split(" ")[0]}.bin`);
      let board = await powerOn(flash);
      t.after(() => board.kill());
      const upload = start(["flash", model, "--port", board.port, "--json"], undefined, UPLOAD_MS);
      await upload.line(({ phase, bytes, total }) => phase === "write" && Number(bytes) > cutAt * Number(total));
      await board.kill();
      const cut = await upload.ended;
      assert.equal(cut.status, 4, cut.stderr);
      assert.equal(upload.lines.at(-1)?.code, "E_LINK_LOST");

      board = await powerOn(flash);
      const before = await json(["models", "--port", board.port]);
      assert.ok(
        before.every(({ state }) => state === "empty" || state === "uploading"),
        JSON.stringify(before),
      );
      const done = (await json(["flash", model, "--port", board.port], UPLOAD_MS)).at(-1);
      assert.equal(done?.phase, "done");
      t.diagnostic(`${done?.skipped} of ${done?.total} bytes were in flash already`);
      assert.ok(Number(done?.skipped) > 0.4 * Number(done?.total), `${done?.skipped} of ${done?.total}`);

      const said = (await json(["chat", "--port", board.port, ...PROMPT])).at(-1);
      const meant = (await json(["run", model, ...PROMPT])).at(-1);
      assert.deepEqual([said?.text, said?.token_ids], [meant?.text, meant?.token_ids]);
      assert.equal(said?.tokens, 24);

      await board.kill();
      board = await powerOn(flash);
      const again = (await json(["chat", "--port", board.port, ...PROMPT])).at(-1);
      assert.deepEqual(again?.token_ids, meant?.token_ids);
      const reset = await run(["reset", "--port", board.port]);
      assert.equal(reset.status, 0, reset.stderr);
      const afterReset = (await json(["chat", "--port", board.port, ...PROMPT])).at(-1);
      assert.deepEqual(afterReset?.token_ids, meant?.token_ids);
    });
  });
}

async function qemu(board: string, flash: string): Promise<Powered> {
  return startQemu({ board, elf: join(ROOT, "boards", board, "release/firmware.elf"), flash });
}

async function picoProcess(flash: string): Promise<Powered> {
  const args = ["--flash", flash, "--port", "tcp:0", "--firmware", "boards/rp2040-pico/release/firmware.uf2"];
  const script = [join(ROOT, "scripts/run_ts.mjs"), "scripts/emulators/rp2040/main.ts", ...args];
  // Its own group: run_ts.mjs has a child of its own.
  const child = spawn(process.execPath, script, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], detached: true });
  const port = await listens(child);
  return {
    port,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      process.kill(-(child.pid ?? 0), "SIGKILL");
      await ended;
    },
  };
}

/** The port that the Pico's program prints once its firmware has started. */
async function listens(child: ChildProcess): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.on("exit", (status) => reject(new Error(`the emulated Pico ended with ${status}`)));
    child.stdout?.on("data", (bytes: Buffer) => {
      text += bytes;
      const port = /^rp2040 (tcp:\S+)$/m.exec(text)?.[1];
      if (port !== undefined) resolve(port);
    });
  });
}
