/** xorshift32 (Marsaglia 2003) from one seed: the same u32s every time, for whatever is measured. */
export function xorshift(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
