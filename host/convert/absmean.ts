/**
 * Float weights -> trits and scales.
 *
 * - BitNet b1.58 (arXiv 2402.17764): s = mean|W|, trits = round(W / s) clamped to +-1. In float32 with the reciprocal scale and ties to even, as transformers
 *   (integrations/bitnet.py, WeightQuant) and 1bitLLM's utils_quant.py do it at load, so that latent checkpoints give the trits they were evaluated with.
 * - BitNet b1 (arXiv 2310.11453, equations 1 to 3): Sign(W - mean W), which is -1 at 0, and the scale mean|W|.
 * - Weights that are {0, +-s} already, where nobody rounds them again, keep their s: the mean would be s times the share of non-zeros.
 */
import type { LinearSource, MatrixSource } from "./model.ts";
import type { WeightScan } from "./weight_scan.ts";

/** Below this mean a tensor counts as zero; transformers clamps there too. */
const SMALLEST_MEAN = 1e-5;

export function absmeanLinear(source: MatrixSource, scan: WeightScan): LinearSource {
  const scale = Math.fround(Math.max(SMALLEST_MEAN, scan.absolute));
  return mapped(source, scale, roundAll, Math.fround(1 / scale));
}

export function signLinear(source: MatrixSource, scan: WeightScan): LinearSource {
  return mapped(source, Math.fround(scan.absolute), signsAround, Math.fround(scan.mean));
}

/** @param scale of the tensor or of each row; weights are multiples of it by -1, 0, +1, or by factors of their columns that stand elsewhere */
export function ternaryLinear(source: MatrixSource, scale: number | Float64Array): LinearSource {
  return mapped(source, scale, signsAll, 0);
}

/**
 * Loops are functions of the module, because V8 compiles a closure anew for every tensor, and have no branches, which would guess wrong at two weights of three:
 * 2.9 ns a weight instead of 12 (measured).
 */
type Loop = (weights: Float32Array, trits: Int8Array, parameter: number) => void;

function roundAll(weights: Float32Array, trits: Int8Array, inverse: number): void {
  for (let i = 0; i < weights.length; i++) {
    // Ties to even: 0.5 is 0, 1.5 and more is clamped anyway.
    const scaled = Math.fround(weights[i] * inverse);
    trits[i] = Number(scaled > 0.5) - Number(scaled < -0.5);
  }
}

function signsAround(weights: Float32Array, trits: Int8Array, mean: number): void {
  for (let i = 0; i < weights.length; i++) trits[i] = 2 * Number(weights[i] > mean) - 1;
}

function signsAll(weights: Float32Array, trits: Int8Array): void {
  for (let i = 0; i < weights.length; i++) trits[i] = Number(weights[i] > 0) - Number(weights[i] < 0);
}

function mapped(source: MatrixSource, scale: number | Float64Array, loop: Loop, parameter: number): LinearSource {
  return {
    rows: source.rows,
    cols: source.cols,
    scale,
    async trits(start, count) {
      const weights = await source.values(start, count);
      const trits = new Int8Array(weights.length);
      loop(weights, trits, parameter);
      return trits;
    },
  };
}
