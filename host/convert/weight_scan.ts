/**
 * One pass over a matrix of floats: its means, and whether it is ternary already.
 *
 * Published float files of ternary models hold only {0, +-s}. There may be one s for the tensor, one for each row, or one for each column: TriLM computed s on every GPU
 * by itself ("there may be MP <= 6 scales per weight matrix", NolanoOrg/SpectraSuite, README), and Megatron splits q, k, v, gate and up by rows, o and down by columns.
 */
import { TritkitError, throwIfAborted } from "../errors.ts";
import type { MatrixSource } from "./model.ts";

const CHUNK_WEIGHTS = 1 << 20;

/** Rows that are read at once: a multiple of 4, about a million weights. */
export function chunkRows(cols: number): number {
  return Math.max(4, Math.floor(CHUNK_WEIGHTS / cols / 4) * 4);
}

export interface WeightScan {
  /** mean |W| and mean W. */
  readonly absolute: number;
  readonly mean: number;
  /** |w| of each row, or of each column, where the matrix holds {0, +-s}; 0 for one of zeros. null: it holds other values. Rows come first: a tensor of one s has them. */
  readonly rowLevels: Float64Array | null;
  readonly columnLevels: Float64Array | null;
}

/** @throws TritkitError E_SOURCE_FORMAT for a weight that is no number */
export async function scanWeights(name: string, source: MatrixSource, signal?: AbortSignal): Promise<WeightScan> {
  const { rows, cols } = source;
  const rowLevels = new Float64Array(rows);
  const columnLevels = new Float64Array(cols);
  let absolute = 0;
  let sum = 0;
  let byRows = true;
  let byColumns = true;
  for (let start = 0; start < rows; start += chunkRows(cols)) {
    throwIfAborted(signal);
    const count = Math.min(chunkRows(cols), rows - start);
    const weights = await source.values(start, count);
    for (let row = 0; row < count; row++) {
      if (byRows) {
        rowLevels[start + row] = levelOf(weights, row * cols, cols);
        if (rowLevels[start + row] < 0) byRows = false;
      }
      if (byColumns) byColumns = meetsLevels(weights, row * cols, columnLevels);
    }
    for (let i = 0; i < weights.length; i++) {
      sum += weights[i];
      absolute += Math.abs(weights[i]);
    }
  }
  if (!Number.isFinite(absolute))
    throw new TritkitError("E_SOURCE_FORMAT", `${name} holds a value that is no number.`, "Download the model again.");
  return {
    absolute: absolute / (rows * cols),
    mean: sum / (rows * cols),
    rowLevels: byRows ? rowLevels : null,
    columnLevels: byColumns ? columnLevels : null,
  };
}

/** The one |w| of `count` weights that are not 0; 0 when all are, -1 when there are two. */
function levelOf(weights: Float32Array, start: number, count: number): number {
  let level = 0;
  for (let i = start; i < start + count; i++) {
    const size = Math.abs(weights[i]);
    if (size === 0) continue;
    if (level === 0) level = size;
    else if (size !== level) return -1;
  }
  return level;
}

/** Do the weights of a row have the |w| of their columns? Columns without one take it. */
function meetsLevels(weights: Float32Array, start: number, levels: Float64Array): boolean {
  for (let col = 0; col < levels.length; col++) {
    const size = Math.abs(weights[start + col]);
    if (size === 0 || size === levels[col]) continue;
    if (levels[col] !== 0) return false;
    levels[col] = size;
  }
  return true;
}

/** One number where all levels but zeros are the same, else as they are. */
export function oneLevel(levels: Float64Array): number | Float64Array {
  const level = levels.find((value) => value > 0) ?? 0;
  return levels.every((value) => value === 0 || value === level) ? level : levels;
}
