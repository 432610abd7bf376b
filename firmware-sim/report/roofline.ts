/**
 * What bounds a board, as numbers: ceilings of its engines and its memories, and the work that was measured. svg/roofline.ts draws it.
 *
 * An operation is one weight applied to one activation: for a ternary weight one addition, subtraction or nothing, for attention one int8
 * multiply-accumulate. (Papers that count a multiplication and an addition have twice as many.)
 */

import type { Known } from "./known.ts";

export interface Engine {
  readonly name: string;
  readonly opsPerSecond: number;
  readonly known: Known;
  readonly why: string;
}

export interface MemoryRate {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly known: Known;
  readonly why: string;
}

export interface RoofPoint {
  readonly name: string;
  readonly shape: "circle" | "square" | "diamond" | "triangle";
  /** Names of an engine and of a memory. */
  readonly engine: string;
  readonly memory: string;
  /** Of one token. */
  readonly ops: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface Roofline {
  readonly title: string;
  readonly notes: readonly string[];
  readonly engines: readonly Engine[];
  readonly memories: readonly MemoryRate[];
  readonly points: readonly RoofPoint[];
}

/** The lowest line over a point; null when its engine or memory is not in the figure. */
export function roofOf(
  { engines, memories }: Roofline,
  point: RoofPoint,
): { opsPerSecond: number; limit: "memory" | "arithmetic" } | null {
  const engine = engines.find(({ name }) => name === point.engine);
  const memory = memories.find(({ name }) => name === point.memory);
  if (engine === undefined || memory === undefined) return null;
  const fed = (memory.bytesPerSecond * point.ops) / point.bytes;
  return fed < engine.opsPerSecond
    ? { opsPerSecond: fed, limit: "memory" }
    : { opsPerSecond: engine.opsPerSecond, limit: "arithmetic" };
}
