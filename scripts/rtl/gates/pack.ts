/** A byte of packed trits, by spec/PACKING.md. */
import { PACK_STRIDE } from "../../../spec/packing.ts";

/** Five trits, the lowest column first. */
export function packByte(trits: readonly number[]): number {
  const [t0, t1, t2, t3, t4] = trits.map((trit) => trit + 1);
  return PACK_STRIDE * (3 * t0 + t1) + 9 * t2 + 3 * t3 + t4;
}

export function unpackByte(byte: number): number[] {
  const hi = Math.floor(byte / PACK_STRIDE);
  const lo = byte % PACK_STRIDE;
  return [Math.floor(hi / 3), hi % 3, Math.floor(lo / 9), Math.floor(lo / 3) % 3, lo % 3].map((digit) => digit - 1);
}
