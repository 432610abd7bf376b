/** The whole way of a user with an ESP32, as processes: a simulated chip in its boot ROM gets firmware, then a model, then answers. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { end, json, type Running, run, startSimulator } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";
import { noise, type Piece, writeRelease } from "./firmware_fixture.ts";

const C3_FLASH = 0x3c000000;
const DIRECT_BOOT = [0x1d, 0x04, 0xdb, 0xae, 0x1d, 0x04, 0xdb, 0xae];
const PIECES: Piece[] = [{ address: C3_FLASH, bytes: Uint8Array.of(...DIRECT_BOOT, ...noise(1, 40_000)) }];
const TOTAL = 40_008;

let folder = "";
let release = "";
const simulators: Running[] = [];

/** A simulator that does not outlive these tests, even when one of them fails. */
async function powered(args: string[]): Promise<{ port: string; running: Running }> {
  const sim = await startSimulator(args);
  simulators.push(sim.running);
  return sim;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-esp32-cli-"));
  release = join(folder, "release");
  await writeRelease(release, "esp32-c3", PIECES);
});
after(async () => {
  for (const running of simulators) await end(running);
  await rm(folder, { recursive: true, force: true });
});

const chip = (board = "esp32-c3", ...more: string[]) =>
  powered(["--board", board, "--boot", "rom", "--firmware", release, "--port", "tcp:0", ...more]);
const flash = (port: string, ...more: string[]): string[] => [
  ...["flash", "--firmware", "--board", "esp32-c3", "--port", port],
  ...(more.includes("--file") ? [] : ["--file", release]),
  ...more,
];

describe("an ESP32-C3 in its boot ROM", () => {
  it("gets firmware, starts it, gets a model, answers; a second time nothing is written", async () => {
    const file = join(folder, "chip.bin");
    const sim = await chip("esp32-c3", "--flash", file);
    const events = await json(flash(sim.port));
    assert.deepEqual([...new Set(events.map(({ phase }) => phase))], ["connect", "write", "verify", "reset", "done"]);
    const done = events.at(-1);
    assert.deepEqual(
      [done?.event, done?.bytes, done?.total, done?.skipped, done?.board, done?.firmware],
      ["flash", TOTAL, TOTAL, 0, "esp32-c3", "9.8.7"],
    );
    assert.ok(await sim.running.line(({ event, running }) => event === "boot" && running === "module"));
    await json(["flash", "stories-1m", "--port", sim.port, "--context", "32"]);
    const answer = (await json(["chat", "--port", sim.port, "-p", "Once", "--temp", "0", "-n", "3"])).at(-1);
    assert.equal(answer?.tokens, 3);
    await end(sim.running);

    const models = (await readFile(file)).subarray(0x100000);
    const again = await chip("esp32-c3", "--flash", file);
    const { stderr, status } = await run(flash(again.port));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /firmware 9\.8\.7 of esp32-c3: 39 KiB were there already {2}MD5 of what flash holds is equal/);
    await end(again.running);
    assert.deepEqual((await readFile(file)).subarray(0x100000), models, "the models were left alone");
  });

  it("a .bin goes to its place, counted from the start of flash or as an address", async () => {
    const bin = join(folder, "app.bin");
    await writeFile(bin, noise(3, 5000));
    for (const address of ["0x10000", "0x3c010000"]) {
      const file = join(folder, `${address}.bin`);
      const sim = await chip("esp32-c3", "--flash", file);
      await json(flash(sim.port, "--file", bin, "--address", address));
      await end(sim.running);
      assert.deepEqual(new Uint8Array((await readFile(file)).subarray(0x10000, 0x10000 + 5000)), noise(3, 5000));
    }
    const models = flash("tcp:1", "--file", bin, "--address", "0x100000");
    checkWords(await run([...models, "--quiet"]), "E_FIRMWARE_RANGE", 3);
  });

  it("another chip, and nobody at all: told", async () => {
    const s3 = join(folder, "s3");
    await writeRelease(s3, "esp32-s3", PIECES);
    const other = await powered(["--board", "esp32-s3", "--boot", "rom", "--firmware", s3, "--port", "tcp:0"]);
    checkObject(await run([...flash(other.port), "--json"]), "E_WRONG_CHIP", 3);
    await end(other.running);
    const awake = await powered(["--board", "esp32-c3", "--port", "tcp:0"]);
    checkWords(await run([...flash(awake.port), "--quiet"]), "E_ROM_SYNC", 4);
    await end(awake.running);
  });
});
