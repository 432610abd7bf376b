/**
 * BitNet b1.58's weight quantiser (arXiv 2402.17764): s = mean|W|, trits = round(W / s) clamped to +-1.
 *
 * In float32 with the reciprocal scale and ties to even, as transformers does it at load, so that latent checkpoints give the trits
 * they were evaluated with. Tensors that hold only {0, +-s} already (TriLM: one s for a tensor, or one for a row) keep their s: their mean would be
 * s times the share of non-zeros.
 */
import { TritkitError, throwIfAborted } from "../errors.ts";
import type { LinearSource, MatrixSource } from "./model.ts";

/** Below this mean a tensor counts as zero; transformers clamps there too. */
const SMALLEST_MEAN = 1e-5;
const CHUNK_WEIGHTS = 1 << 22;

/** Rows that are read at once: a multiple of 4, about 4 million weights. */
export function chunkRows(cols: number): number {
  return Math.max(4, Math.floor(CHUNK_WEIGHTS / cols / 4) * 4);
}

export interface AbsmeanLinear extends LinearSource {
  /** The weights were {0, +-s} before: nothing was lost. */
  readonly wasTernary: boolean;
}

/** One pass over the weights for the scale; trits are made when they are asked for. */
export async function absmean(source: MatrixSource, signal?: AbortSignal): Promise<AbsmeanLinear> {
  const { rows, cols } = source;
  const rowScales = new Float64Array(rows);
  let sum = 0;
  let isTernary = true;
  for (let start = 0; start < rows; start += chunkRows(cols)) {
    throwIfAborted(signal);
    const count = Math.min(chunkRows(cols), rows - start);
    const weights = await source.values(start, count);
    for (let row = 0; row < count; row++) {
      let level = 0;
      for (let i = row * cols; i < (row + 1) * cols; i++) {
        const size = Math.abs(weights[i]);
        sum += size;
        if (size === 0) continue;
        if (level === 0) level = size;
        else if (size !== level) isTernary = false;
      }
      rowScales[start + row] = level;
    }
  }
  if (!Number.isFinite(sum))
    throw new TritkitError(
      "E_SOURCE_FORMAT",
      "The weights hold a value that is no number.",
      "Download the model again.",
    );
  if (isTernary) {
    const level = rowScales.find((scale) => scale > 0) ?? 0;
    const scale = rowScales.every((row) => row === 0 || row === level) ? level : rowScales;
    return {
      rows,
      cols,
      scale,
      wasTernary: true,
      trits: async (start, count) => Int8Array.from(await source.values(start, count), Math.sign),
    };
  }
  const mean = Math.fround(Math.max(SMALLEST_MEAN, sum / (rows * cols)));
  const inverse = Math.fround(1 / mean);
  return {
    rows,
    cols,
    scale: mean,
    wasTernary: false,
    trits: async (start, count) =>
      Int8Array.from(await source.values(start, count), (weight) => toTrit(weight, inverse)),
  };
}

/** Ties to even: 0.5 is 0, 1.5 and more is clamped anyway. */
function toTrit(weight: number, inverse: number): number {
  const scaled = Math.fround(weight * inverse);
  if (scaled > 0.5) return 1;
  return scaled < -0.5 ? -1 : 0;
}
