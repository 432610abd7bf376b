/**
 * Matrix products of the float engine, sums in float64. One vector at a time; the caller brings rows of weights and as many vectors as it has.
 *
 * Ternary weights are read as they are stored (spec/PACKING.md): five trits are a byte, the byte is the index into the 243 sums of five inputs, so
 * that a product has one addition for five weights. Sums of int8 inputs are exact: every partial sum is an integer below 2^53.
 *
 *     packed   block of 4 rows > group of 5 columns > one byte for each row         tables   (TILE_GROUPS, 252), byte = 28 * hi + lo
 */
import { PACK_STRIDE, ROWS_PER_BLOCK, TRITS_PER_BYTE } from "../../spec/packing.ts";

/** Entries of a table: 9 combinations of the first two trits, 27 of the last three. */
const LOW = 27;
const ENTRIES = 9 * PACK_STRIDE;
/** 16 tables of 252 float64 are 32 KB: the first-level cache of the machines at hand. */
const TILE_GROUPS = 16;

/** The tables of a tile, and behind them what an illegal byte of the last group would read. */
const tables = new Float64Array(TILE_GROUPS * ENTRIES + 256);
const low = new Float64Array(LOW);

/** The sums of the group of x at `at`, of which `left` inputs exist: entry 28 * (3 * t0 + t1 + 4) + (9 * t2 + 3 * t3 + t4 + 13) holds t0*x0 + ... + t4*x4. */
function buildTable(x: Float64Array, at: number, left: number, table: number): void {
  const a = x[at];
  const b = left > 1 ? x[at + 1] : 0;
  const c = left > 2 ? x[at + 2] : 0;
  const d = left > 3 ? x[at + 3] : 0;
  const e = left > 4 ? x[at + 4] : 0;
  let j = 0;
  for (let cd = -c; j < LOW; cd += c)
    for (let de = cd - d, row = 0; row < 3; de += d, row++, j += 3) {
      low[j] = de - e;
      low[j + 1] = de;
      low[j + 2] = de + e;
    }
  let entry = table;
  for (let ab = -1; ab <= 1; ab++)
    for (let bb = -1; bb <= 1; bb++, entry += PACK_STRIDE) {
      const high = ab * a + bb * b;
      for (let i = 0; i < LOW; i++) tables[entry + i] = high + low[i];
    }
}

/**
 * Adds the products of `rows` packed rows and one vector.
 * @param x (cols) from `xAt` on
 * @param sums (rows rounded up to 4) from `sumsAt` on, which must be zero or a sum to continue
 */
export function addTernary(
  packed: Uint8Array,
  rows: number,
  cols: number,
  x: Float64Array,
  xAt: number,
  sums: Float64Array,
  sumsAt: number,
): void {
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const blocks = Math.ceil(rows / ROWS_PER_BLOCK);
  for (let first = 0; first < groups; first += TILE_GROUPS) {
    const count = Math.min(TILE_GROUPS, groups - first);
    for (let g = 0; g < count; g++) {
      const at = (first + g) * TRITS_PER_BYTE;
      buildTable(x, xAt + at, cols - at, g * ENTRIES);
    }
    for (let block = 0; block < blocks; block++) {
      let byte = (block * groups + first) * ROWS_PER_BLOCK;
      const row = sumsAt + block * ROWS_PER_BLOCK;
      let a = sums[row];
      let b = sums[row + 1];
      let c = sums[row + 2];
      let d = sums[row + 3];
      for (let table = 0; table < count * ENTRIES; table += ENTRIES) {
        a += tables[table + packed[byte]];
        b += tables[table + packed[byte + 1]];
        c += tables[table + packed[byte + 2]];
        d += tables[table + packed[byte + 3]];
        byte += ROWS_PER_BLOCK;
      }
      sums[row] = a;
      sums[row + 1] = b;
      sums[row + 2] = c;
      sums[row + 3] = d;
    }
  }
}

/**
 * Writes the products of `rows` rows of real weights and one vector.
 * @param weights (rows, cols)
 * @param y (rows) from `yAt` on
 */
export function realProduct(
  weights: Float32Array,
  rows: number,
  cols: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
): void {
  const fours = cols - (cols % 4);
  for (let row = 0; row < rows; row++) {
    const at = row * cols;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < fours; i += 4) {
      a += weights[at + i] * x[xAt + i];
      b += weights[at + i + 1] * x[xAt + i + 1];
      c += weights[at + i + 2] * x[xAt + i + 2];
      d += weights[at + i + 3] * x[xAt + i + 3];
    }
    for (let i = fours; i < cols; i++) a += weights[at + i] * x[xAt + i];
    y[yAt + row] = a + b + (c + d);
  }
}
