/** `tritkit flash --firmware --port`: a board that runs tritkit gets new firmware over its line; told to people and to programs. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { deliveredFlash } from "../../scripts/firmware/image.mjs";
import type { UpdateFile } from "../device/firmware/update_file.ts";
import { type JsonLine, type Running, run, start } from "./command.ts";
import { checkObject } from "./failure.ts";
import { board, firmware, region } from "./firmware_bench.ts";
import { type Manifest, sha256, writeRelease } from "./firmware_fixture.ts";

let folder = "";
let sim: Running;
let port = "";
const OLD = firmware(1, "0.1.0");
const NEW = firmware(11, "0.2.0");

/** A release as scripts/firmware/release.ts writes it. */
async function release(name: string, files: UpdateFile[]): Promise<string> {
  const path = join(folder, name);
  const segment = deliveredFlash(board.flash.base, new Uint8Array(1000), region.slots[0], files[0].bytes);
  const updates = files.map(({ bytes }, slot) => {
    return { slot, file: `firmware-slot${slot}.img`, bytes: bytes.length, sha256: sha256(bytes) };
  });
  await writeRelease(path, board.name, [segment], null, (manifest: Manifest) => ({ ...manifest, updates }));
  for (const [i, { file }] of updates.entries()) await writeFile(join(path, file), files[i].bytes);
  return path;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-update-cli-"));
  const old = await release("old", OLD);
  const flash = join(folder, "flash.bin");
  const args = ["--board", board.name, "--boot", "flash", "--flash", flash, "--firmware", old, "--port", "tcp:0"];
  sim = start(["sim", ...args, "--json"], "open", 120_000);
  port = String((await sim.line(({ event }) => event === "sim")).port);
});
after(async () => {
  sim.signal("SIGTERM");
  await sim.ended;
  await rm(folder, { recursive: true, force: true });
});

const flash = (...args: string[]): string[] => ["flash", "--firmware", "--port", port, ...args];

describe("flash --firmware over the line", () => {
  it("takes the file for the slot that the board wants, tries it and keeps it", async () => {
    const path = await release("new", NEW);
    const { status, stdout, stderr } = await run(flash("--file", path, "--json"));
    assert.deepEqual([status, stderr], [0, ""], stdout);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as JsonLine);
    assert.deepEqual([...new Set(events.map(({ phase }) => phase))], ["connect", "write", "verify", "reset", "done"]);
    const { bytes, total, skipped, firmware: version, sha256: sha } = events.at(-1) ?? { event: "" };
    const size = NEW[1].bytes.length;
    assert.deepEqual([bytes, total, skipped, version, sha], [size, size, 0, "0.2.0", sha256(NEW[1].bytes)]);
    const content = new Uint8Array(await readFile(join(folder, "flash.bin")));
    assert.deepEqual(content.subarray(region.slots[1], region.slots[1] + size), NEW[1].bytes);
    assert.deepEqual(content.subarray(region.slots[0], region.slots[0] + size), OLD[0].bytes);
  });

  it("again: the board runs it", async () => {
    const { status, stderr } = await run(flash("--file", join(folder, "new"), "--board", board.name));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /firmware 0\.2\.0 of rp2040-pico: .* were there already {2}the board runs it\n/);
    assert.match(stderr, /model {2}those on the board are as they were/);
  });

  it("people read what was done", async () => {
    const third = firmware(21, "0.3.0");
    const path = join(folder, "third.img");
    await writeFile(path, third[0].bytes);
    const { status, stderr } = await run(flash("--file", path));
    assert.equal(status, 0, stderr);
    const said =
      /^flash {2}firmware 0\.3\.0 of rp2040-pico: 9\.\d KiB in .*the board verified it, tried it and keeps it/;
    assert.match(stderr, said);
  });

  it("refuses what is not for this board or slot, and what is damaged", async () => {
    const path = join(folder, "wrong.img");
    const refused = async (bytes: Uint8Array, code: string): Promise<void> => {
      await writeFile(path, bytes);
      checkObject(await run(flash("--file", path, "--json")), code, 3);
    };
    await refused(firmware(1, "1.0.0", "rp2350-pico2")[1].bytes, "E_FIRMWARE_BOARD");
    await refused(firmware(31, "0.4.0")[0].bytes, "E_FIRMWARE_SLOT"); // slot 0 runs now
    const damaged = NEW[1].bytes.slice();
    damaged[3000] ^= 1;
    await refused(damaged, "E_FIRMWARE_FILE");
    checkObject(await run(flash("--board", "rp2350-pico2", "--file", path, "--json")), "E_USAGE", 2);
  });

  it("says of a file that is no update what one is, and of one that is not there that it is not", async () => {
    const path = join(folder, "flat.bin");
    await writeFile(path, new Uint8Array(512));
    const flat = await run(flash("--file", path, "--json"));
    checkObject(flat, "E_USAGE", 2);
    assert.match(flat.stdout, /is no update for a board that runs tritkit/);
    checkObject(await run(flash("--file", join(folder, "nowhere"), "--json")), "E_FILE_NOT_FOUND", 1);
  });
});
