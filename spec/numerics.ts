// Numbers of NUMERICS.md, compiled by asc (device) and tsc (host, simulator).

/** Scales: 16-bit mantissa in [SCALE_ONE, 2 * SCALE_ONE). */
export const SCALE_BITS = 16;
export const SCALE_ONE = 1 << 15;
/** Largest |exponent| of a scale in an image (IMAGE.md): sums of a few stay within the 16 bits in which they are kept. */
export const SCALE_EXP_MAX = 1000;

export const ACT_MAX = 127;
export const Q_MAX = 2047;
export const KV_MAX = 127;
export const HEAD_ACT_MAX_WIDE = 4095;
/** quantise(): the shift z for each of the four qmax. */
export const QUANT_SHIFT_127 = 24;
export const QUANT_SHIFT_2047 = 20;
export const QUANT_SHIFT_4095 = 19;

export const LOGIT_FRAC = 16;
export const RESIDUAL_FRAC_MAX = 24;
export const RESIDUAL_FRAC_DEFAULT = 16;
export const ROW_SCALE_FRAC = 8;

/** log2(e) as a scale. */
export const LOG2E_MANT = 47274;
export const LOG2E_EXP = -15;

export const KV_EXP_MIN = -50;
export const KV_SCALE_MANT_BITS = 10;

export const EXP2_ENTRIES = 256;
export const SIGMOID_ENTRIES = 257;
export const SINE_ENTRIES = 1025;

/** Largest number of columns of any matrix. */
export const K_MAX = 32768;
export const HEAD_DIM_MAX = 4096;
export const VOCAB_MIN = 256;
export const VOCAB_MAX = 131072;

export const PENALTY_WINDOW = 64;
/** Sampler options travel in thousandths. */
export const MILLI = 1000;
