/**
 * Random shapes on boards with a coprocessor: odd dimensions, heads with keys of their own and shared ones, experts, every packing of the head, matrices wider
 * than the unit's buffer, a unit of one vector and of eight, contexts of all lengths, assistants (spec/TOOLS.md) that need some rows of the head only. The tokens are those of the engine in Node, which has no coprocessor.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { KIND_ASSISTANT, KIND_TOOLS, TOK_TYPE_SPECIAL } from "../../spec/image.ts";
import { TRITS_PER_BYTE } from "../../spec/packing.ts";
import { withSections } from "../../spec/test/with_sections.ts";
import { ASSISTANT_V1, TOOL_TOKENS } from "../../spec/tools.ts";
import { loadBoard } from "../assets.ts";
import { buildImage, EMBED_PACKINGS, type EmbedPacking, type RandomOptions, randomModel } from "../convert/index.ts";
import { generateOnDevice } from "../device/chat.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { deviceWasm, newBoard, withBench } from "./bench_board.ts";
import { seeded } from "./seeded.ts";

const CASES = Number(process.env.TRITKIT_COPRO_CASES ?? 24);
const SEED = Number(process.env.TRITKIT_COPRO_SEED ?? 1);
const PACKINGS = (Object.keys(EMBED_PACKINGS) as EmbedPacking[]).filter((packing) => packing !== "auto");
const BOARD = await loadBoard("rp2040-pico+tgemv");
const WASM = deviceWasm(BOARD);
const [{ binary }] = JSON.parse(readFileSync(join(ROOT, "spec/vectors/tools.json"), "utf8"));
const TABLE = new Uint8Array(Buffer.from(binary, "hex"));

type Pick = <T>(...values: readonly T[]) => T;

function shapeOf(pick: Pick, seed: number): RandomOptions {
  const nKvHeads = pick(1, 2, 3);
  const nExperts = pick(0, 0, 0, 3);
  return {
    ...{ seed, dim: pick(4, 20, 36, 64, 100), hiddenDim: pick(1, 7, 33, 97, 160, 331), nLayers: pick(1, 2) },
    ...{ nKvHeads, nHeads: nKvHeads * pick(1, 2, 3), headDim: pick(2, 6, 10, 16, 34), seqLen: pick(16, 40, 128) },
    ...{ vocabSize: pick(258, 259, 301, 515), activation: pick("silu", "relu2"), subNorm: pick(true, false) },
    ...{ tied: pick(true, false), rowScales: pick(true, false), nExperts },
  };
}

/** A unit of another size. Its buffer holds a vector of 5 x capacity activations at most. */
function boardOf(pick: Pick): Board {
  const { copro } = BOARD;
  assert.ok(copro !== null);
  const unit = { slots: pick(1, 2, 3, 4, 4, 8), capacity: pick(32, 64, 256, 2048), fifo: pick(2, 8) };
  return { ...BOARD, copro: { ...copro, ...unit } };
}

/** The model as an assistant: any of its tokens are the special ones. */
function asAssistant(image: Uint8Array, base: number): Uint8Array {
  return withSections(image, [
    [KIND_ASSISTANT, new Uint8Array(Uint32Array.of(ASSISTANT_V1, base, 0, 5).buffer)],
    [KIND_TOOLS, TABLE],
  ]);
}

describe(`${CASES} random models on boards with a coprocessor`, () => {
  const random = seeded(SEED);
  const pick: Pick = (...values) => values[Math.floor(random() * values.length)];
  const wide: boolean[] = [];
  for (let i = 0; i < CASES; i++) {
    const board = boardOf(pick);
    const base = i % 3 === 2 ? pick(0, 51, 190) : null; // of an assistant's tokens
    const shape = { ...shapeOf(pick, SEED * 1000 + i), ...(base === null ? {} : { seqLen: 128 }) };
    const embedPacking = pick(...PACKINGS);
    const context = base !== null ? 64 : pick(0, 16, 40);
    const prompt = "abracadabra, said the magician".slice(0, pick(1, 3, 9, 30));
    const temperature = pick(0, 0.9);
    const { slots, capacity } = board.copro ?? assert.fail();
    const widest = Math.max(shape.dim ?? 0, shape.hiddenDim ?? 0, (shape.nHeads ?? 0) * (shape.headDim ?? 0));
    wide.push(widest > TRITS_PER_BYTE * capacity);
    it(`${slots} slots of ${capacity}, ${embedPacking},${base !== null ? ` tokens from ${base},` : ""} context ${context}: ${JSON.stringify(shape)}`, async () => {
      const model = randomModel(shape);
      if (base !== null) model.tokenizer.types.fill(TOK_TYPE_SPECIAL, base, base + TOOL_TOKENS);
      const { bytes } = await buildImage(model, { embedPacking });
      const image = base === null ? bytes : asAssistant(bytes, base);
      const sim = newBoard(board, WASM);
      const beats = () => sim.copro?.unit.state.totalPushes ?? 0;
      const tried = beats();
      await withBench(sim, async (device) => {
        await flashModel(device, image, { context });
        const { context: actual, copro } = await device.refresh();
        assert.equal(copro?.state, "used");
        const engine = await Engine.open(image, { context: actual, engine: "scalar" });
        for (const words of [prompt, `${prompt} and sits`]) {
          const options = { maxTokens: 12, temperature, seed: i };
          const [mine, theirs] = await Promise.all([
            generateOnDevice(device, words, options).then(told, refusal),
            engine.generate(words, options).then(told, refusal),
          ]);
          assert.deepEqual(mine, theirs);
          // A prompt may be too long for a short context.
          if (typeof mine !== "string") assert.ok(beats() > tried, "the unit multiplied");
        }
        assert.equal((await device.refresh()).copro?.errors, 0);
        assert.equal(sim.nextEventAt(), Number.POSITIVE_INFINITY, "the CPU can sleep: no interrupt is left");
      });
    });
  }
  it("in some of them matrices are too wide for the unit, in some none is", () =>
    assert.deepEqual(new Set(wide), new Set([true, false])));
});

const told = ({ tokenIds, stop }: { tokenIds: number[]; stop: string }) => ({ tokenIds, stop });
const refusal = (error: { code?: string }) => error.code ?? String(error);
