/**
 * The whole way of a user with an STM32, as processes: a chip in its boot ROM gets firmware, then a model, then answers. The chip
 * is simulated, and starts the device module only where its flash holds the release byte for byte.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { end, json, type Running, run, startSimulator } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";
import { noise, type Piece, writeRelease } from "./firmware_fixture.ts";

const PIECES: Piece[] = [
  { address: 0x08000000, bytes: noise(1, 21_000) },
  { address: 0x080e0000, bytes: noise(2, 9_001) },
];
const TOTAL = 30_001;

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
  folder = await mkdtemp(join(tmpdir(), "tritkit-stm32-cli-"));
  release = join(folder, "release");
  await writeRelease(release, "stm32f405", PIECES);
});
after(async () => {
  for (const running of simulators) await end(running);
  await rm(folder, { recursive: true, force: true });
});

const chip = (...more: string[]) =>
  powered(["--board", "stm32f405", "--boot", "rom", "--firmware", release, "--port", "tcp:0", ...more]);
const flash = (port: string, ...more: string[]): string[] => [
  "flash",
  "--firmware",
  "--board",
  "stm32f405",
  "--port",
  port,
  "--file",
  release,
  ...more,
];

/** Intel HEX with lines of 16 bytes. */
function hexOf(pieces: Piece[]): string {
  const line = (kind: number, offset: number, data: number[]): string => {
    const record = [data.length, offset >> 8, offset & 0xff, kind, ...data];
    const sum = record.reduce((a, b) => a + b, 0);
    return `:${Buffer.from([...record, -sum & 0xff])
      .toString("hex")
      .toUpperCase()}\n`;
  };
  const lines = pieces.flatMap(({ address, bytes }) =>
    Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) => {
      const at = address + 16 * i;
      const upper = line(4, 0, [at >>> 24, (at >>> 16) & 0xff]);
      return upper + line(0, at & 0xffff, [...bytes.subarray(16 * i, 16 * i + 16)]);
    }),
  );
  return [...lines, line(1, 0, [])].join("");
}

describe("an STM32 in its boot ROM", () => {
  it("gets firmware, starts it, gets a model, answers; a second time nothing is written", async () => {
    const file = join(folder, "chip.bin");
    const sim = await chip("--flash", file);
    const events = await json(flash(sim.port));
    assert.deepEqual([...new Set(events.map(({ phase }) => phase))].sort(), [
      ...["connect", "done", "erase", "reset", "verify", "write"],
    ]);
    const done = events.at(-1);
    assert.deepEqual(
      [done?.event, done?.phase, done?.bytes, done?.total, done?.skipped, done?.board, done?.firmware],
      ["flash", "done", TOTAL, TOTAL, 0, "stm32f405", "9.8.7"],
    );
    assert.ok(await sim.running.line(({ event, running }) => event === "boot" && running === "module"));
    await json(["flash", "stories-1m", "--port", sim.port, "--context", "32"]);
    const answer = (await json(["chat", "--port", sim.port, "-p", "Once", "--temp", "0", "-n", "3"])).at(-1);
    assert.equal(answer?.tokens, 3);
    await end(sim.running);

    const whole = await readFile(file);
    const before = whole.subarray(0x8000, 0xe0000);
    const again = await chip("--flash", file);
    const { stderr, status } = await run(flash(again.port));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^flash {2}firmware 9\.8\.7 of stm32f405: 29 KiB were there already {2}read back and equal/);
    await end(again.running);
    assert.deepEqual((await readFile(file)).subarray(0x8000, 0xe0000), before, "the models were left alone");
  });

  it("a .hex of all of it does as well, and a .bin goes where it is told", async () => {
    const path = join(folder, "firmware.hex");
    await writeFile(path, hexOf(PIECES));
    const sim = await chip();
    assert.equal((await json(flash(sim.port, "--file", path))).at(-1)?.total, TOTAL);
    assert.ok(await sim.running.line(({ event, running }) => event === "boot" && running === "module"));
    await end(sim.running);

    const bin = await chip();
    const [{ address, bytes }] = PIECES;
    const args = ["--file", join(release, "firmware-08000000.bin"), "--address", `0x${address.toString(16)}`];
    assert.equal((await json(flash(bin.port, ...args))).at(-1)?.total, bytes.length);
    // Half a firmware is none: the chip is silent.
    assert.ok(
      await bin.running.line(({ event, running }) => event === "boot" && running !== "module" && running !== "rom"),
    );
    await end(bin.running);
  });

  it("a chip that is protected, another chip, and a board that runs its firmware: told, nothing written", async () => {
    const file = join(folder, "protected.bin");
    const locked = await chip("--flash", file, "--protect");
    checkWords(await run([...flash(locked.port), "--quiet"]), "E_READ_PROTECTED", 3);
    await end(locked.running);
    assert.ok((await readFile(file)).every((byte) => byte === 0xff));

    const args = [
      "--board",
      "stm32h743",
      "--boot",
      "rom",
      "--port",
      "tcp:0",
      "--flash",
      file.replace("protected", "h743"),
    ];
    const other = await powered(args);
    checkObject(await run([...flash(other.port), "--json"]), "E_WRONG_CHIP", 3);
    await end(other.running);

    const awake = await powered(["--board", "stm32f405", "--port", "tcp:0"]);
    checkObject(await run([...flash(awake.port), "--json"]), "E_ROM_SYNC", 4);
    assert.equal((await json(["models", "--port", awake.port])).at(0)?.state, "empty", "and it goes on as before");
    await end(awake.running);
  });

  for (const wiring of ["dtr", "reset=dtr", "reset=dtr,boot0=cts", "reset=dtr,boot0=rts,x=y", ""]) {
    it(`--wiring "${wiring}" is refused`, async () => {
      checkWords(await run([...flash("tcp:1"), `--wiring=${wiring}`, "--quiet"]), "E_USAGE", 2);
    });
  }

  it("modem lines where there are none are told", async () => {
    const sim = await chip();
    checkWords(
      await run([...flash(sim.port), "--wiring", "reset=dtr,boot0=not-rts", "--quiet"]),
      "E_NO_MODEM_LINES",
      1,
    );
    await end(sim.running);
  });
});
