/**
 * Seeded random numbers for simulated physics: xoshiro128** 1.1 (Blackman and Vigna, public domain), its state filled
 * by splitmix32. Not for cryptography.
 */
export class Random {
  /** 4 x u32: the whole state, to be copied by a snapshot. */
  readonly state = new Uint32Array(4);

  /** @param seed any number; its low 32 bits count */
  constructor(seed: number) {
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let x = z;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      this.state[i] = x ^ (x >>> 16);
    }
  }

  /** The next u32. */
  next(): number {
    const s = this.state;
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return result;
  }

  /** A whole number in 0..n-1, n <= 2^32. The bias is below n / 2^32. */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }

  byte(): number {
    return this.next() >>> 24;
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
