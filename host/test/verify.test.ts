/** A cell that loses a bit after its model was verified: found by block digests, named, and mended by flashing again, in either slot. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { flashModel } from "../device/flasher.ts";
import { listModels } from "../device/models.ts";
import { checkFlash, damageError } from "../device/verify.ts";
import { readImage } from "../image/reader.ts";
import { Bench } from "../scenario/bench.ts";
import { recordBytes } from "../scenario/model.ts";
import { SimBoard } from "../transports/sim.ts";
import { image } from "./bench_board.ts";

const OLD = image("relu2");
const NEW = image("llama");
const SECTOR = 4096;

async function newBench(name = "rp2040-pico"): Promise<Bench> {
  const board = await loadBoard(name);
  const sim = SimBoard.create({ board, wasm: await loadDeviceWasm(board) });
  sim.powerOn();
  return new Bench(sim, 0, "max");
}

async function on<T>(bench: Bench, work: (device: Awaited<ReturnType<Bench["device"]>>) => Promise<T>): Promise<T> {
  const until = bench.after(600_000);
  const device = await bench.device(until);
  return bench.settle(work(device), until, "");
}

/** Bit 0 of byte `at` of the model in a slot, for good. */
async function flip(bench: Bench, slot: number, at: number): Promise<void> {
  const offset = await on(bench, async (device) => device.hello.slots[slot].offset);
  bench.sim.flash.flip(recordBytes(bench.sim) + offset + at, 1);
}

const states = (bench: Bench) => on(bench, async (device) => (await listModels(device)).map(({ state }) => state));

for (const name of ["rp2040-pico", "stm32f405", "stm32h743"])
  describe(`a model on ${name}`, () => {
    test("is whole, block for block", async () => {
      const bench = await newBench(name);
      await on(bench, (device) => flashModel(device, OLD));
      const found = await on(bench, (device) => checkFlash(device, OLD));
      assert.deepEqual(found, { slot: 0, blocks: Math.ceil(OLD.length / 4096), damaged: [], parts: [] });
      await assert.rejects(
        on(bench, (device) => checkFlash(device, NEW)),
        { code: "E_NO_MODEL" },
      );
    });

    test("that changed is found wherever it did, with what lies there", async () => {
      const bench = await newBench(name);
      await on(bench, (device) => flashModel(device, OLD));
      const down = readImage(OLD).tensors.find((tensor) => tensor.name === "layer 1 ffn_down");
      assert.ok(down !== undefined);
      for (const at of [0, 4095, 4096, down.offset, OLD.length - 1]) {
        await flip(bench, 0, at);
        const found = await on(bench, (device) => checkFlash(device, OLD));
        assert.deepEqual(found.damaged, [Math.floor(at / 4096)]);
        if (at === down.offset) assert.ok(found.parts.includes("layer 1 ffn_down"), found.parts.join());
        const { code, message } = damageError(found);
        assert.equal(code, "E_FLASH_DAMAGED");
        assert.match(message, new RegExp(`slot 0 .* block ${found.damaged[0]} of ${found.blocks}`));
        await flip(bench, 0, at); // as it was
      }
      assert.deepEqual((await on(bench, (device) => checkFlash(device, OLD))).damaged, []);
    });
  });

describe("flashing the same model again", () => {
  test("sends nothing while it is whole", async () => {
    const bench = await newBench();
    await on(bench, (device) => flashModel(device, OLD));
    const { skipped } = await on(bench, (device) => flashModel(device, OLD));
    assert.equal(skipped, OLD.length);
  });

  test("mends the one that runs: the sector that changed travels, and the last one", async () => {
    const bench = await newBench();
    await on(bench, (device) => flashModel(device, OLD));
    await flip(bench, 0, 5000);
    const { skipped, total } = await on(bench, (device) => flashModel(device, OLD));
    assert.ok(total - skipped <= 2 * SECTOR, `${total - skipped} bytes`);
    assert.deepEqual((await on(bench, (device) => checkFlash(device, OLD))).damaged, []);
    assert.deepEqual(await states(bench), ["active", "empty"]);
  });

  test("mends the other one, and makes it the active one", async () => {
    const bench = await newBench();
    await on(bench, (device) => flashModel(device, OLD));
    await on(bench, (device) => flashModel(device, NEW));
    assert.deepEqual(await states(bench), ["verified", "active"]);
    await flip(bench, 0, 5000);
    await on(bench, (device) => flashModel(device, OLD));
    assert.deepEqual(await states(bench), ["active", "verified"]);
    assert.deepEqual((await on(bench, (device) => checkFlash(device, OLD))).damaged, []);
    assert.deepEqual((await on(bench, (device) => checkFlash(device, NEW))).damaged, []);
  });

  test("mends the one that runs beside another, which stands in meanwhile", async () => {
    const bench = await newBench();
    await on(bench, (device) => flashModel(device, OLD));
    await on(bench, (device) => flashModel(device, NEW));
    await flip(bench, 1, 5000);
    await on(bench, (device) => flashModel(device, NEW));
    assert.deepEqual(await states(bench), ["verified", "active"]);
    assert.deepEqual((await on(bench, (device) => checkFlash(device, NEW))).damaged, []);
  });
});
