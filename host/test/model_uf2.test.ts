/** `tritkit flash MODEL --uf2`: what a Pico would have in flash after the file was dragged onto its drive. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { SimBoard } from "../../firmware-sim/index.ts";
import { loadBoard } from "../assets.ts";
import { buildImage } from "../convert/index.ts";
import { randomModel } from "../convert/random.ts";
import { flashModel } from "../device/flasher.ts";
import { activateModel, listModels } from "../device/models.ts";
import { Engine } from "../engine/engine.ts";
import { deviceWasm, greedy, image, look, newBoard, sha256, withBench } from "./bench_board.ts";
import { json, run } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";
import { noise } from "./firmware_fixture.ts";
import { uf2Blocks } from "./uf2_blocks.ts";

let folder = "";
let model = "";
const MODEL = image("llama");

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-model-uf2-"));
  model = join(folder, "llama.trit");
  await writeFile(model, MODEL);
});
after(() => rm(folder, { recursive: true, force: true }));

async function make(board: string, args: string[] = []): Promise<Uint8Array> {
  const target = join(folder, `${board}.uf2`);
  await json(["flash", model, "--board", board, "--uf2", target, ...args]);
  return new Uint8Array(await readFile(target));
}

/** As the ROM does it: sectors of 4 KiB that a block touches are erased, then its pages are programmed. Partition only. */
function drag(file: Uint8Array, board: Board, flash: Uint8Array): Uint8Array {
  const after = flash.slice();
  const base = board.flash.base + board.flash.partition.offset;
  const blocks = uf2Blocks(file);
  for (const { address } of blocks) {
    const sector = address - base - ((address - base) % 4096);
    after.fill(0xff, sector, sector + 4096);
  }
  for (const { address, bytes } of blocks) after.set(bytes, address - base);
  return after;
}

function boot(board: Board, flash: Uint8Array): SimBoard {
  const sim = SimBoard.create({ board, wasm: deviceWasm(board), flash });
  sim.powerOn();
  return sim;
}

for (const name of ["rp2040-pico", "rp2350-pico2"]) {
  describe(`${name}: a model dragged onto its drive`, async () => {
    const board = await loadBoard(name);

    it("runs on a board that was blank, and answers as the engine does", async () => {
      const sim = boot(board, drag(await make(name), board, new Uint8Array(board.flash.partition.bytes).fill(0xff)));
      const seen = await withBench(sim, (device) => look(sim, device));
      assert.deepEqual([seen.active, seen.inFlash], [sha256(MODEL), sha256(MODEL)]);
      const engine = await Engine.open(MODEL);
      assert.deepEqual(seen.answer, (await engine.generate("ab", { maxTokens: 5, temperature: 0 })).tokenIds);
    });

    it("replaces whatever records and models the board had, in either slot", async () => {
      const old = newBoard(board, deviceWasm(board));
      await withBench(old, async (device) => {
        for (const each of ["silu", "relu2"]) await flashModel(device, image(each));
        // Every change is a record: the old journal is far ahead of the new one.
        for (let i = 0; i < 10; i++)
          for (const each of ["silu", "relu2"])
            await activateModel(device, Buffer.from(sha256(image(each)), "hex"), true, 0);
      });
      const sim = boot(board, drag(await make(name), board, old.flash.image()));
      await withBench(sim, async (device) => {
        assert.equal((await look(sim, device)).active, sha256(MODEL));
        assert.deepEqual(
          (await listModels(device)).map(({ state }) => state),
          ["active", "empty"],
        );
        // And it is a board like any other: the next model goes into the other slot.
        await flashModel(device, image("silu"));
        assert.equal((await look(sim, device)).active, sha256(image("silu")));
      });
    });

    it("runs on a board whose partition held anything at all", async () => {
      const sim = boot(board, drag(await make(name), board, noise(3, board.flash.partition.bytes)));
      await withBench(sim, async (device) => {
        assert.equal((await look(sim, device)).active, sha256(MODEL));
        assert.equal((await greedy(device)).length, 5);
      });
    });

    it("is a file of whole sectors inside the partition, the same each time", async () => {
      const file = await make(name);
      assert.deepEqual(await make(name), file);
      const { base, partition } = board.flash;
      const addresses = uf2Blocks(file).map(({ address }) => address);
      const sectors = 2 + Math.ceil(MODEL.length / 4096);
      assert.deepEqual(
        addresses,
        Array.from({ length: 16 * sectors }, (_, i) => base + partition.offset + 256 * i),
      );
    });
  });
}

