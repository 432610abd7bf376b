/** PACKING.md for tests, written as it is drawn there. */

/** Row-major integer weights to `trits` planes. */
export function packTrits(weights: ArrayLike<number>, trits: number, rows: number, cols: number): Uint8Array {
  const groups = Math.ceil(cols / 5);
  const out = new Uint8Array(Math.ceil(rows / 4) * trits * groups * 4);
  for (let row = 0; row < Math.ceil(rows / 4) * 4; row++)
    for (let group = 0; group < groups; group++) {
      const digits = [0, 1, 2, 3, 4].map((i) => {
        const col = group * 5 + i;
        return planesOf(row < rows && col < cols ? weights[row * cols + col] : 0, trits);
      });
      for (let k = 0; k < trits; k++) {
        const [t0, t1, t2, t3, t4] = digits.map((planes) => planes[k] + 1);
        const offset = (((row >> 2) * trits + (trits - 1 - k)) * groups + group) * 4 + (row & 3);
        out[offset] = 28 * (t0 * 3 + t1) + t2 * 9 + t3 * 3 + t4;
      }
    }
  return out;
}

/** Balanced ternary digits, p[0] of value 1. */
function planesOf(weight: number, trits: number): number[] {
  const planes: number[] = [];
  for (let k = 0; k < trits; k++) {
    const digit = (((weight % 3) + 4) % 3) - 1;
    planes.push(digit);
    weight = (weight - digit) / 3;
  }
  if (weight !== 0) throw new RangeError(`does not fit ${trits} trits`);
  return planes;
}

export function packInt4(weights: ArrayLike<number>, rows: number, cols: number): Uint8Array {
  const bytes = Math.ceil(cols / 2);
  const out = new Uint8Array(rows * bytes);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++)
      out[row * bytes + (col >> 1)] |= (weights[row * cols + col] & 15) << (4 * (col & 1));
  return out;
}
