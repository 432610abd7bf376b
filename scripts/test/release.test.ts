import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { copyFirmware } from "../lib/release.mjs";

test("released firmware is copied as it is; what is released no more goes", async () => {
  const root = await mkdtemp(join(tmpdir(), "tritkit-release-"));
  const [boards, target] = [join(root, "boards"), join(root, "dist/firmware")];
  const bytes = new Uint8Array([0, 255, 10, 13]);
  try {
    assert.deepEqual(await copyFirmware(root, target), [], "no board has a release");
    await mkdir(join(boards, "pico/release"), { recursive: true });
    await mkdir(join(boards, "bare"));
    await writeFile(join(boards, "pico.json"), "{}");
    await writeFile(join(boards, "pico/release/firmware.bin"), bytes);
    await writeFile(join(boards, "pico/release/firmware.json"), "{}");
    await mkdir(join(target, "gone"), { recursive: true });
    await mkdir(join(target, "pico"));
    await writeFile(join(target, "pico/firmware-old.bin"), "old");
    assert.deepEqual(await copyFirmware(boards, target), ["pico"]);
    assert.deepEqual(await readdir(target), ["pico"]);
    assert.deepEqual((await readdir(join(target, "pico"))).sort(), ["firmware.bin", "firmware.json"]);
    assert.deepEqual(new Uint8Array(await readFile(join(target, "pico/firmware.bin"))), bytes);
  } finally {
    await rm(root, { recursive: true });
  }
});
