import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openFlashFile } from "../flash_file.ts";
import { SimBoard } from "../sim_board.ts";
import { build, ECHO, PICO, says, smallFlash } from "./toy.ts";

const board = smallFlash(PICO, 16, 4096);
const BYTES = board.flash.partition.bytes;
const CHILD = "TRITKIT_TEST_FLASH_FILE";

/** Runs a board on the file. */
async function onFile(path: string, source: string, seed = 1): Promise<{ sim: SimBoard; close: () => void }> {
  const file = await openFlashFile(path, board);
  const sim = SimBoard.create({ board, wasm: await build(source, board), flash: file.content, seed });
  file.attach(sim);
  return { sim, close: () => file.close() };
}

/** Programs the pages in order, each with its number, and says the number afterwards; erases when all are full. */
const PAGES = `let page = 0; ${says(
  "",
  `if (page == 256) { flash_erase(0, 65536); page = 0; }
   const buffer = word + 64;
   memory.fill(buffer, u8(page), 256);
   flash_program(256 * page, buffer, 256);
   say(page++);
   return 1;`,
)}
const space = memory.data(512);`;

async function childProgram(path: string): Promise<void> {
  const { sim } = await onFile(path, PAGES);
  let said = 0;
  sim.uart.onHostData((bytes) => {
    for (const byte of bytes) if (said++ % 4 === 0) process.stdout.write(`${byte}\n`);
  });
  sim.powerOn();
  sim.run({ maxUs: 1e9 });
}

function tests(): void {
  const folder = mkdtempSync(join(tmpdir(), "tritkit-flash-"));
  after(() => rmSync(folder, { recursive: true }));

  describe("a flash file", () => {
    it("is made blank", async () => {
      const path = join(folder, "new");
      const file = await openFlashFile(path, board);
      file.close();
      assert.deepEqual(new Uint8Array(readFileSync(path)), new Uint8Array(BYTES).fill(0xff));
      assert.deepEqual(file.content, new Uint8Array(BYTES).fill(0xff));
    });

    it("holds what the next simulator finds", async () => {
      const path = join(folder, "kept");
      const first = await onFile(
        path,
        says("store<u8>(word, 0x42); flash_erase(0, 8192); flash_program(4099, word, 1)"),
      );
      first.sim.powerOn();
      first.close();
      const second = await onFile(path, ECHO);
      assert.equal(second.sim.flash.image()[4099], 0x42);
      second.close();
    });

    it("holds what a power cut left", async () => {
      const path = join(folder, "torn");
      const { sim, close } = await onFile(path, says("flash_program(0, word, 4); flash_erase(0, 4096)"), 5);
      sim.flash.cutAt(2);
      assert.equal(sim.powerOn(), "off");
      assert.deepEqual(new Uint8Array(readFileSync(path)), sim.flash.image());
      close();
    });

    it("follows a board that goes back to a snapshot", async () => {
      const path = join(folder, "back");
      const { sim, close } = await onFile(
        path,
        says("flash_program(0, word, 4)", "return flash_program(4096, word, 4);"),
      );
      sim.powerOn();
      const snapshot = sim.snapshot();
      sim.step();
      sim.restore(snapshot);
      assert.deepEqual(new Uint8Array(readFileSync(path)), sim.flash.image());
      close();
    });

    it("holds the whole flash where the sectors around the partition matter", async () => {
      const around = {
        ...board,
        flash: { ...board.flash, partition: { offset: 8192, bytes: BYTES - 3 * 4096 } },
      };
      const path = join(folder, "whole");
      const file = await openFlashFile(path, around, "flash");
      const wasm = await build(says("flash_program(0, word, 4)"), around);
      const sim = SimBoard.create({ board: around, wasm, flash: file.content });
      file.attach(sim);
      sim.powerOn();
      const { base } = around.flash;
      sim.flashBus.program(base, Uint8Array.of(1));
      sim.flashBus.program(base + 15 * 4096 + 5, Uint8Array.of(2));
      const expected = new Uint8Array(BYTES).fill(0xff);
      expected.set([1], 0);
      expected.set([0, 0, 0, 0], 8192);
      expected.set([2], 15 * 4096 + 5);
      assert.deepEqual(new Uint8Array(readFileSync(path)), expected);
      file.close();

      // The partition of such a file is what a board without boot ROM uses.
      const again = await openFlashFile(path, around);
      const second = SimBoard.create({ board: around, wasm, flash: again.content });
      assert.deepEqual(second.flash.image().subarray(0, 5), Uint8Array.of(0, 0, 0, 0, 255));
      again.close();
      // A file of the partition alone stays what it was, but boots nothing.
      const partition = join(folder, "partition");
      (await openFlashFile(partition, around)).close();
      await assert.rejects(openFlashFile(partition, around, "flash"), {
        code: "E_SIM_FLASH",
        message: /partition alone/,
      });
    });

    it("of another size is refused", async () => {
      const path = join(folder, "short");
      writeFileSync(path, new Uint8Array(100));
      await assert.rejects(openFlashFile(path, board), {
        code: "E_SIM_FLASH",
        message: /has 100 bytes, .* needs 65536/,
      });
      await assert.rejects(openFlashFile(join(folder, "no", "such"), board), { code: "E_SIM_FLASH" });
      assert.equal(existsSync(join(folder, "no")), false);
    });

    it("keeps what was programmed when the simulator is killed", async () => {
      const path = join(folder, "killed");
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
        env: { ...process.env, [CHILD]: path },
        stdio: ["ignore", "pipe", "inherit"],
      });
      let said = "";
      child.stdout.on("data", (bytes) => {
        said += bytes;
        if (said.split("\n").length > 100) child.kill("SIGKILL");
      });
      await new Promise((resolve) => child.once("close", resolve));
      const last = Number(said.trim().split("\n").slice(0, 100).at(-1));
      const content = readFileSync(path);
      for (let page = 0; page <= last; page++) assert.equal(content[256 * page + 255], page, `page ${page}`);
    });
  });
}

if (process.env[CHILD] === undefined) tests();
else await childProgram(process.env[CHILD]);
