/** What constants have to be so that predictions miss published numbers least, in per cent. */

/**
 * The c for which the largest relative error of `fixed[i] + c * perUnit[i]` against `target[i]` is smallest. The error as a function of c is
 * the roof over straight lines: its lowest point is where two of them cross.
 */
export function fitOne(target: readonly number[], fixed: readonly number[], perUnit: readonly number[]): number {
  const slopes = target.map((t, i) => perUnit[i] / t);
  const offsets = target.map((t, i) => fixed[i] / t - 1);
  const worst = (c: number): number => Math.max(...slopes.map((slope, i) => Math.abs(slope * c + offsets[i])));
  const crossings = slopes.flatMap((slope, i) =>
    slopes.map((other, j) => -(offsets[i] + offsets[j]) / (slope + other)),
  );
  return crossings.reduce((best, c) => (worst(c) < worst(best) ? c : best));
}

/** Least squares on relative errors: the a and b for which `a * p[i] + b * q[i]` is nearest to `target[i]`. */
export function fitTwo(target: readonly number[], p: readonly number[], q: readonly number[]): [number, number] {
  let pp = 0;
  let pq = 0;
  let qq = 0;
  let p1 = 0;
  let q1 = 0;
  for (const [i, t] of target.entries()) {
    const x = p[i] / t;
    const y = q[i] / t;
    pp += x * x;
    pq += x * y;
    qq += y * y;
    p1 += x;
    q1 += y;
  }
  const determinant = pp * qq - pq * pq;
  return [(p1 * qq - q1 * pq) / determinant, (q1 * pp - p1 * pq) / determinant];
}
