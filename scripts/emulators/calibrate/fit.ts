/**
 * Fits a cost table: a cost for each class of instruction, and for each group of functions a factor and what the end of a loop costs on top, so that
 *
 *     counted = factor of the group x sum over classes of (cost of the class x instructions of that class)
 *               + exit of the group x branches that were not taken
 *
 * The last term is there because gcc turns a loop into an unrolled one with a beginning and an end: steps get cheaper, ends dearer. Given factors and
 * exits the costs are a least-squares problem and the other way round: the two take turns. Costs are pulled towards
 * their priors, factors towards 1, exits towards 0.
 */
import { dot, nonNegative } from "./least_squares.ts";

/** What a group of functions executed in one phase of one run. */
export interface Row {
  readonly group: string;
  /** WebAssembly instructions, by class. */
  readonly ops: readonly number[];
  /** Branches that were not taken: of a loop, that it ended. */
  readonly exits: number;
  /** What the emulator counted. */
  readonly counted: number;
  /** The same of the whole phase: errors count by the share of the phase that they are in. */
  readonly total: number;
}

export interface GroupFit {
  readonly factor: number;
  readonly exit: number;
}

export interface Fit {
  readonly costs: readonly number[];
  readonly groups: ReadonlyMap<string, GroupFit>;
}

const TURNS = 30;
/** A factor of 2, or an exit of EXIT_SCALE, weighs as much as an error of 1 % in some 25 phases; a class at twice its prior a fifth of that. */
const COST_PULL = 0.0005;
const GROUP_PULL = 0.0025;
const EXIT_SCALE = 30;
const UNFITTED: GroupFit = { factor: 1, exit: 0 };

/**
 * @param priors cost of each class
 * @param free groups that get a factor and an exit
 */
export function fit(rows: readonly Row[], priors: readonly number[], free: ReadonlySet<string>): Fit {
  const byGroup = new Map([...free].sort().map((group) => [group, rows.filter((row) => row.group === group)]));
  const groupsFor = (costs: readonly number[]) =>
    new Map([...byGroup].map(([group, own]) => [group, fitGroup(own, costs)]));
  let costs: readonly number[] = priors;
  for (let turn = 0; turn < TURNS; turn++) {
    const groups = groupsFor(costs);
    const equations = rows.map((row) => {
      const { factor, exit } = groups.get(row.group) ?? UNFITTED;
      return { x: row.ops.map((count) => factor * count), y: row.counted - exit * row.exits, weight: weightOf(row) };
    });
    costs = nonNegative(equations, priors, COST_PULL);
  }
  return { costs, groups: groupsFor(costs) };
}

/** Squares of relative errors, each times its share of the phase. */
function weightOf({ counted, total }: Row): number {
  return 1 / (Math.max(counted, total * 1e-5) * total);
}

function fitGroup(rows: readonly Row[], costs: readonly number[]): GroupFit {
  const equations = rows.map((row) => ({
    x: [dot(row.ops, costs), row.exits],
    y: row.counted,
    weight: weightOf(row),
  }));
  const [factor, exit] = nonNegative(equations, [1, 0], GROUP_PULL, [1, EXIT_SCALE]);
  return { factor, exit };
}
