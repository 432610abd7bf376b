/**
 * PCG-XSH-RR 64/32: a 64-bit linear congruential generator whose output is its high bits, xor-shifted and rotated by the
 * highest five. Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
 * Random Number Generation", 2014; the constants are those of spec/NUMERICS.md (stream 0x14057b7ef767814f).
 */
const MULTIPLIER: u64 = 6364136223846793005;
const INCREMENT: u64 = 1442695040888963407;

@unmanaged
export class Pcg {
  state: u64 = 0;
}

export function pcg_seed(pcg: Pcg, seed: u32): void {
  pcg.state = INCREMENT + <u64>seed; // state 0, one step, then the seed
  pcg_next(pcg);
}

/** The next 32 random bits. */
export function pcg_next(pcg: Pcg): u32 {
  const s = pcg.state;
  pcg.state = s * MULTIPLIER + INCREMENT;
  const x = <u32>(((s >> 18) ^ s) >> 27);
  return rotr<u32>(x, <u32>(s >> 59));
}
