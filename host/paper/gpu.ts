/** An A100 of 80 GB, by its datasheet. The paper names the card for table 3 only; it is assumed for table 1 and figure 2, too. */
export const A100 = {
  bytesPerSecond: 2039e9,
  /** float16 with float32 accumulation, dense. */
  fp16PerSecond: 312e12,
  bytes: 80 * 2 ** 30,
} as const;
