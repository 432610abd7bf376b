/** From a GGUF file to a board: the image that is made for it speaks there as in the engine. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { convert } from "../convert/convert.ts";
import { TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { readImage } from "../image/reader.ts";
import { openSim } from "../transports/sim.ts";
import { type GgufOptions, SENTENCE_PIECE, tinyGguf, tinyModel } from "./gguf_model.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-board-"));
after(() => rm(folder, { recursive: true }));

const BOARD = "rp2040-pico";
const CONTEXT = 48;
const MODELS: [what: string, model: Parameters<typeof tinyModel>[0], gguf: GgufOptions][] = [
  ["bitnet-b1.58 in TQ1_0", {}, { type: TYPE_TQ1_0, fields: SENTENCE_PIECE }],
  [
    "llama in TQ2_0",
    { subNorm: false, tied: false, activation: "silu" },
    { architecture: "llama", type: TYPE_TQ2_0, fields: SENTENCE_PIECE },
  ],
];

test(`the image of a GGUF file speaks on ${BOARD} as in the engine`, async () => {
  const device = await Device.connect(await openSim(BOARD, { seed: 1 }));
  try {
    for (const [what, model, gguf] of MODELS) {
      const source = join(folder, "model.gguf");
      await writeFile(source, tinyGguf(tinyModel(model), gguf));
      await convert(source, `${source}.trit`, { board: BOARD, context: CONTEXT });
      const image = new Uint8Array(await readFile(`${source}.trit`));
      const { header, config } = readImage(image);
      assert.deepEqual([header.board, config.defaultContext, config.bos, config.eos], [BOARD, CONTEXT, 1, 2]);
      await flashModel(device, image, { context: CONTEXT });
      const engine = await Engine.open(image, { context: CONTEXT });
      const options = { temperature: 0, maxTokens: 20 };
      const answer = await generateOnDevice(device, "Hello", options);
      assert.deepEqual(answer.tokenIds, (await engine.generate("Hello", options)).tokenIds, what);
      assert.ok(answer.tokenIds.length > 0);
    }
  } finally {
    await device.close();
  }
});
