/** SRAM and flash of the bundled model: what the host says before anything is flashed is what the board says afterwards. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { parseBoard } from "../../boards/board.ts";
import { LiveBoard, openLine, SimBoard } from "../../firmware-sim/index.ts";
import { listBoards, loadBoard, loadDeviceWasm, modelPath } from "../assets.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { arenaParts, STACK_BYTES } from "../engine/arena.ts";
import { Engine } from "../engine/engine.ts";
import { openSim } from "../transports/sim.ts";
import { type Transport, wallSeconds } from "../transports/transport.ts";

const KIB = 1024;
const BUDGET = 200 * KIB;
const IMAGE_BUDGET = 600_000;
const POSITIONS = 256;

const model = new Uint8Array(await readFile(await modelPath("stories-1m")));
const boards = await listBoards();
const pico = await loadBoard("rp2040-pico");

test(`the bundled model takes at most ${BUDGET / KIB} KiB of a Pico's SRAM with ${POSITIONS} positions`, async (t) => {
  const plan = await arenaParts(model, pico, POSITIONS);
  assert.deepEqual([plan.fits, plan.context], [true, POSITIONS]);
  const bytes = Object.fromEntries(plan.parts.map((part) => [part.name, part.bytes]));
  const needed = plan.arena.need + bytes["data segments"] + bytes.stack;
  assert.ok(needed <= BUDGET, `${needed}`);
  assert.ok(model.length <= IMAGE_BUDGET, `${model.length}`);
  t.diagnostic(
    `image ${model.length} bytes, arena ${plan.arena.need}, static ${bytes["data segments"]}, stack ${bytes.stack}`,
  );
  t.diagnostic(
    `${needed} bytes of ${BUDGET}; with the tables that the rest of the board gives room for: ${plan.total}`,
  );
  for (const part of plan.parts) t.diagnostic(`${part.bytes} ${part.name}`);
  assert.equal(
    plan.parts.reduce((sum, part) => sum + part.bytes, 0),
    plan.total,
  );
  assert.ok(plan.total <= plan.available);
});

/** A line to a board of one's own. */
function lineTo(sim: SimBoard): Transport {
  const live = new LiveBoard(sim);
  const line = openLine(live);
  return {
    name: sim.board.name,
    simulated: true,
    seconds: wallSeconds,
    write: async (bytes) => line.write(bytes),
    onData: (listener) => line.onData(listener),
    onClose: () => {},
    setBaud: async (baud) => line.setBaud(baud),
    close: async () => {
      line.close();
      live.close();
    },
  };
}

test(`it runs on a board with exactly ${BUDGET / KIB} KiB, stack included, as in Node`, async () => {
  const { base, ...memory } = structuredClone(pico.memory);
  const small = parseBoard({ ...pico, memory: { ...memory, base, end: base + BUDGET - STACK_BYTES } }, pico.name);
  const plan = await arenaParts(model, small, POSITIONS);
  assert.deepEqual([plan.fits, plan.context, plan.available], [true, POSITIONS, BUDGET]);
  const sim = SimBoard.create({ board: small, wasm: await loadDeviceWasm(small) });
  const device = await Device.connect(lineTo(sim));
  try {
    await flashModel(device, model, { context: POSITIONS });
    const { context, arena } = await device.refresh();
    assert.deepEqual({ context, arena }, { context: POSITIONS, arena: plan.arena });
    const options = { temperature: 0.8, topK: 40, seed: 7, maxTokens: 60 };
    const engine = await Engine.open(model, { context: POSITIONS });
    const { tokenIds } = await engine.generate("Once upon a time", options);
    assert.deepEqual((await generateOnDevice(device, "Once upon a time", options)).tokenIds, tokenIds);
  } finally {
    await device.close();
  }
});

describe("every board says what the host said before", () => {
  for (const board of boards) {
    test(board.name, async (t) => {
      const device = await Device.connect(await openSim(board.name));
      try {
        await flashModel(device, model);
        for (const asked of [0, 40]) {
          const plan = await arenaParts(model, board, asked);
          await flashModel(device, model, { context: asked });
          const { context, arena } = await device.refresh();
          assert.deepEqual({ context, arena }, { context: plan.context, arena: plan.arena });
          t.diagnostic(`${context} positions: ${arena.need} of ${arena.have} bytes`);
        }
      } finally {
        await device.close();
      }
    });
  }
});

test("more positions than fit are no fit, and the plan says how many do", async () => {
  const board = await loadBoard("stm32f405");
  const most = (await arenaParts(model, board)).maxContext;
  assert.ok(most > 16 && most < POSITIONS);
  assert.equal((await arenaParts(model, board, most)).fits, true);
  const plan = await arenaParts(model, board, most + 1);
  assert.deepEqual([plan.fits, plan.context, plan.why], [false, most, `it would with --context ${most}`]);
});