describe("tritkit flash MODEL --uf2", () => {
  it("keeps the context that is asked for", async () => {
    const board = await loadBoard("rp2040-pico");
    const file = await make("rp2040-pico", ["--context", "24"]);
    const sim = boot(board, drag(file, board, new Uint8Array(board.flash.partition.bytes).fill(0xff)));
    assert.equal(await withBench(sim, async (device) => device.hello.context), 24);
  });

  it("a model that is larger than a slot goes in with --single only", async () => {
    const { bytes } = await buildImage(randomModel({ dim: 256, hiddenDim: 1024, nHeads: 8, nLayers: 6 }));
    const large = join(folder, "large.trit");
    await writeFile(large, bytes);
    const args = ["flash", large, "--board", "rp2040-pico", "--uf2", join(folder, "large.uf2")];
    checkObject(await run([...args, "--json"]), "E_FLASH_FULL", 3);
    await json([...args, "--single"]);
    const board = await loadBoard("rp2040-pico");
    const file = new Uint8Array(await readFile(join(folder, "large.uf2")));
    const sim = boot(board, drag(file, board, noise(5, board.flash.partition.bytes)));
    assert.equal((await withBench(sim, (device) => look(sim, device))).active, sha256(bytes));
  });

  const made = (name: string): string => join(folder, "refused", name);
  const CASES: [what: string, args: () => string[], code: string, exit: number][] = [
    ["no board", () => ["--uf2", made("a.uf2")], "E_USAGE", 2],
    ["a board that takes none", () => ["--uf2", made("a.uf2"), "--board", "stm32f405"], "E_USAGE", 2],
    ["a board that does not exist", () => ["--uf2", made("a.uf2"), "--board", "pdp11"], "E_UNKNOWN_BOARD", 2],
    ["a port beside it", () => ["--uf2", made("a.uf2"), "--board", "rp2040-pico", "--port", "tcp:1"], "E_USAGE", 2],
    ["a test that would not last", () => ["--uf2", made("a.uf2"), "--board", "rp2040-pico", "--test"], "E_USAGE", 2],
    ["a folder that is not there", () => ["--uf2", made("a.uf2"), "--board", "rp2040-pico"], "E_OUTPUT", 1],
    ["a folder as file", () => ["--uf2", folder, "--board", "rp2040-pico"], "E_OUTPUT", 1],
  ];
  for (const [what, args, code, exit] of CASES) {
    it(`${what}: ${code}, exit ${exit}, and no file`, async () => {
      checkWords(await run(["flash", model, ...args(), "--quiet"]), code, exit);
      checkObject(await run(["flash", model, ...args(), "--json"]), code, exit);
      assert.deepEqual(
        (await readdir(folder)).filter((name) => /\.part$|^refused/.test(name)),
        [],
      );
    });
  }

  it("a model for another board is refused", async () => {
    const { bytes } = await buildImage(randomModel({ nLayers: 1 }), { board: "stm32h743" });
    await writeFile(join(folder, "h743.trit"), bytes);
    const args = ["flash", join(folder, "h743.trit"), "--uf2", join(folder, "no.uf2"), "--board", "rp2040-pico"];
    checkWords(await run([...args, "--quiet"]), "E_IMAGE_BOARD", 3);
  });
});
