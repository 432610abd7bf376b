/** `tritkit boards --check`: for whoever writes a board file. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { type JsonLine, run } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";

let folder = "";
const shipped = (name: string): string => join(ROOT, "boards", `${name}.json`);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-boards-"));
  await copyFile(shipped("rp2040-pico"), join(folder, "rp2040-pico.json"));
  await copyFile(shipped("rp2040-pico"), join(folder, "my-pico.json"));
  const json = JSON.parse(await readFile(shipped("stm32f405"), "utf8"));
  json.flash.partition.offset = 98304;
  await writeFile(join(folder, "stm32f405.json"), JSON.stringify(json));
  await writeFile(join(folder, "torn.json"), '{ "name": ');
  await writeFile(join(folder, "README.md"), "no board");
});
after(() => rm(folder, { recursive: true, force: true }));

const events = (stdout: string): JsonLine[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("tritkit boards --check", () => {
  it("a line for each file of a folder, with the field that is wrong; exit 1", async () => {
    const { status, stdout } = await run(["boards", "--check", folder, "--quiet"]);
    assert.equal(status, 1);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 4);
    assert.equal(lines[0], `${join(folder, "my-pico.json")}: name: expected "my-pico", got "rp2040-pico"`);
    assert.match(
      lines[1],
      /rp2040-pico\.json: ok, rp2040-pico, 248 KiB of SRAM for a model, 1\.8 MiB of flash for models$/,
    );
    assert.match(lines[2], /stm32f405\.json: flash\.partition\.offset: expected the start of a sector, got 98304$/);
    assert.match(lines[3], /torn\.json: is no JSON: /);
  });

  it("the same as events", async () => {
    const { status, stdout, stderr } = await run(["boards", "--check", folder, "--json"]);
    assert.deepEqual([status, stderr], [1, ""]);
    assert.deepEqual(
      events(stdout).map(({ event, ok, board, field }) => [event, ok, board ?? field]),
      [
        ["board_check", false, "name"],
        ["board_check", true, "rp2040-pico"],
        ["board_check", false, "flash.partition.offset"],
        ["board_check", false, ""],
      ],
    );
  });

  it("one file, and every board that ships: exit 0", async () => {
    const one = await run(["boards", "--check", shipped("riscv-virt"), "--json"]);
    assert.deepEqual([one.status, events(one.stdout).map(({ board }) => board)], [0, ["riscv-virt"]]);
    const all = await run(["boards", "--check", join(ROOT, "boards"), "--json"]);
    assert.equal(all.status, 0, all.stdout);
    assert.ok(events(all.stdout).length >= 11);
  });

  it("a file whose name is no board's: told as any other mistake", async () => {
    const { status, stdout } = await run(["boards", "--check", join(folder, "README.md"), "--json"]);
    assert.equal(status, 1);
    assert.match(String(events(stdout)[0].problem), /\.json$/);
  });

  it("nothing there, and a folder without boards, are failures", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    for (const [path, code] of [
      [join(folder, "none"), "E_FILE_NOT_FOUND"],
      [empty, "E_NO_BOARD_FILE"],
    ]) {
      checkWords(await run(["boards", "--check", path, "--quiet"]), code, 1);
      checkObject(await run(["boards", "--check", path, "--json"]), code, 1);
    }
  });
});
