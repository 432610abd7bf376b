/** NUMERICS.md in BigInt, formula by formula, for tests: scales, quantise, norm_quantise. */

export type BigScale = readonly [m: bigint, e: number];

export function bitlen(v: bigint): number {
  return v === 0n ? 0 : v.toString(2).length;
}

const magnitude = (v: bigint) => (v < 0n ? -v : v);
const largest = (values: readonly bigint[]) =>
  values.reduce((most, v) => (magnitude(v) > most ? magnitude(v) : most), 0n);

export function roundShift(v: bigint, s: number): bigint {
  if (s > 62) return 0n;
  if (s > 0) return (v + (1n << BigInt(s - 1))) >> BigInt(s);
  const shifted = v << BigInt(-s);
  const limit = 1n << 62n;
  return shifted > limit ? limit : shifted < -limit ? -limit : shifted;
}

export function sat32(v: bigint): bigint {
  const limit = 1n << 31n;
  return v >= limit ? limit - 1n : v < -limit ? -limit : v;
}

export function scaleOf(v: bigint, e: number): BigScale {
  if (v === 0n) return [0n, 0];
  let n = bitlen(v) - 16;
  let m = roundShift(v, n);
  if (m === 65536n) {
    m = 32768n;
    n += 1;
  }
  return [m, e + n];
}

export function scaleMul(a: BigScale, b: BigScale): BigScale {
  return scaleOf(a[0] * b[0], a[1] + b[1]);
}

export function apply(v: bigint, s: BigScale, frac: number): bigint {
  return sat32(roundShift(v * s[0], -(s[1] + frac)));
}

const SHIFT: Record<number, bigint> = { 127: 24n, 2047: 20n, 4095: 19n };

function quantised(t: readonly bigint[], qmax: number): { q: bigint[]; M: bigint; sh: number } {
  const M64 = largest(t);
  const sh = bitlen(M64) - 16;
  const M = roundShift(M64, sh);
  const z = SHIFT[qmax];
  const r = (BigInt(qmax) << z) / M;
  return { q: t.map((v) => (roundShift(v, sh) * r + (1n << (z - 1n))) >> z), M, sh };
}

export function quantise(x: readonly bigint[], s: BigScale, qmax: number): { q: bigint[]; sq: BigScale } {
  if (largest(x) === 0n || s[0] === 0n) return { q: x.map(() => 0n), sq: [0n, 0] };
  const { q, M, sh } = quantised(x, qmax);
  return { q, sq: scaleOf(((M * s[0]) << 16n) / BigInt(qmax), s[1] + sh - 16) };
}

/** floor of the square root, by Newton's method. */
export function isqrt(v: bigint): bigint {
  if (v < 2n) return v;
  let root = 1n << BigInt((bitlen(v) + 1) >> 1);
  for (;;) {
    const next = (root + v / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function normQuantise(
  x: readonly bigint[],
  s: BigScale,
  gain: readonly bigint[],
  gainExp: number,
  eps: BigScale,
  qmax: number,
): { q: bigint[]; sq: BigScale } {
  const n = BigInt(x.length);
  const t = x.map((v, i) => v * gain[i]);
  if (largest(t) === 0n || s[0] === 0n) return { q: x.map(() => 0n), sq: [0n, 0] };
  const { q, M, sh } = quantised(t, qmax);
  const k = Math.max(0, bitlen(largest(x)) - 15);
  const ss = x.map((v) => roundShift(v, k) ** 2n).reduce((sum, v) => sum + v, 0n);
  const A = ((eps[0] * n) << 31n) / (s[0] * s[0]);
  const E = roundShift(A, -(eps[1] - 2 * s[1] - 2 * k - 31));
  const limit = 1n << 60n;
  const v = ss + (E > limit ? limit : E);
  let z1 = 0;
  while (v << BigInt(z1) < limit) z1 += 2;
  const u = (v << BigInt(z1)) / n;
  let z2 = 0;
  while (u << BigInt(z2) < limit) z2 += 2;
  const root = isqrt(u << BigInt(z2));
  return { q, sq: scaleOf((M << 46n) / (root * BigInt(qmax)), sh + gainExp - 46 + (z1 + z2) / 2 - k) };
}
