/**
 * A noisy serial line: one byte in `per`, on average, arrives with one bit inverted. Each direction has random numbers of its own, drawn
 * byte by byte, so that what is hit does not depend on the pieces in which bytes are handed on.
 */
import type { LineNoise } from "../peripherals/uart.ts";
import { Random } from "../random.ts";

export interface NoiseOptions {
  readonly per: number;
  readonly to: "board" | "host" | "both";
  /** Bytes that arrive later than this are clean, ns. */
  readonly until: number;
  readonly seed: number;
}

export function lineNoise({ per, to, until, seed }: NoiseOptions): LineNoise {
  const randoms = { board: new Random(seed), host: new Random(seed ^ 0x686f7374) };
  return (byte, direction, at) => {
    if (at > until || (to !== "both" && to !== direction)) return byte;
    const random = randoms[direction];
    return random.below(per) === 0 ? byte ^ (1 << random.below(8)) : byte;
  };
}
