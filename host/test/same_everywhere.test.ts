/**
 * The same prompt and seed give the same token ids wherever the model runs: three kernels in Node, a board in the simulator, one with a coprocessor, the
 * WASI build under node:wasi. And they are the ids of an implementation that shares no line with any of them (spec/vectors/py).
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine, type EngineKind } from "../engine/engine.ts";
import type { Answer, GenerateOptions } from "../generation.ts";
import { openSim } from "../transports/sim.ts";
import { readModel, readTranscript, VECTOR_MODELS } from "./transcripts.ts";
import { startWasiBoard, wasmtimeCommand } from "./wasi_board.ts";

const TOKENS = 200;

type Speaker = (prompt: string, options: GenerateOptions) => Promise<Answer>;

const folder = await mkdtemp(join(tmpdir(), "tritkit-same-"));
const flashFile = join(folder, "flash.bin");

/** A place where models run. One at a time is loaded. */
interface Place {
  load(image: Uint8Array, context: number): Promise<Speaker>;
  close(): Promise<void>;
}

function engine(kind: EngineKind): Place {
  return {
    async load(image, context) {
      const opened = await Engine.open(image, { engine: kind, context });
      return (prompt, options) => opened.generate(prompt, options);
    },
    close: async () => {},
  };
}

async function onDevice(device: Device, image: Uint8Array, context: number): Promise<Speaker> {
  await flashModel(device, image, { context });
  assert.equal((await device.refresh()).context, context);
  return (prompt, options) => generateOnDevice(device, prompt, options);
}

async function simulatedBoard(board: string): Promise<Place> {
  const device = await Device.connect(await openSim(board, { seed: 1 }));
  return { load: (image, context) => onDevice(device, image, context), close: () => device.close() };
}

async function wasiBoard(file: string, command?: string[]): Promise<Place> {
  const wasi = startWasiBoard(file, command);
  const device = await Device.connect(wasi.transport);
  return {
    load: (image, context) => onDevice(device, image, context),
    close: async () => {
      await device.close();
      await wasi.kill();
    },
  };
}

const places: Record<string, () => Promise<Place>> = {
  "reference engine": async () => engine("ref"),
  "scalar engine": async () => engine("scalar"),
  "SIMD engine": async () => engine("simd"),
  "simulated rp2040-pico": () => simulatedBoard("rp2040-pico"),
  "simulated rp2040-pico+tgemv": () => simulatedBoard("rp2040-pico+tgemv"),
  "WASI build under node:wasi": () => wasiBoard(flashFile),
};
// Another runtime where there is one, for example TRITKIT_WASMTIME_PYTHON=python3 with `pip install wasmtime`.
const wasmtimePython = process.env.TRITKIT_WASMTIME_PYTHON;
if (wasmtimePython !== undefined)
  places["WASI build under Wasmtime"] = () => wasiBoard(join(folder, "wasmtime.bin"), wasmtimeCommand(wasmtimePython));

after(() => rm(folder, { recursive: true }));

/** Three turns at 64 positions; the last does not fit any more. */
const TURNS = ["The mill", " and the river", " ran past the old bridge"];
const SMALL_CONTEXT = 64;
let dialogue: number[][] | null = null;

for (const [name, open] of Object.entries(places)) {
  describe(name, () => {
    let place: Place;
    before(async () => {
      place = await open();
    });
    after(() => place.close());

    for (const model of VECTOR_MODELS) {
      test(`${model}: ${TOKENS} greedy and ${TOKENS} sampled ids are the transcript's`, async (t) => {
        const { prompt, context, greedy, sampled, sampling } = readTranscript(model);
        const answer = await place.load(readModel(model), context);
        const plain = await answer(prompt, { temperature: 0, maxTokens: TOKENS });
        assert.deepEqual(plain.tokenIds, greedy.ids);
        assert.equal(plain.text, Buffer.from(greedy.text, "base64").toString("utf8"));
        const drawn = await answer(prompt, { ...sampling, maxTokens: TOKENS });
        assert.deepEqual(drawn.tokenIds, sampled.ids);
        assert.equal(plain.tokenIds.length, TOKENS);
        t.diagnostic(
          `${plain.tokenIds.length + drawn.tokenIds.length} ids in ${(plain.seconds + drawn.seconds).toFixed(2)} s`,
        );
      });
    }

    test("three turns with keep and a slide are the same as on the first engine", async () => {
      const { sampling } = readTranscript("relu2");
      const answer = await place.load(readModel("relu2"), SMALL_CONTEXT);
      const turns: Answer[] = [];
      for (const [i, prompt] of TURNS.entries())
        turns.push(await answer(prompt, { ...sampling, seed: i, keep: i > 0, maxTokens: 16 }));
      assert.deepEqual(
        turns.map(({ slides }) => slides),
        [0, 0, 1],
      );
      const ids = turns.map(({ tokenIds }) => tokenIds);
      assert.deepEqual(
        ids.map(({ length }) => length),
        [16, 16, 16],
      );
      dialogue ??= ids;
      assert.deepEqual(ids, dialogue);
    });
  });
}

test("the WASI board's flash file keeps the model: killed and started again, it answers the same", async () => {
  const again = startWasiBoard(flashFile);
  const device = await Device.connect(again.transport);
  try {
    assert.equal(device.hello.context, SMALL_CONTEXT);
    const { sampling } = readTranscript("relu2");
    const { tokenIds } = await generateOnDevice(device, TURNS[0], { ...sampling, seed: 0, maxTokens: 16 });
    assert.deepEqual(tokenIds, dialogue?.[0]);
    await device.close();
    assert.equal(await again.end(), 0, "the end of its input ends it");
  } finally {
    await again.kill();
  }
});
