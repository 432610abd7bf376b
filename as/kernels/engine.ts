/**
 * Engines: one signature each, the same integers from all. SIMD exists only where the build enables it (Node's engine, never a device), NATIVE
 * only on a device: the board's own kernels behind the HAL, which read what LUT reads.
 */
export const ENGINE_REF = 0;
export const ENGINE_LUT = 1;
export const ENGINE_SIMD = 2;
export const ENGINE_NATIVE = 3;
