/**
 * Ternary matrices with a scale for each column. An image has none, but the values that such a matrix takes come from the rows of another one without anything between that a
 * factor would not pass: o(attention of v) and down(act(gate) * up). So the columns of o give their factors to the rows of v, those of down to the rows of up; the product is the same.
 */
import { KIND_ATTN_O, KIND_ATTN_V, KIND_FFN_DOWN, KIND_FFN_UP } from "../../spec/image.ts";
import { TritkitError } from "../errors.ts";
import type { LinearSource } from "./model.ts";

/** Whose rows take the scales of whose columns. */
export const TAKES_COLUMNS_OF: ReadonlyMap<number, number> = new Map([
  [KIND_ATTN_V, KIND_ATTN_O],
  [KIND_FFN_UP, KIND_FFN_DOWN],
]);

export function givesColumns(kind: number): boolean {
  return [...TAKES_COLUMNS_OF.values()].includes(kind);
}

/** The largest level leads; the others are shares of it. */
export function leadingLevel(levels: Float64Array): number {
  return levels.reduce((largest, level) => Math.max(largest, level), 0);
}

/**
 * Factors of the rows of v that the columns of o ask for.
 * @param levels |w| of each column of o, (n_heads * head_dim), 0 for a column of zeros
 * @returns (n_kv_heads * head_dim)
 * @throws TritkitError E_UNSUPPORTED when heads that share a value head disagree
 */
export function valueFactors(
  name: string,
  levels: Float64Array,
  shape: { readonly nHeads: number; readonly nKvHeads: number; readonly headDim: number },
): Float64Array {
  const { nHeads, nKvHeads, headDim } = shape;
  const lead = leadingLevel(levels);
  const shared = nHeads / nKvHeads;
  const factors = new Float64Array(nKvHeads * headDim);
  for (let column = 0; column < levels.length; column++) {
    if (levels[column] === 0) continue;
    const head = Math.floor(column / headDim);
    const row = Math.floor(head / shared) * headDim + (column % headDim);
    const factor = levels[column] / lead;
    if (factors[row] !== 0 && factors[row] !== factor)
      throw new TritkitError(
        "E_UNSUPPORTED",
        `${name} has scales for its columns that differ between heads of one value head.`,
        "tritkit has no room for such scales.",
      );
    factors[row] = factor;
  }
  return factors.map((factor) => factor || 1);
}

/** Factors of the rows of up that the columns of down ask for, (hidden_dim). */
export function upFactors(levels: Float64Array): Float64Array {
  const lead = leadingLevel(levels);
  return levels.map((level) => (level === 0 ? 1 : level / lead));
}

/** The same trits with scales that are `factors` times as large. */
export function scaleRows(linear: LinearSource, factors: Float64Array): LinearSource {
  const { scale } = linear;
  return {
    rows: linear.rows,
    cols: linear.cols,
    scale: factors.map((factor, row) => factor * (typeof scale === "number" ? scale : scale[row])),
    trits: (start, count) => linear.trits(start, count),
  };
}
