// Tokens a second of a whole model: each engine in Node, and a simulated board: how fast this machine simulates it, and how fast the board is.
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../engine/engine.ts";
import type { BoardFigures } from "../generation.ts";
import { openSim } from "../transports/sim.ts";
import { wallSeconds } from "../transports/transport.ts";
import { median } from "./slices.ts";

export interface ModelResult {
  name: string;
  /** Tokens a second, greedy; of a board with the prompt, of an engine without. */
  decode: number;
  tokens: number;
  /** Tokens a second by a simulated board's own clock, and the rest of its figures. */
  board?: BoardFigures & { readonly decode: number };
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

/** The prompt is part of it. */
export async function benchBoard(image: Uint8Array, name: string): Promise<ModelResult> {
  const device = await Device.connect(await openSim(name, { seed: 1 }));
  try {
    await flashModel(device, image);
    const rates: number[] = [];
    let tokens = 0;
    let board: ModelResult["board"];
    for (let round = 0; round < 3; round++) {
      const started = wallSeconds();
      const answer = await generateOnDevice(device, PROMPT, GREEDY);
      tokens = answer.tokenIds.length;
      rates.push(tokens / (wallSeconds() - started));
      if (answer.board !== undefined) board = { ...answer.board, decode: tokens / answer.board.seconds };
    }
    return { name: `sim:${name}`, decode: median(rates), tokens, board };
  } finally {
    await device.close();
  }
}
