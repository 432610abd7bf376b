/** Counts by class of instruction as a vector, for the solver. */
import { OP_CLASSES, type OpCounts } from "../../../firmware-sim/meter/op_class.ts";

export const CLASSES = OP_CLASSES;

export function opsVector(ops: OpCounts): number[] {
  return CLASSES.map((of) => ops[of] ?? 0);
}
