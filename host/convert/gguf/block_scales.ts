/**
 * TQ1_0 and TQ2_0 have a scale for every 256 weights, a ternary matrix has one for all, for each row, or for each column (weight_scan.ts). ggml's quantiser writes the
 * largest magnitude of a block, so that the blocks of weights that were ternary before have their scale, rounded to f16; a block of zeros has the scale 0.
 */
import { throwIfAborted } from "../../errors.ts";
import { chunkRows, type WeightScan } from "../weight_scan.ts";
import { badGguf } from "./errors.ts";
import { type Rows, readBlocks } from "./row_readers.ts";
import { BLOCK_WEIGHTS, blockScales, decodeTrits } from "./ternary_blocks.ts";

export type Levels = Pick<WeightScan, "rowLevels" | "columnLevels">;

/**
 * One pass over the tensor.
 * @throws TritkitError E_SOURCE_FORMAT for a scale that is none
 */
export async function blockLevels(rows: Rows, signal?: AbortSignal): Promise<Levels> {
  const { file, tensor, cols } = rows;
  const across = cols / BLOCK_WEIGHTS;
  const byRow = new Levelled(rows.rows);
  const byColumn = new Levelled(across);
  for (let start = 0; start < rows.rows; start += chunkRows(cols)) {
    throwIfAborted(signal);
    const count = Math.min(chunkRows(cols), rows.rows - start);
    const bytes = await readBlocks(rows, start, count);
    const blockBytes = bytes.length / (count * across);
    for (const [block, scale] of blockScales(tensor.type, bytes).entries()) {
      if (scale === 0) continue;
      if (!(scale > 0 && scale < Infinity)) throw badGguf(file.name, `has the scale ${scale} in ${tensor.name}`);
      const row = start + Math.floor(block / across);
      const column = block % across;
      if (byRow.has(row, scale) && byColumn.has(column, scale)) continue;
      if (isZero(tensor.type, bytes.subarray(block * blockBytes, (block + 1) * blockBytes))) continue;
      byRow.meet(row, scale);
      byColumn.meet(column, scale);
    }
  }
  const columns = byColumn.levels;
  return {
    rowLevels: byRow.levels,
    columnLevels: columns && Float64Array.from({ length: cols }, (_, col) => columns[Math.floor(col / BLOCK_WEIGHTS)]),
  };
}

/** Lines of a matrix that have one scale each, as long as none is met twice. */
class Levelled {
  levels: Float64Array | null;

  constructor(lines: number) {
    this.levels = new Float64Array(lines);
  }

  /** Is it so, or is nothing asked any more? */
  has(line: number, scale: number): boolean {
    return this.levels === null || this.levels[line] === scale;
  }

  meet(line: number, scale: number): void {
    if (this.has(line, scale) || this.levels === null) return;
    if (this.levels[line] === 0) this.levels[line] = scale;
    else this.levels = null;
  }
}

/** Zeros have any scale. */
function isZero(type: number, block: Uint8Array): boolean {
  const trits = new Int8Array(BLOCK_WEIGHTS);
  decodeTrits(type, block, trits);
  return trits.every((trit) => trit === 0);
}
