/** The runs of one board, on its emulator and on the simulated board: the same tokens, or it is an error, so the same work. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Board } from "../../../boards/board.ts";
import type { OpCounts } from "../../../firmware-sim/index.ts";
import { loadBoard, loadDeviceWasm } from "../../../host/assets.ts";
import { between, type Profile } from "../profile.ts";
import { type Answered, answers, type Phase } from "./answers.ts";
import { type Calibrated, type Counts, type Firmware, firmwareOf, startEmulated } from "./emulated.ts";
import { groupsOf, symbolOf } from "./groups.ts";
import { moduleCalls } from "./module.ts";
import { imageOf, type Run } from "./runs.ts";
import { type FlashUse, type SimCounts, startSimulated } from "./simulated.ts";

/** One phase of one run. */
export interface Measured {
  readonly run: Run;
  readonly phase: Phase;
  /** Tokens of the answer. */
  readonly tokens: number;
  readonly emulated: Counts;
  /** By function, by the firmware's names. */
  readonly ops: ReadonlyMap<string, OpCounts>;
  readonly calls: Profile;
  readonly hal: { readonly calls: number; readonly bytes: number };
  /** No emulator here counts cycles of waiting. */
  readonly flash: FlashUse;
}

export interface MeasuredBoard {
  readonly board: Board;
  readonly calibrated: Calibrated;
  /** Group of each function (groups.ts). */
  readonly groups: ReadonlyMap<string, string>;
  /** The module's own name of a symbol. */
  readonly names: ReadonlyMap<string, string>;
  readonly phases: readonly Measured[];
}

export async function measure(calibrated: Calibrated, runs: readonly Run[]): Promise<MeasuredBoard> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-calibrate-"));
  try {
    const board = await loadBoard(calibrated.board);
    const firmware = await firmwareOf(calibrated);
    const { names, calls } = moduleCalls(await loadDeviceWasm(board));
    const groups = groupsOf(names.map(symbolOf), calls, firmware.code, firmware.symbols);
    const phases: Measured[] = [];
    for (const model of new Set(runs.map((run) => run.model))) {
      const ofModel = runs.filter((run) => run.model === model);
      phases.push(...(await runsOf(calibrated, board, firmware, ofModel, folder)));
    }
    return { board, calibrated, groups, names: new Map(names.map((name) => [symbolOf(name), name])), phases };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs of one model, on the two boards side by side. */
async function runsOf(
  calibrated: Calibrated,
  board: Board,
  firmware: Firmware,
  runs: readonly Run[],
  folder: string,
): Promise<Measured[]> {
  const { model, context } = runs[0];
  const image = await imageOf(model);
  const emulated = await startEmulated(calibrated, board, firmware, image, context, folder);
  try {
    const simulated = await startSimulated(board, image, context, folder);
    try {
      const phases: Measured[] = [];
      for (const run of runs) {
        const real = await answers(emulated.device, run, emulated.counts);
        const modelled = await answers(simulated.device, run, async () => simulated.counts());
        phases.push(...real.map((of, i) => together(board, run, of, modelled[i])));
      }
      return phases;
    } finally {
      await simulated.close();
    }
  } finally {
    await emulated.close();
  }
}

function together(board: Board, run: Run, real: Answered<Counts>, model: Answered<SimCounts>): Measured {
  if (real.tokenIds.length !== model.tokenIds.length || real.tokenIds.some((id, i) => id !== model.tokenIds[i]))
    throw new Error(`${board.name}, ${run.name}: the emulated and the simulated board say different tokens`);
  const { before, after } = model;
  const difference = (of: "instructions" | "cycles" | "calls") => between(real.before[of], real.after[of]);
  return {
    run,
    phase: real.phase,
    tokens: real.tokenIds.length,
    emulated: { instructions: difference("instructions"), cycles: difference("cycles"), calls: difference("calls") },
    ops: new Map(
      [...after.ops].map(([name, ops]) => [symbolOf(name), minus(ops, before.ops.get(name) ?? {})] as const),
    ),
    calls: new Map([...between(before.calls, after.calls)].map(([name, calls]) => [symbolOf(name), calls])),
    hal: { calls: after.hal.calls - before.hal.calls, bytes: after.hal.bytes - before.hal.bytes },
    flash: flashBetween(before.flash, after.flash),
  };
}

export function flashBetween(before: FlashUse, after: FlashUse): FlashUse {
  return {
    bytes: after.bytes - before.bytes,
    dataWait: after.dataWait - before.dataWait,
    codeWait: after.codeWait - before.codeWait,
  };
}

/** What is in `more` beyond `less`. */
export function minus(more: OpCounts, less: OpCounts): OpCounts {
  const entries = Object.entries(more) as [keyof OpCounts, number][];
  return Object.fromEntries(entries.map(([of, count]) => [of, count - (less[of] ?? 0)]));
}
