/** What the tables say of every board, also of those that no emulator runs: a run that was held out, on the simulated board alone. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cyclesOrigin } from "../../../firmware-sim/meter/cost_table.ts";
import { loadBoard } from "../../../host/assets.ts";
import { ROOT } from "../../lib/root.mjs";
import { answers } from "./answers.ts";
import { flashBetween, minus } from "./measure.ts";
import { costWithoutWire, RECORDED_RUN } from "./recorded.ts";
import { imageOf, RUNS } from "./runs.ts";
import { type FlashUse, startSimulated } from "./simulated.ts";
import { tableNow } from "./table.ts";

export interface Prediction {
  readonly board: string;
  readonly core: string;
  readonly hz: number;
  /** Of a token, on average, without the wire. */
  readonly cycles: number;
  readonly flash: FlashUse;
  readonly origin: string;
}

export async function predictions(): Promise<Prediction[]> {
  const run = RUNS.find(({ name }) => name === RECORDED_RUN);
  if (run === undefined) throw new Error(`there is no run "${RECORDED_RUN}"`);
  const image = await imageOf(run.model);
  const folder = await mkdtemp(join(tmpdir(), "tritkit-predictions-"));
  try {
    const names = (await readdir(join(ROOT, "boards"))).filter((name) => /^[a-z0-9-]+\.json$/.test(name)).sort();
    const found: Prediction[] = [];
    for (const name of names) {
      const board = await loadBoard(name.slice(0, -".json".length));
      const simulated = await startSimulated(board, image, run.context, folder);
      const [, decode] = await answers(simulated.device, run, async () => simulated.counts()).finally(simulated.close);
      const { before, after, tokenIds } = decode;
      const table = await tableNow(board.cpu.core);
      const ops = new Map([...after.ops].map(([fn, of]) => [fn, minus(of, before.ops.get(fn) ?? {})] as const));
      const flash = flashBetween(before.flash, after.flash);
      const each = (count: number): number => count / tokenIds.length;
      found.push({
        ...{ board: board.name, core: board.cpu.core, hz: board.cpu.hz, origin: cyclesOrigin(table) },
        cycles: each(costWithoutWire(table, ops, "cycles")),
        flash: { bytes: each(flash.bytes), dataWait: each(flash.dataWait), codeWait: each(flash.codeWait) },
      });
    }
    return found;
  } finally {
    await rm(folder, { recursive: true });
  }
}
