/** `tritkit sim --boot`: a simulated board in its boot ROM, or booting from what its flash holds. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { loadBoard } from "../assets.ts";
import { Device } from "../device/device.ts";
import { readRelease } from "../device/firmware/release.ts";
import { flashStm32 } from "../device/firmware/stm32.ts";
import { openPort } from "../transports/open.ts";
import { end, run, start, startSimulator } from "./command.ts";
import { writeRelease } from "./firmware_fixture.ts";

const SEGMENTS = [
  { address: 0x0800_0000, bytes: Uint8Array.from({ length: 1000 }, (_, i) => (i * i) & 255) },
  { address: 0x080e_0000, bytes: Uint8Array.from({ length: 77 }, (_, i) => i) },
];

let folder = "";
let release = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-boot-"));
  release = join(folder, "release");
  await writeRelease(release, "stm32f405", SEGMENTS);
});
after(() => rm(folder, { recursive: true, force: true }));

describe("tritkit sim --boot", () => {
  const arguments_ = (...more: string[]) => ["--board", "stm32f405", "--port", "tcp:0", "--firmware", release, ...more];

  it("rom, over TCP: flash, start, talk; the file boots at the next start, and models lie in the same file", async () => {
    const chip = join(folder, "chip.bin");
    const board = await loadBoard("stm32f405");
    const first = await startSimulator(arguments_("--flash", chip, "--boot", "rom"));
    assert.equal((await first.running.line(({ event }) => event === "boot")).running, "rom");
    const line = await openPort(first.port);
    await flashStm32(line, SEGMENTS, { board });
    const device = await Device.connect(line);
    assert.equal(device.hello.board, "stm32f405");
    await device.close();
    await end(first.running);

    const second = await startSimulator(arguments_("--flash", chip, "--boot", "flash"));
    assert.equal((await second.running.line(({ event }) => event === "boot")).running, "module");
    const model = await run(["flash", "spec/vectors/llama.trit", "--port", second.port]);
    assert.equal(model.status, 0, model.stderr);
    await end(second.running);

    // Without --boot the same file will do: its partition is the one that is used.
    const third = await startSimulator(["--board", "stm32f405", "--port", "tcp:0", "--flash", chip]);
    const models = await run(["models", "--port", third.port, "--json"]);
    assert.match(models.stdout, /"state":"active"/);
    await end(third.running);
  });

  it("flash, with an empty one: says that nothing starts", async () => {
    const running = start(["sim", ...arguments_("--boot", "flash")]);
    await new Promise<void>((resolve) => {
      let said = "";
      for (const stream of [running.child.stdout, running.child.stderr])
        stream?.on("data", (bytes) => {
          said += bytes;
          if (said.includes("stm32f405 is silent: its flash does not hold")) resolve();
        });
      running.child.on("close", () => resolve());
    });
    const { status, stdout, stderr } = await end(running, "SIGINT");
    assert.equal(status, 0);
    assert.match(stdout + stderr, /is silent: its flash does not hold the release firmware of stm32f405/);
  });

  const wrong: [name: string, args: () => Promise<string[]>, status: number, code: string, said: RegExp][] = [
    ["another word", async () => ["--boot", "sram"], 2, "E_USAGE", /--boot is rom or flash, not "sram"/],
    ["--firmware without it", async () => ["--firmware", release], 2, "E_USAGE", /--boot is missing/],
    ["--protect without it", async () => ["--protect"], 2, "E_USAGE", /--protect is for --boot/],
    [
      "a chip whose ROM is not modelled",
      async () => ["--boot", "rom", "--flash", join(folder, "none")],
      2,
      "E_SIM_ROM",
      /boot ROM of rp2040-pico/,
    ],
    [
      "a file of the partition alone",
      async () => {
        const file = join(folder, "partition.bin");
        await writeFile(file, new Uint8Array((await loadBoard("stm32f405")).flash.partition.bytes));
        return ["--board", "stm32f405", "--boot", "rom", "--flash", file];
      },
      2,
      "E_SIM_FLASH",
      /holds the model partition alone/,
    ],
    [
      "no release in the folder",
      async () => ["--board", "stm32f405", "--boot", "rom", "--firmware", folder],
      1,
      "E_NO_FIRMWARE",
      /no firmware for stm32f405 in/,
    ],
  ];
  for (const [name, args, status, code, said] of wrong) {
    it(`refuses ${name}`, async () => {
      const ended = await run(["sim", "--port", "tcp:0", ...(await args()), "--json"]);
      const error = JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "");
      assert.deepEqual([ended.status, error.event, error.code], [status, "error", code]);
      assert.match(error.message, said);
      assert.equal(existsSync(join(folder, "none")), false, "no flash file is made for a board that does not start");
    });
  }
});

describe("a firmware release", () => {
  it("is read as it was written, the piece with the entry first", async () => {
    assert.deepEqual(await readRelease(release, "stm32f405"), SEGMENTS);
  });
});
