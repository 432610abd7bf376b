/** The firmware that ships: whole, for every board that has a shim, and no larger than a small chip affords. Whether it is what the sources give: `npm run firmware -- --check`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseBoard } from "../../boards/board.ts";
import { readFirmwareFolder } from "../../host/device/firmware/release.ts";
import { firmwareBoards } from "../firmware/build.mjs";
import { codeDigest } from "../firmware/translate.mjs";
import { deviceWasmName } from "../lib/memory_map.mjs";
import { ROOT } from "../lib/root.mjs";

/**
 * Firmware in flash, and SRAM beside the module's: vector table, RAM code, data, UART rings, stack. It was 64 KiB before boards had tools: reading words, the
 * grammar, acting and their table in flash take 9 to 12 KiB, and the smallest place for a firmware is a slot of 120 KiB on the Pico.
 */
const FLASH_MAX = 76 * 1024;
const SRAM_MAX = 12 * 1024;

for (const name of await firmwareBoards()) {
  describe(name, () => {
    const board = parseBoard(JSON.parse(readFileSync(join(ROOT, `boards/${name}.json`), "utf8")), name);
    const folder = join(ROOT, "boards", name, "release");

    test("its release is whole and of this version", async () => {
      const firmware = await readFirmwareFolder(folder);
      assert.ok(firmware !== null, `boards/${name}/release has no firmware.json`);
      const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
      assert.deepEqual([firmware.board, firmware.version], [name, version]);
      assert.equal(firmware.uf2 !== null, board.rom === "uf2");
      assert.ok(firmware.elf !== null && readFileSync(firmware.elf).length > 0);
    });

    test("it was made from the device module that ships beside it", async () => {
      const firmware = await readFirmwareFolder(folder);
      const wasm = readFileSync(join(ROOT, "dist/wasm", deviceWasmName(board.memory)));
      assert.equal(firmware?.wasmSha256, codeDigest(wasm));
    });

    test("no byte of it lies in the models' partition", async () => {
      const firmware = await readFirmwareFolder(folder);
      const start = board.flash.base + board.flash.partition.offset;
      for (const { address, bytes } of firmware?.segments ?? [])
        assert.ok(address + bytes.length <= start || address >= start + board.flash.partition.bytes, `${address}`);
    });

    test(`it takes at most ${FLASH_MAX} bytes of flash, ${SRAM_MAX} of SRAM beside the module`, () => {
      const { size } = JSON.parse(readFileSync(join(folder, "firmware.json"), "utf8"));
      assert.ok(size.flash <= FLASH_MAX, `flash ${size.flash}`);
      // Emulated development boards have megabytes: only chips that are short of it are held to it.
      if (board.rom !== null) assert.ok(size.sram <= SRAM_MAX, `SRAM ${size.sram}`);
    });

    test("what of it is run from flash is what the board's data say", () => {
      const { xip } = board.flash;
      if (xip === null || xip.code_bytes === 0) return;
      // The rest of the flash is the shim, the selector's header, tables, and what is copied to SRAM.
      const { size } = JSON.parse(readFileSync(join(folder, "firmware.json"), "utf8"));
      const share = xip.code_bytes / size.flash;
      assert.ok(
        share > 0.8 && share < 0.9,
        `flash.xip.code_bytes is ${share.toFixed(3)} of the firmware: count it again`,
      );
    });

    test("the README says what it takes", () => {
      const { size } = JSON.parse(readFileSync(join(folder, "firmware.json"), "utf8"));
      const kib = (bytes: number) => (bytes / 1024).toFixed(1);
      const row = readFileSync(join(ROOT, "README.md"), "utf8")
        .split("\n")
        .find((line) => line.startsWith(`| \`${name}\` `));
      assert.ok(row?.includes(`| ${kib(size.flash)} / ${kib(size.sram)} KiB |`), row ?? "no row");
    });
  });
}
