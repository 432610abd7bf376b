// Numbers of PACKING.md, compiled by asc (device) and tsc (host, simulator).
export const TRITS_PER_BYTE = 5;
export const ROWS_PER_BLOCK = 4;
export const PACK_STRIDE = 28;
export const PACK_MAX = 250;
export const PACK_ILLEGAL_REMAINDER = 27;
export const PACK_ZERO = 125;

export const PACK_TRITS_1 = 1;
export const PACK_TRITS_2 = 2;
export const PACK_TRITS_3 = 3;
export const PACK_TRITS_4 = 4;
export const PACK_TRITS_5 = 5;
export const PACK_INT8 = 16;
export const PACK_INT4 = 17;
export const PACK_GAIN = 32;

/** Bytes of one table of partial sums: 9 rows of 28 u16 entries. */
export const LUT_BYTES = 504;
export const LUT_BIAS = 20480;
/** Largest |activation| the table kernel takes: 5 * 4095 < LUT_BIAS. */
export const LUT_ACT_MAX = 4095;
