/**
 * The same words in other builds of the same core: Node's engine, and the WASI build in a process of its own. Ids have to be equal. Only examples whose table is the
 * image's own; a turn before is said there as it was said on the board.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { flashModel } from "../../host/device/flasher.ts";
import { Engine } from "../../host/engine/engine.ts";
import type { Answer, GenerateOptions } from "../../host/generation.ts";
import { readImage } from "../../host/image/reader.ts";
import { startWasiBoard } from "../../host/test/wasi_board.ts";
import { compileTools } from "../../host/tools/compile.ts";
import type { Elsewhere } from "./evaluation.ts";
import type { Example } from "./examples.ts";
import { GATE_OPEN, withAssistant } from "./gate.ts";
import type { Answers } from "./pool.ts";
import { sampled } from "./sample.ts";

type Speaker = (prompt: string, options: GenerateOptions) => Promise<Answer>;

export type PlaceName = "engine" | "wasi";

/** What an answer of calls may take (assistant_board.ts). */
const MAX_TOKENS = 17;
const NAMES: Record<PlaceName, string> = { engine: "Node's engine", wasi: "the WASI build" };

/**
 * @param n of the examples that can be asked there
 * @param onProgress of them are done
 */
export async function elsewhere(
  place: PlaceName,
  image: Uint8Array,
  examples: readonly Example[],
  answers: Answers,
  { n, seed, onProgress }: { n: number; seed: number; onProgress: (done: number, of: number) => void },
): Promise<Elsewhere> {
  const own = Buffer.from(readImage(image).assistant?.table ?? new Uint8Array());
  const tables = new Map<string, boolean>();
  const isOwn = ({ table, tools }: Example): boolean => {
    if (!tables.has(table)) tables.set(table, own.equals(compileTools(tools)));
    return tables.get(table) === true;
  };
  const possible = [...answers].filter(([i, asked]) => asked !== null && !examples[i].unsure && isOwn(examples[i]));
  const chosen = sampled(
    possible.sort(([a], [b]) => a - b),
    n,
    seed,
  );
  const open = withAssistant(image, { gate: GATE_OPEN, textMax: 1 });
  const differing: string[] = [];
  await withSpeaker(place, open, async (speak) => {
    for (const [done, [i, asked]] of chosen.entries()) {
      onProgress(done, chosen.length);
      if (asked === null) continue;
      const options = { temperature: 0, maxTokens: MAX_TOKENS };
      if (asked.sentence !== null) await speak(asked.sentence, options);
      const { tokenIds } = await speak(examples[i].text, { ...options, keep: asked.sentence !== null });
      if (tokenIds.join() !== asked.turn.ids.join()) differing.push(examples[i].text);
    }
  });
  return { place: NAMES[place], asked: chosen.length, same: chosen.length - differing.length, differing };
}

async function withSpeaker(
  place: PlaceName,
  image: Uint8Array,
  work: (speak: Speaker) => Promise<void>,
): Promise<void> {
  if (place === "engine") {
    const engine = await Engine.open(image);
    await work((prompt, options) => engine.generate(prompt, options));
    return engine.close();
  }
  const folder = await mkdtemp(join(tmpdir(), "tritkit-eval-"));
  const flash = join(folder, "flash.bin");
  const wasi = startWasiBoard(flash);
  try {
    const device = await Device.connect(wasi.transport);
    await flashModel(device, image);
    await work((prompt, options) => generateOnDevice(device, prompt, options));
    await device.close();
  } finally {
    await wasi.kill();
    await rm(folder, { recursive: true });
  }
}
