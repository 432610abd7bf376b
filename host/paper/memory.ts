/**
 * GPU memory of a model that runs: weights, cache, and what the runtime keeps beside them.
 *
 *     LLaMA    2 bytes a weight                     cache 2 bytes a number    + c * vocabulary * dim bytes
 *     b1.58    1/4 byte a linear weight (2 bits),   cache 1 byte a number     + c * vocabulary * dim bytes
 *              2 bytes in embedding and head
 *
 * Only c is fitted, one for each runtime, to table 1. Figure 2 and the weights of table 3 are then predictions.
 */
import { fitOne } from "./fit.ts";
import { type Side, TABLE_1 } from "./published.ts";
import { cacheNumbers, linearWeights, type Shape, shapeOf, VOCAB } from "./shapes.ts";

/** Positions of the cache: what the models were trained for. */
export const CACHE_POSITIONS = 2048;
export const GB = 1e9;

export const BYTES = {
  llama: { linear: 2, cache: 2 },
  b158: { linear: 0.25, cache: 1 },
} as const;
const EMBEDDING_BYTES = 2;

/** Linear layers, embedding and head. */
export function weightBytes(side: Side, shape: Shape): number {
  return BYTES[side].linear * linearWeights(shape) + 2 * EMBEDDING_BYTES * VOCAB * shape.dim;
}

/** Keys and values of one position. */
export function cacheBytes(side: Side, shape: Shape): number {
  return BYTES[side].cache * cacheNumbers(shape);
}

/** Without any fitted constant. */
export function knownBytes(side: Side, shape: Shape): number {
  return weightBytes(side, shape) + CACHE_POSITIONS * cacheBytes(side, shape);
}

/** Bytes of run-time buffers for an entry of vocabulary times dim, fitted to table 1. */
export function fittedBuffer(side: Side): number {
  const rows = TABLE_1.filter((row) => row.side === side);
  const shapes = rows.map((row) => shapeOf(row.size));
  return fitOne(
    rows.map((row) => row.gb * GB),
    shapes.map((shape) => knownBytes(side, shape)),
    shapes.map((shape) => VOCAB * shape.dim),
  );
}

export function bufferBytes(side: Side, shape: Shape): number {
  return fittedBuffer(side) * VOCAB * shape.dim;
}

export function totalBytes(side: Side, shape: Shape): number {
  return knownBytes(side, shape) + bufferBytes(side, shape);
}
