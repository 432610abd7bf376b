/**
 * A flasher that nobody of us wrote, Debian's stm32flash, against `tritkit sim --boot rom` on a pseudo-terminal. Where the program is
 * missing these tests are skipped; `npm run test:rom` insists on it.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { loadBoard } from "../assets.ts";
import { Device } from "../device/device.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { flashStm32 } from "../device/firmware/stm32.ts";
import { openPort } from "../transports/open.ts";
import { end, hasPty, startSimulator } from "./command.ts";
import { releaseOf } from "./release.ts";
import { seeded } from "./seeded.ts";

const INSISTS = process.env.TRITKIT_TEST_ROM === "1";
const FLASH = 0x0800_0000;

function missing(): string | null {
  try {
    execFileSync("stm32flash", ["-h"], { stdio: "ignore" });
    return null;
  } catch (error) {
    return `stm32flash cannot be run (${(error as Error).message}); Debian has it as a package`;
  }
}

/** What it said, on either stream. It draws its progress with backspaces or carriage returns. */
function stm32flash(port: string, ...args: string[]): Promise<{ status: number; said: string }> {
  // A pseudo-terminal has no parity bit: the kernel clears it, and stm32flash insists on what it asked for.
  const argv = ["-m", "8n1", "-b", "115200", ...args, port];
  return new Promise((resolve) => {
    execFile("stm32flash", argv, { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), said: stdout + stderr });
    });
  });
}

async function succeeds(port: string, ...args: string[]): Promise<string> {
  const { status, said } = await stm32flash(port, ...args);
  assert.equal(status, 0, `stm32flash ${args.join(" ")}: ${said}`);
  return said;
}

function noise(n: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length: n }, () => Math.floor(random() * 256));
}

const hex = (n: number): string => `0x${n.toString(16).padStart(8, "0")}`;

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-rom-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A flash file in which only the model partition is programmed. */
async function withModels(board: Board, path: string): Promise<Uint8Array> {
  const { offset, bytes } = board.flash.partition;
  const models = noise(bytes, 7);
  const flash = new Uint8Array(board.flash.bytes).fill(0xff);
  flash.set(models, offset);
  await writeFile(path, flash);
  return models;
}

async function hello(port: string): Promise<string> {
  const device = await Device.connect(await openPort(port), { baud: 0 });
  await device.close();
  return device.hello.board;
}

const MADE_UP: Record<string, FirmwareSegment[]> = {
  // The last piece ends in the middle of a word.
  stm32f405: [
    { address: FLASH, bytes: noise(31_744, 1) },
    { address: FLASH + 0xe0000, bytes: noise(20_001, 2) },
  ],
  stm32h743: [{ address: FLASH, bytes: noise(40_004, 3) }],
};

const reason = missing();

describe("stm32flash", { skip: reason !== null && !INSISTS ? reason : false }, () => {
  before(async () => {
    assert.equal(reason, null);
    assert.ok(await hasPty(), "this test needs a pseudo-terminal");
  });

  for (const [name, id] of [
    ["stm32f405", "0x0413"],
    ["stm32h743", "0x0450"],
  ]) {
    it(`writes the firmware of ${name}, verifies and starts it, and the firmware answers on the same line`, async () => {
      const board = await loadBoard(name);
      const chip = join(folder, `${name}.bin`);
      const models = await withModels(board, chip);
      const release = await releaseOf(board, join(folder, name), MADE_UP[name]);
      const options = ["--board", name, "--port", "pty", "--flash", chip, "--firmware", release.folder];
      const { port, running } = await startSimulator([...options, "--boot", "rom"]);
      assert.ok((await succeeds(port)).includes(id), "it knows the chip");
      for (const [i, { address, bytes }] of release.segments.entries()) {
        const file = join(folder, `segment-${i}.bin`);
        await writeFile(file, bytes);
        const said = await succeeds(port, "-w", file, "-S", hex(address), "-v");
        assert.match(said, /Wrote and verified address .*\(100\.00%\)/);
      }
      const started = running.line(({ event, running: what }) => event === "boot" && what === "module");
      await succeeds(port, "-g", hex(FLASH));
      await started;
      assert.equal(await hello(port), name);
      assert.equal((await end(running, "SIGINT")).status, 0);

      const flash = new Uint8Array(await readFile(chip));
      for (const { address, bytes } of release.segments) {
        const held = flash.subarray(address - FLASH, address - FLASH + bytes.length);
        assert.equal(Buffer.compare(held, bytes), 0, hex(address));
      }
      const { offset } = board.flash.partition;
      assert.equal(Buffer.compare(flash.subarray(offset, offset + models.length), models), 0, "the models are kept");

      const again = await startSimulator([...options, "--boot", "flash"]);
      assert.equal(await hello(again.port), name, "it boots from flash");
      await end(again.running, "SIGINT");
    });
  }

  it("has written what our own client finds complete", async () => {
    const board = await loadBoard("stm32f405");
    const release = await releaseOf(board, join(folder, "stm32f405"), MADE_UP.stm32f405);
    const chip = join(folder, "stm32f405.bin");
    const options = ["--board", "stm32f405", "--flash", chip, "--firmware", release.folder, "--boot", "rom"];
    const { port, running } = await startSimulator(options);
    const transport = await openPort(port);
    const done = await flashStm32(transport, release.segments, { board });
    await transport.close();
    assert.deepEqual([done.skipped, done.bytes], [done.total, done.total]);
    assert.equal(await hello(port), "stm32f405");
    await end(running, "SIGINT");
  });

  it("is refused by a protected chip, and can remove the protection, which costs the models", async () => {
    const board = await loadBoard("stm32f405");
    const chip = join(folder, "protected.bin");
    await withModels(board, chip);
    const { port, running } = await startSimulator([
      ...["--board", "stm32f405", "--flash", chip, "--boot", "rom", "--protect"],
    ]);
    const file = join(folder, "read.bin");
    const { status } = await stm32flash(port, "-r", file, "-S", `${hex(FLASH)}:256`);
    assert.notEqual(status, 0);

    const transport = await openPort(port);
    const refused = flashStm32(transport, MADE_UP.stm32f405, { board });
    await assert.rejects(refused, { code: "E_READ_PROTECTED", hint: /stm32flash -k/ });
    await transport.close();

    await succeeds(port, "-k");
    await succeeds(port, "-r", file, "-S", `${hex(FLASH)}:256`);
    assert.ok((await readFile(file)).every((byte) => byte === 0xff));
    await end(running, "SIGINT");
    assert.ok((await readFile(chip)).every((byte) => byte === 0xff));
  });
});
