/**
 * Real rows to integers with one scale a row, by least squares: embeddings and heads as int8, int4 or trit planes.
 *
 * For a candidate step s the integers are q = round(v / s), and the best scale for these q is (v.q) / (q.q), which leaves the squared error v.v - (v.q)^2 / (q.q).
 * Candidates are absmax / levels and smaller steps that clamp the largest values, and, for rows that lie on a grid already, absmax / k for the k at which
 * every value is near a whole number of steps: those come back exactly.
 */

export interface QuantisedRow {
  /** Value of one level; 0 for a row of zeros. */
  readonly scale: number;
  /** Sum of squared errors and of squared values. */
  readonly error: number;
  readonly energy: number;
}

/** Clamping pays where steps are coarse: the smallest range that is tried, as a share of absmax, and the way there. */
const CLAMP_STEP = 0.03;
const CLAMP_MOST = (levels: number) => (levels >= 100 ? 0.94 : levels >= 40 ? 0.85 : 0.6);
/** Values this far from a whole number of steps are off the grid. bf16 keeps 8 bits: half a step at 127 levels, 0.15 at 40. */
const GRID_TOLERANCE = 0.2;
/** Gains below this share of the row's energy are rounding, and no reason to leave the coarser grid. */
const WORTHWHILE = 1e-9;

/**
 * @param row (cols) finite values
 * @param levels largest |q|
 * @param out (cols) receives q
 */
export function quantiseRow(row: Float32Array, levels: number, out: Int8Array): QuantisedRow {
  let energy = 0;
  let absmax = 0;
  for (let i = 0; i < row.length; i++) {
    energy += row[i] * row[i];
    absmax = Math.max(absmax, Math.abs(row[i]));
  }
  if (absmax === 0) {
    out.fill(0);
    return { scale: 0, error: 0, energy: 0 };
  }
  let best = { step: 0, scale: 0, kept: 0 };
  const consider = (step: number) => {
    const fitted = fit(row, step, levels);
    if (fitted.kept > best.kept + WORTHWHILE * energy) best = { step, ...fitted };
  };
  const isExact = () => energy - best.kept <= WORTHWHILE * energy;
  for (let k = 1; k <= levels && !isExact(); k++) if (isNearGrid(row, k / absmax)) consider(absmax / k);
  if (!isExact()) {
    consider(absmax / levels);
    for (let factor = 1 - CLAMP_STEP; factor > CLAMP_MOST(levels); factor -= CLAMP_STEP)
      consider((absmax / levels) * factor);
    consider(best.scale);
  }
  const inverse = 1 / best.step;
  for (let i = 0; i < row.length; i++) out[i] = level(row[i] * inverse, levels);
  return { scale: best.scale, error: Math.max(0, energy - best.kept), energy };
}

/** Is every value near a whole number of steps of 1 / inverse? Rows that are on no such grid leave after two or three values. */
function isNearGrid(row: Float32Array, inverse: number): boolean {
  for (let i = 0; i < row.length; i++)
    if (Math.abs(row[i] * inverse - Math.round(row[i] * inverse)) > GRID_TOLERANCE) return false;
  return true;
}

/** @returns the best scale for the integers of this step, and the energy that they keep */
function fit(row: Float32Array, step: number, levels: number): { scale: number; kept: number } {
  let vq = 0;
  let qq = 0;
  const inverse = 1 / step;
  for (let i = 0; i < row.length; i++) {
    const q = level(row[i] * inverse, levels);
    vq += row[i] * q;
    qq += q * q;
  }
  return qq === 0 ? { scale: 0, kept: 0 } : { scale: vq / qq, kept: (vq * vq) / qq };
}

/** The nearest whole number within +-levels. */
function level(scaled: number, levels: number): number {
  if (scaled >= levels) return levels;
  return scaled <= -levels ? -levels : Math.floor(scaled + 0.5);
}
