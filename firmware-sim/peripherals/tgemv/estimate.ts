/**
 * Cycles of a job as one formula, for estimates before anything is built or run (spec/TGEMV.md, "Closed form"). The model itself counts exactly.
 */
import { TGEMV_DESC_WORDS } from "../../../spec/tgemv.ts";
import type { TgemvConfig } from "./config.ts";
import type { MemoryTiming } from "./ports.ts";

export interface TgemvShape {
  rows: number;
  cols: number;
  planes: number;
  vectors: number;
  wide: boolean;
  keep: boolean;
}

/** Grants of the M port do not wait. */
export function estimateCycles(shape: TgemvShape, memory: MemoryTiming, { fifo }: Pick<TgemvConfig, "fifo">): number {
  const { rows, cols, planes, vectors, wide, keep } = shape;
  const slots = wide ? 2 * vectors : vectors;
  const groups = Math.ceil(cols / 5);
  const blocks = Math.ceil(rows / 4);
  const burst = memory.burstBeats > 0 ? memory.setup / memory.burstBeats : 0;
  const gap = Math.max(1, memory.cycles.num / memory.cycles.den) + burst;
  const block = Math.max(planes * groups * Math.max(gap, slots), 4 * vectors + slots + 1);
  const load = keep ? 0 : vectors * Math.ceil((5 * groups) / 2) * (wide ? 2 : 1) + 1;
  // While activations load, memory fills the FIFO: that many cycles of the stream are over when the lanes begin.
  const open = memory.burstBeats > 0 ? 0 : memory.setup;
  const ahead = Math.min(load, gap > slots ? open + fifo * gap : open);
  const lastRows = rows - 4 * (blocks - 1);
  return TGEMV_DESC_WORDS + 2 + load + open - ahead + 2 + blocks * block + 1 + vectors * lastRows;
}
