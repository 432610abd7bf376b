/**
 * TQ1_0 and TQ2_0 have a scale for every 256 weights, a ternary matrix one for a tensor or a row. ggml's quantiser writes the largest magnitude of a block, so
 * that the blocks of a model that was ternary before all have the same scale, rounded to f16; a block of zeros has the scale 0.
 */
import { throwIfAborted } from "../../errors.ts";
import { chunkRows } from "../absmean.ts";
import { badGguf } from "./errors.ts";
import { type Rows, readBlocks } from "./row_readers.ts";
import { BLOCK_WEIGHTS, blockScales, decodeTrits } from "./ternary_blocks.ts";

/**
 * One pass over the tensor.
 * @returns scale of each row, 0 for a row of zeros; null when blocks of one row differ in theirs
 * @throws TritkitError E_SOURCE_FORMAT for a scale that is none
 */
export async function rowScales(rows: Rows, signal?: AbortSignal): Promise<Float64Array | null> {
  const { file, tensor } = rows;
  const scales = new Float64Array(rows.rows);
  const blocksPerRow = rows.cols / BLOCK_WEIGHTS;
  for (let start = 0; start < rows.rows; start += chunkRows(rows.cols)) {
    throwIfAborted(signal);
    const count = Math.min(chunkRows(rows.cols), rows.rows - start);
    const bytes = await readBlocks(rows, start, count);
    const blockBytes = bytes.length / (count * blocksPerRow);
    for (const [block, scale] of blockScales(tensor.type, bytes).entries()) {
      const row = start + Math.floor(block / blocksPerRow);
      if (scale === scales[row] || scale === 0) continue;
      if (!(scale > 0 && scale < Infinity)) throw badGguf(file.name, `has the scale ${scale} in ${tensor.name}`);
      if (isZero(tensor.type, bytes.subarray(block * blockBytes, (block + 1) * blockBytes))) continue;
      if (scales[row] !== 0) return null;
      scales[row] = scale;
    }
  }
  return scales;
}

/** Zeros have any scale. */
function isZero(type: number, block: Uint8Array): boolean {
  const trits = new Int8Array(BLOCK_WEIGHTS);
  decodeTrits(type, block, trits);
  return trits.every((trit) => trit === 0);
}

/** One number when all rows that are not zero have the same scale. */
export function oneIfEqual(scales: Float64Array): number | Float64Array {
  const level = scales.find((scale) => scale > 0) ?? 0;
  return scales.every((scale) => scale === 0 || scale === level) ? level : scales;
}
