/**
 * Fits a cost table: a cost for each class of instruction, and for each group of functions a factor and what the end of a loop costs on top, so that
 *
 *     counted = factor of the group x sum over classes of (cost of the class x instructions of that class)
 *               + exit of the group x branches that were not taken
 *
 * The last term is there because gcc turns a loop into an unrolled one with a beginning and an end: steps get cheaper, ends dearer. Given factors and
 * exits the costs are a least-squares problem and the other way round: the two take turns. Costs are pulled towards those of the table before,
 * factors towards 1, exits towards 0.
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
