/**
 * The sums of a whole job, as PACKING.md's table kernel makes them: the packed byte is the index into a table of 243 partial sums. A table row here
 * has 256 entries, so that the index is a shift and an or.
 */
import { PACK_STRIDE } from "../../../spec/packing.ts";
import { BAD, ZEROS } from "./codes.ts";
import type { TgemvJob } from "./job.ts";

const ENTRIES = 256;

/** Zeros of two packed bytes; above 10 when one is no code. */
const ZEROS_OF_PAIR = new Uint8Array(65536);
const PAIR_BAD = 128;
for (let pair = 0; pair < 65536; pair++) {
  const low = ZEROS[pair & 255];
  const high = ZEROS[pair >> 8];
  ZEROS_OF_PAIR[pair] = low === BAD || high === BAD ? PAIR_BAD : low + high;
}

/** Zero trits of packed words, -1 when a byte is none of the 243 codes. */
export function countZeros(words: Uint32Array): number {
  const pairs = new Uint16Array(words.buffer, words.byteOffset, words.length * 2);
  let zeros = 0;
  let marks = 0;
  for (let i = 0; i < pairs.length; i++) {
    const z = ZEROS_OF_PAIR[pairs[i]];
    zeros += z;
    marks |= z;
  }
  return marks >= PAIR_BAD ? -1 : zeros;
}

/** i16: the partial sums of every group of x. */
function tablesOf(x: Int16Array, groups: number): Int16Array {
  const tables = new Int16Array(groups * ENTRIES);
  const low = new Int32Array(27);
  for (let g = 0; g < groups; g++) {
    const at = 5 * g;
    const x0 = x[at];
    const x1 = at + 1 < x.length ? x[at + 1] : 0;
    const x2 = at + 2 < x.length ? x[at + 2] : 0;
    const x3 = at + 3 < x.length ? x[at + 3] : 0;
    const x4 = at + 4 < x.length ? x[at + 4] : 0;
    let n = 0;
    for (let a = -1; a <= 1; a++)
      for (let b = -1; b <= 1; b++) for (let c = -1; c <= 1; c++) low[n++] = a * x2 + b * x3 + c * x4;
    let row = g * ENTRIES;
    for (let a = -1; a <= 1; a++)
      for (let b = -1; b <= 1; b++) {
        const high = a * x0 + b * x1;
        for (let i = 0; i < 27; i++) tables[row + i] = high + low[i];
        row += PACK_STRIDE;
      }
  }
  return tables;
}

/**
 * W @ x, modulo 2^32.
 * @param words packed weights of the job, every byte a code
 * @param x i16[cols]
 * @returns i32[rows rounded up to 4]
 */
export function product(words: Uint32Array, x: Int16Array, { blocks, planes, groups }: TgemvJob): Int32Array {
  const tables = tablesOf(x, groups);
  const y = new Int32Array(4 * blocks);
  let at = 0;
  for (let block = 0; block < blocks; block++) {
    let y0 = 0;
    let y1 = 0;
    let y2 = 0;
    let y3 = 0;
    for (let plane = 0; plane < planes; plane++) {
      y0 = Math.imul(y0, 3);
      y1 = Math.imul(y1, 3);
      y2 = Math.imul(y2, 3);
      y3 = Math.imul(y3, 3);
      for (let table = 0; table < tables.length; table += ENTRIES) {
        const w = words[at++];
        y0 = (y0 + tables[table | (w & 255)]) | 0;
        y1 = (y1 + tables[table | ((w >>> 8) & 255)]) | 0;
        y2 = (y2 + tables[table | ((w >>> 16) & 255)]) | 0;
        y3 = (y3 + tables[table | (w >>> 24)]) | 0;
      }
    }
    y[4 * block] = y0;
    y[4 * block + 1] = y1;
    y[4 * block + 2] = y2;
    y[4 * block + 3] = y3;
  }
  return y;
}
