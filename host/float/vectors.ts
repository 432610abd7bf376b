/** What a forward pass does to vectors beside products: norm, absmax, RoPE, softmax, activations. All in float64, as the papers write them. */

/** y = x / rms(x) * gain, the root over mean square + eps (RMSNorm, arXiv 1910.07467). x (n) from `at` on; y may be x. */
export function rmsNorm(x: Float64Array, at: number, gain: Float32Array, eps: number, y: Float64Array): void {
  const n = gain.length;
  let square = 0;
  for (let i = 0; i < n; i++) square += x[at + i] * x[at + i];
  const inverse = 1 / Math.sqrt(square / n + eps);
  for (let i = 0; i < n; i++) y[at + i] = x[at + i] * inverse * gain[i];
}

const ACT_LEVELS = 127;
const ACT_LOWEST = -128;
/** Below this an activation counts as zero, in the paper's code as here. */
const SMALLEST_ABSMAX = 1e-5;

/**
 * BitNet b1.58's activation quantiser (arXiv 2402.17764, training tips): s = 127 / max(absmax, 1e-5); q = round(x * s) in -128..127, half to even.
 * @param q receives the integers; may be x
 * @returns s
 */
export function absmaxQuantise(x: Float64Array, at: number, n: number, q: Float64Array): number {
  let absmax = SMALLEST_ABSMAX;
  for (let i = at; i < at + n; i++) if (Math.abs(x[i]) > absmax) absmax = Math.abs(x[i]);
  const s = ACT_LEVELS / absmax;
  for (let i = at; i < at + n; i++) q[i] = Math.max(ACT_LOWEST, Math.min(ACT_LEVELS, roundHalfEven(x[i] * s)));
  return s;
}

/** Nearest integer, of two the even one (torch.round): adding 1.5 * 2^52 leaves no fraction bits, and the processor rounds so. |x| < 2^51. */
const NO_FRACTION = 1.5 * 2 ** 52;
export function roundHalfEven(x: number): number {
  return x + NO_FRACTION - NO_FRACTION;
}

/** Turns the pairs (i, i + n/2), "rotate half". */
export function rotate(x: Float64Array, at: number, cos: Float64Array, sin: Float64Array): void {
  const half = cos.length;
  for (let i = at; i < at + half; i++) {
    const [a, b] = [x[i], x[i + half]];
    x[i] = a * cos[i - at] - b * sin[i - at];
    x[i + half] = b * cos[i - at] + a * sin[i - at];
  }
}

/** In place over the first n. */
export function softmax(x: Float64Array, n: number): void {
  let largest = -Infinity;
  for (let i = 0; i < n; i++) if (x[i] > largest) largest = x[i];
  let sum = 0;
  for (let i = 0; i < n; i++) {
    x[i] = Math.exp(x[i] - largest);
    sum += x[i];
  }
  for (let i = 0; i < n; i++) x[i] /= sum;
}

/** gate = activation(gate) * up, the gated linear unit. */
export function gated(activation: "silu" | "relu2", gate: Float64Array, up: Float64Array, n: number): void {
  if (activation === "relu2") for (let i = 0; i < n; i++) gate[i] = Math.max(gate[i], 0) ** 2 * up[i];
  else for (let i = 0; i < n; i++) gate[i] = (gate[i] / (1 + Math.exp(-gate[i]))) * up[i];
}
