/** What a packing code of spec/PACKING.md means for a (rows, cols) matrix: bytes, bits a weight, largest weight, a name for people. */
import {
  PACK_GAIN,
  PACK_INT4,
  PACK_INT8,
  PACK_TRITS_1,
  PACK_TRITS_5,
  ROWS_PER_BLOCK,
  TRITS_PER_BYTE,
} from "../../spec/packing.ts";

/** Trit planes of a packing: 1..5, or 0 for one that is not made of trits. */
export function planesOf(packing: number): number {
  return packing >= PACK_TRITS_1 && packing <= PACK_TRITS_5 ? packing : 0;
}

/** Largest |weight|: 1, 4, 13, 40, 121 for one to five planes, 7 for int4, 127 for int8; 0 for a code that is no weight packing. */
export function levelsOf(packing: number): number {
  const planes = planesOf(packing);
  if (planes > 0) return (3 ** planes - 1) / 2;
  if (packing === PACK_INT8) return 127;
  return packing === PACK_INT4 ? 7 : 0;
}

/** Size of the packed matrix without row scales; -1 for an unknown code. */
export function packedBytes(packing: number, rows: number, cols: number): number {
  const planes = planesOf(packing);
  if (planes > 0) return Math.ceil(rows / ROWS_PER_BLOCK) * planes * Math.ceil(cols / TRITS_PER_BYTE) * ROWS_PER_BLOCK;
  if (packing === PACK_INT8) return rows * cols;
  if (packing === PACK_INT4) return rows * Math.ceil(cols / 2);
  return packing === PACK_GAIN ? rows * cols * 2 : -1;
}

export function packingName(packing: number): string {
  const planes = planesOf(packing);
  if (planes === 1) return "ternary";
  if (planes > 1) return `${planes} trits`;
  if (packing === PACK_INT8) return "int8";
  if (packing === PACK_INT4) return "int4";
  return packing === PACK_GAIN ? "int16" : `code ${packing}`;
}
