/**
 * What the unit is wired to: memory behind its two ports, and how fast that memory is. Times are cycles of the unit's clock.
 *
 *     gap of a beat     cycles from the transfer of the beat before (for the first: from the start of the stream, that cycle included) until this
 *                       one can move; at least 1. The memory reads ahead: cycles in which the unit has no room count, too.
 *     wait of a grant   cycles that a request of the M port is held before it is granted; 0: at once
 *
 * Both may depend only on the numbers they are given, so that the same stretch of time can be computed twice.
 */
export interface TgemvPorts {
  /** The bytes from `address` on that the weight port can read, `bytes` at most: fewer when the bus refuses what follows. */
  weights(address: number, bytes: number): Uint8Array;
  /** The same of the M port: memory itself, to be read and written. */
  sram(address: number, bytes: number): Uint8Array;
  timing: BeatTiming;
  /** Cycles before grant `n` of the M port, counted since the unit was made. Left out: none. */
  wait?(n: number): number;
  /** Refuses beat `n` of the weight port, counted since the unit was made, or grant `n` of the M port (fault injection). */
  refusesBeat?(n: number): boolean;
  refusesGrant?(n: number): boolean;
}

export interface BeatTiming {
  /** The gaps of a job that begins at `address` repeat after so many beats, its first beat apart; 0 or left out: they do not, or nobody knows. */
  period?(address: number): number;
  /**
   * Writes the gaps of `count` beats into `out`. Infinity: this beat never comes.
   * @param beat number of the first of them in its job
   * @param total the same since the unit was made, refused ones included
   * @param address of the first of them
   */
  gaps(out: Float64Array, count: number, beat: number, total: number, address: number): void;
}

export interface MemoryTiming {
  /** Cycles a beat, as a fraction: 4 bytes on a 400 MB/s memory at 150 MHz are 3/2. */
  cycles: { num: number; den: number };
  /** Cycles before the first beat of a burst: command, address, dummy cycles. */
  setup: number;
  /** Beats of a burst (PSRAM must release its select now and then: tCEM); 0: one burst as long as the job. */
  burstBeats: number;
}

/** Largest numerator and denominator: products with the beats of the longest job stay whole numbers. */
const FRACTION_MAX = 1e8;

/** A memory that delivers at a steady rate, in bursts. */
export function steady({ cycles, setup, burstBeats }: MemoryTiming): BeatTiming {
  const counts = [cycles.num, cycles.den, setup, burstBeats];
  const divisor = gcd(cycles.num, cycles.den);
  const num = cycles.num / divisor;
  const den = cycles.den / divisor;
  if (
    !counts.every((n) => Number.isSafeInteger(n) && n >= 0) ||
    !(num > 0) ||
    !(den > 0) ||
    Math.max(num, den) > FRACTION_MAX
  )
    throw new RangeError("TGEMV: memory timing is whole numbers, cycles a beat a fraction above 0");
  const bursts = Math.max(1, burstBeats);
  return {
    period: () => (den * bursts) / gcd(den, bursts),
    gaps(out, count, beat) {
      // Beat n is there ceil((n + 1) * num / den) cycles after the first could move, but one a cycle at most; `early` is how much before that
      // whole cycle, in parts of 1 / den.
      let early = (den - ((beat * num) % den)) % den;
      for (let i = 0; i < count; i++) {
        const whole = Math.max(0, Math.ceil((num - early) / den));
        early += whole * den - num;
        const n = beat + i;
        const opens = n === 0 || (burstBeats > 0 && n % burstBeats === 0);
        out[i] = Math.max(1, whole) + (opens ? setup : 0);
      }
    },
  };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
