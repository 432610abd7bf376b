/**
 * Least squares with numbers that must not be negative and are pulled towards what was believed before, so that what the data say nothing about
 * stays where it was. Coordinate descent on the normal equations (the problem is NNLS of Lawson and Hanson, Solving Least Squares Problems,
 * chapter 23; some 30 unknowns need nothing faster). Deterministic.
 */

/** weight * (y - sum of x * unknown)^2 is to be small. */
export interface Equation {
  readonly x: readonly number[];
  readonly y: number;
  readonly weight: number;
}

const SWEEPS = 500;
/** A prior of nearly nothing would tie its unknown down. */
const LEAST_PRIOR = 0.1;

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * @param pull weight of ((unknown - prior) / scale)^2
 * @param scales of the unknowns; left out: their priors
 */
export function nonNegative(
  equations: readonly Equation[],
  priors: readonly number[],
  pull: number,
  scales: readonly number[] = priors.map((prior) => Math.max(prior, LEAST_PRIOR)),
): number[] {
  // Normal equations: A unknowns = b.
  const a = scales.map((scale, i) => scales.map((_, j) => (i === j ? pull / scale ** 2 : 0)));
  const b = priors.map((prior, i) => a[i][i] * prior);
  for (const { x, y, weight } of equations) {
    x.forEach((xi, i) => {
      if (xi === 0) return;
      b[i] += weight * xi * y;
      x.forEach((xj, j) => {
        a[i][j] += weight * xi * xj;
      });
    });
  }
  const unknowns = [...priors];
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (let i = 0; i < unknowns.length; i++)
      unknowns[i] = Math.max(0, unknowns[i] + (b[i] - dot(a[i], unknowns)) / a[i][i]);
  return unknowns;
}
