/** NumPy's .npy, version 1.0: the two types that parity reads. */
import { readFile } from "node:fs/promises";

export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array | Float64Array;
}

export async function readNpy(path: string): Promise<Matrix> {
  const bytes = await readFile(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  const found = /'descr': '<f([48])'.*'fortran_order': False.*'shape': \((\d+), (\d+)\)/.exec(header);
  if (found === null) throw new Error(`${path}: ${header}`);
  const [, size, rows, cols] = found.map(Number);
  const data = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length);
  const values = size === 4 ? new Float32Array(data) : new Float64Array(data);
  if (values.length !== rows * cols) throw new Error(`${path} is cut short`);
  return { rows, cols, values };
}

/** Largest difference of each row, as a share of the largest value of `expected`. */
export function relativeErrors(expected: Matrix, found: Matrix): Float64Array {
  if (expected.rows !== found.rows || expected.cols !== found.cols)
    throw new Error(`(${found.rows}, ${found.cols}) logits instead of (${expected.rows}, ${expected.cols})`);
  const errors = new Float64Array(expected.rows);
  let largest = 0;
  for (const [i, value] of expected.values.entries()) {
    const row = Math.floor(i / expected.cols);
    largest = Math.max(largest, Math.abs(value));
    errors[row] = Math.max(errors[row], Math.abs(value - found.values[i]));
  }
  return errors.map((error) => error / largest);
}

export function relativeError(expected: Matrix, found: Matrix): number {
  return Math.max(...relativeErrors(expected, found));
}

/** Share of the rows whose largest value stands in the same column. */
export function top1Agreement(a: Matrix, b: Matrix): number {
  let agree = 0;
  for (let row = 0; row < a.rows; row++) if (largestColumn(a, row) === largestColumn(b, row)) agree++;
  return agree / a.rows;
}

function largestColumn({ cols, values }: Matrix, row: number): number {
  let best = 0;
  for (let col = 1; col < cols; col++) if (values[row * cols + col] > values[row * cols + best]) best = col;
  return best;
}
