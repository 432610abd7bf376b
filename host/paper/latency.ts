/**
 * Time of a token at batch 1. Every weight is read once, so no token can be faster than bytes / bandwidth; what is above that is fitted
 * to table 1 with two constants for each runtime: a time for each layer (launches, norms, attention) and the share of the card's
 * bandwidth that is reached. Figure 2 is then a prediction.
 */
import { fitTwo } from "./fit.ts";
import { A100 } from "./gpu.ts";
import { BYTES } from "./memory.ts";
import { type Side, TABLE_1 } from "./published.ts";
import { linearWeights, type Shape, shapeOf, VOCAB } from "./shapes.ts";

/** Linear layers and head; of the embedding a token reads one row. */
export function streamedBytes(side: Side, shape: Shape): number {
  return BYTES[side].linear * linearWeights(shape) + 2 * VOCAB * shape.dim;
}

/** The roofline: what a token takes at least. */
export function boundSeconds(side: Side, shape: Shape): number {
  return streamedBytes(side, shape) / A100.bytesPerSecond;
}

export interface Runtime {
  readonly secondsPerLayer: number;
  /** Of the card's bandwidth. */
  readonly efficiency: number;
}

export function fittedRuntime(side: Side): Runtime {
  const rows = TABLE_1.filter((row) => row.side === side);
  const shapes = rows.map((row) => shapeOf(row.size));
  const [secondsPerLayer, slowdown] = fitTwo(
    rows.map((row) => row.ms / 1000),
    shapes.map((shape) => shape.layers),
    shapes.map((shape) => boundSeconds(side, shape)),
  );
  return { secondsPerLayer, efficiency: 1 / slowdown };
}

export function tokenSeconds(side: Side, shape: Shape): number {
  const { secondsPerLayer, efficiency } = fittedRuntime(side);
  return shape.layers * secondsPerLayer + boundSeconds(side, shape) / efficiency;
}
