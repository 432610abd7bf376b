/** Seeded randomness for tests: mulberry32. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** 0 <= value < 2^32 */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number, low <= value <= high. */
  between(low: number, high: number): number {
    return low + Math.floor((this.u32() / 2 ** 32) * (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)];
  }

  /** Roughly normal, sigma 1: the sum of twelve uniform values. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.u32() / 2 ** 32;
    return sum;
  }

  vector(n: number, value: () => number): number[] {
    return Array.from({ length: n }, value);
  }
}
