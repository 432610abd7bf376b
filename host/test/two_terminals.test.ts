/** A simulated board in one terminal, a user in the other: the model outlives the simulator's sudden death. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { end, hasPty, json, run, startSimulator } from "./command.ts";

const MODEL = join(ROOT, "spec/vectors/llama.trit");
const PROMPT = ["-p", "ab", "--temp", "0", "-n", "12"];

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-"));
});
after(() => rm(folder, { recursive: true, force: true }));

describe("two terminals", () => {
  for (const port of ["pty", "tcp:0"]) {
    it(`${port}: flash, chat, kill -9, start again: the model is there and says the same`, async (t) => {
      if (port === "pty" && !(await hasPty())) return t.skip("no pseudo-terminals here: E_SIM_PORT_MISSING");
      const flash = join(folder, `board-${port.replace(":", "-")}.bin`);
      const first = await startSimulator(["--port", port, "--flash", flash]);
      const flashed = await json(["flash", MODEL, "--port", first.port]);
      assert.deepEqual(flashed.at(-1)?.phase, "done");
      const answer = (await json(["chat", "--port", first.port, ...PROMPT])).at(-1);
      assert.equal(answer?.event, "answer");
      assert.equal(answer?.tokens, 12);
      const killed = await end(first.running);
      assert.equal(killed.signal, "SIGKILL");

      const second = await startSimulator(["--port", port, "--flash", flash]);
      const models = await json(["models", "--port", second.port]);
      assert.deepEqual(
        models.map(({ state, sha256 }) => [state, sha256 === flashed.at(-1)?.sha256]),
        [
          ["active", true],
          ["empty", false],
        ],
      );
      const again = (await json(["chat", "--port", second.port, ...PROMPT])).at(-1);
      assert.deepEqual([again?.text, again?.token_ids], [answer?.text, answer?.token_ids]);
      // Nothing travels a second time.
      const skipped = (await json(["flash", MODEL, "--port", second.port])).at(-1);
      assert.equal(skipped?.skipped, skipped?.total);
      assert.equal((await end(second.running, "SIGINT")).status, 0);
    });
  }

  it("sim: and a file, in one process, finds what a simulator in another one kept", async () => {
    const flash = join(folder, "board-tcp-0.bin");
    const port = `sim:rp2040-pico:${flash}`;
    const { status, stdout } = await run(["chat", "--port", port, ...PROMPT, "--quiet"]);
    assert.equal(status, 0);
    assert.ok(stdout.length > 1);
  });
});
