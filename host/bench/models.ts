// Tokens a second of a whole model: each engine in Node, and a simulated board (how fast this machine simulates it, not how fast the chip is).
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../engine/engine.ts";
import { openSim } from "../transports/sim.ts";
import { median } from "./slices.ts";

export interface ModelResult {
  name: string;
  /** Tokens a second, greedy; of a board with the prompt, of an engine without. */
  decode: number;
  tokens: number;
}

const PROMPT = "Once upon a time";
const TOKENS = 64;
const ROUNDS = 5;
const GREEDY = { temperature: 0, maxTokens: TOKENS };

/** Engines in alternating rounds; the first is the peer of the others. */
export async function benchEngines(image: Uint8Array): Promise<ModelResult[]> {
  const kinds = (Object.keys(ENGINE_KINDS) as EngineKind[]).filter((kind) => kind !== "ref");
  const engines = await Promise.all(kinds.map((engine) => Engine.open(image, { engine })));
  const rates = engines.map(() => [] as number[]);
  let tokens = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, engine] of engines.entries()) {
      const answer = await engine.generate(PROMPT, GREEDY);
      tokens = answer.tokenIds.length;
      rates[i].push((tokens - 1) / (answer.seconds - answer.firstTokenSeconds));
    }
  }
  return engines.map((engine, i) => ({ name: engine.kind, decode: median(rates[i]), tokens }));
}

export async function benchBoard(image: Uint8Array, board: string): Promise<ModelResult> {
  const device = await Device.connect(await openSim(board, { seed: 1 }));
  try {
    await flashModel(device, image);
    const rates: number[] = [];
    let tokens = 0;
    for (let round = 0; round < 3; round++) {
      const answer = await generateOnDevice(device, PROMPT, GREEDY);
      tokens = answer.tokenIds.length;
      // Tokens come in bundles, faster than the simulated line carries the questions for them: the whole answer counts.
      rates.push(tokens / answer.seconds);
    }
    return { name: `sim:${board}`, decode: median(rates), tokens };
  } finally {
    await device.close();
  }
}
