/** A cost table fitted to the training runs of a board, and where it is kept. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Core } from "../../../boards/board.ts";
import type { CostTable } from "../../../firmware-sim/index.ts";
import { checkedTable, costTable, exitsOf, type FunctionCost } from "../../../firmware-sim/meter/cost_table.ts";
import { ROOT } from "../../lib/root.mjs";
import { CLASSES, opsVector } from "./classes.ts";
import type { Unit } from "./emulated.ts";
import { type Fit, fit, type GroupFit, type Row } from "./fit.ts";
import { nonNegative } from "./least_squares.ts";
import { pricesSource } from "./machine_cycles.ts";
import type { MeasuredBoard } from "./measure.ts";
import { firmwareBeside, normalised, ownCounts, partOf, WIRE } from "./parts.ts";
import { type Priors, priorsOf } from "./priors.ts";

/** Functions that never take this share of a phase get no factor of their own. */
const HOT = 0.0005;
/** Of what a call and a byte of the HAL cost, against squares of relative errors. */
const SHIM_PULL = 0.01;

/** Rows of the training phases, and the groups that are worth a factor. */
function rowsOf(
  { phases, groups }: MeasuredBoard,
  unit: Unit,
  priors: readonly number[],
): { rows: Row[]; hot: Set<string> } {
  const training = phases.filter(({ run }) => !run.heldOut);
  const counts = ownCounts(training, unit, priors);
  const rows: Row[] = [];
  const hot = new Set<string>();
  training.forEach((phase, i) => {
    const byGroup = new Map<string, { ops: number[]; exits: number; counted: number }>();
    let total = 0;
    for (const [symbol, ops] of phase.ops) {
      const group = groups.get(symbol) ?? symbol;
      const row = byGroup.get(group) ?? { ops: CLASSES.map(() => 0), exits: 0, counted: 0 };
      const executed = normalised(phase, symbol, ops);
      opsVector(executed).forEach((count, j) => {
        row.ops[j] += count;
      });
      row.exits += exitsOf(executed);
      const counted = counts[i].get(symbol) ?? 0;
      row.counted += counted;
      if (partOf(symbol) !== WIRE) total += counted;
      byGroup.set(group, row);
    }
    for (const [group, row] of byGroup) {
      if (row.counted === 0) continue;
      rows.push({ group, ...row, total });
      if (row.counted > HOT * total) hot.add(group);
    }
  });
  return { rows, hot };
}

/**
 * @param name of the table
 * @param emulator its name and version
 */
export function fittedTable(measured: MeasuredBoard, name: string, emulator: string): CostTable {
  const { board, calibrated, groups, names, phases } = measured;
  const { core } = board.cpu;
  const found = {} as Record<Unit, Fit>;
  const hot = new Set<string>();
  for (const unit of ["instructions", "cycles"] as const) {
    const priors = classVector(priorsOf(core, unit));
    const { rows, hot: ofUnit } = rowsOf(measured, unit, priors);
    // A function without a factor is in the table with 1: its rows shall be fitted with that.
    found[unit] = fit(rows, priors, ofUnit);
    for (const group of ofUnit) hot.add(group);
  }
  const of = (unit: Unit, group: string): GroupFit => found[unit].groups.get(group) ?? { factor: 1, exit: 0 };
  const factors = [...groups]
    .filter(([, group]) => hot.has(group))
    .map(([symbol, group]): [string, FunctionCost] => {
      const [instructions, cycles] = [of("instructions", group), of("cycles", group)];
      const exit = { instructions: rounded(instructions.exit), cycles: rounded(cycles.exit) };
      return [
        names.get(symbol) ?? symbol,
        { instructions: rounded(instructions.factor), cycles: rounded(cycles.factor), exit },
      ];
    })
    .sort();
  const shim = (unit: Unit) => {
    const { call, byte } = priorsOf(core, unit).shim;
    const equations = phases
      .filter(({ run }) => !run.heldOut)
      .map((phase) => {
        const { calls, bytes, counted } = firmwareBeside(phase, unit);
        return { x: [calls, bytes], y: counted, weight: 1 / Math.max(counted, 1) ** 2 };
      });
    return nonNegative(equations, [call, byte], SHIM_PULL).map(rounded);
  };
  const [instructionsOf, cyclesOf] = [shim("instructions"), shim("cycles")];
  const fitted = `calibrated: fitted to ${emulator}, ${board.name} (npm run calibrate -- --fit)`;
  const derived = `derived: instructions counted by ${emulator}, ${board.name}, at ${calibrated.unit === "cycles" ? "" : pricesSource(core)}`;
  return checkedTable(
    {
      core: name,
      provenance: { instructions: fitted, cycles: calibrated.unit === "cycles" ? fitted : derived },
      instructions: byClass(found.instructions.costs),
      cycles: byClass(found.cycles.costs),
      functions: Object.fromEntries(factors),
      shim: {
        call: { instructions: instructionsOf[0], cycles: cyclesOf[0] },
        byte: { instructions: instructionsOf[1], cycles: cyclesOf[1] },
      },
    },
    name,
  );
}

function classVector({ classes }: Priors): number[] {
  return CLASSES.map((of) => classes[of]);
}

function byClass(costs: readonly number[]): Record<string, number> {
  return Object.fromEntries(CLASSES.map((of, i) => [of, rounded(costs[i])]));
}

function rounded(value: number): number {
  return Number(value.toFixed(4));
}

const FOLDER = "firmware-sim/meter/cpus";

function fileOf(core: string): string {
  return join(ROOT, FOLDER, `${core}.json`);
}

export async function writeTable(table: CostTable): Promise<string> {
  await writeFile(fileOf(table.core), `${JSON.stringify(table, null, 2)}\n`);
  return `${FOLDER}/${table.core}.json`;
}

/** As the files are now: what this program brought with it may have been fitted anew since. */
export async function tableNow(core: Core): Promise<CostTable> {
  const { core: name } = costTable(core);
  return checkedTable(JSON.parse(await readFile(fileOf(name), "utf8")), name);
}
