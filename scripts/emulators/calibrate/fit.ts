/**
 * Fits a cost table: a cost for each class of instruction and a factor for each group of functions, so that
 *
 *     counted = factor of the group x sum over classes of (cost of the class x instructions of that class)
 *
 * Given the factors the costs are a least-squares problem and the other way round: the two take turns. Costs are pulled towards those of the table
 * before, factors towards 1.
 */
import { dot, nonNegative } from "./least_squares.ts";

/** What a group of functions executed in one phase of one run. */
export interface Row {
  readonly group: string;
  /** WebAssembly instructions, by class. */
  readonly ops: readonly number[];
  /** What the emulator counted. */
  readonly counted: number;
  /** The same of the whole phase: errors count by the share of the phase that they are in. */
  readonly total: number;
}

export interface Fit {
  readonly costs: readonly number[];
  readonly factors: ReadonlyMap<string, number>;
}

const TURNS = 30;
/** A class at twice its prior weighs as much as an error of 1 % in some 50 phases; a factor of 2 half of that. */
const COST_PULL = 0.005;
const FACTOR_PULL = 0.0025;

/**
 * @param priors cost of each class
 * @param free groups that get a factor; the others' is 1
 */
export function fit(rows: readonly Row[], priors: readonly number[], free: ReadonlySet<string>): Fit {
  const factorsFor = (costs: readonly number[]) =>
    new Map([...free].sort().map((group) => [group, factorOf(rows, group, costs)]));
  let costs: readonly number[] = priors;
  for (let turn = 0; turn < TURNS; turn++) {
    const factors = factorsFor(costs);
    const equations = rows.map((row) => {
      const factor = factors.get(row.group) ?? 1;
      return { x: row.ops.map((count) => factor * count), y: row.counted, weight: weightOf(row) };
    });
    costs = nonNegative(equations, priors, COST_PULL);
  }
  return { costs, factors: factorsFor(costs) };
}

/** Squares of relative errors, each times its share of the phase. */
function weightOf({ counted, total }: Row): number {
  return 1 / (Math.max(counted, total * 1e-5) * total);
}

function factorOf(rows: readonly Row[], group: string, costs: readonly number[]): number {
  let above = FACTOR_PULL;
  let below = FACTOR_PULL;
  for (const row of rows) {
    if (row.group !== group) continue;
    const predicted = dot(row.ops, costs);
    above += weightOf(row) * predicted * row.counted;
    below += weightOf(row) * predicted * predicted;
  }
  return above / below;
}
