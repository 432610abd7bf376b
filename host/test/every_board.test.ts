// What boards/*.json say under "verified": the firmware of every board takes a model over the wire and answers as Node's engine does.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { listBoards } from "../assets.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { openSim } from "../transports/sim.ts";

describe("every board", async () => {
  const image = new Uint8Array(await readFile("spec/vectors/relu2.trit"));
  const options = { temperature: 0.8, topP: 0.95, seed: 11, maxTokens: 40 };
  for (const board of await listBoards()) {
    it(`${board.name} is flashed and answers`, async () => {
      const device = await Device.connect(await openSim(board.name));
      try {
        const done = await flashModel(device, image);
        assert.equal(done.phase, "done");
        assert.equal(device.hello.board, board.name);
        const answer = await generateOnDevice(device, "the cat", options);
        const engine = await Engine.open(image, { context: device.hello.context });
        const expected = await engine.generate("the cat", options);
        assert.deepEqual(answer.tokenIds, expected.tokenIds);
        assert.ok(answer.tokenIds.length > 0);
      } finally {
        await device.close();
      }
    });
  }
});
