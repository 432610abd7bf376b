/**
 * The arithmetic of the float lanes of firmware-sim/rtl/compare/float.v in JavaScript's doubles, which hold every product and every sum of two fp16 exactly.
 * Subnormals are zero, overflow is the largest number, there are no infinities and no NaN.
 */

export interface Format {
  readonly exponentBits: number;
  readonly mantissaBits: number;
}

export const FP16: Format = { exponentBits: 5, mantissaBits: 10 };
export const FP32: Format = { exponentBits: 8, mantissaBits: 23 };

/** The value of a bit pattern. */
export function decode(bits: number, { exponentBits, mantissaBits }: Format): number {
  const sign = bits & (2 ** (exponentBits + mantissaBits)) ? -1 : 1;
  const exponent = Math.floor(bits / 2 ** mantissaBits) & (2 ** exponentBits - 1);
  const mantissa = bits & (2 ** mantissaBits - 1);
  if (exponent === 0) return sign * 0;
  return sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias(exponentBits));
}

/** The bit pattern of the nearest number of the format, to even. `value` is exact, or has a sticky bit below the format's last. */
export function encode(value: number, { exponentBits, mantissaBits }: Format): number {
  const sign = (value < 0 || Object.is(value, -0) ? 1 : 0) * 2 ** (exponentBits + mantissaBits);
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  let exponent = Math.floor(Math.log2(magnitude));
  // log2 is rounded: near a power of two it may be one off.
  if (2 ** exponent > magnitude) exponent--;
  if (2 ** (exponent + 1) <= magnitude) exponent++;
  let mantissa = nearestEven(magnitude * 2 ** (mantissaBits - exponent));
  if (mantissa === 2 ** (mantissaBits + 1)) {
    mantissa /= 2;
    exponent++;
  }
  const biased = exponent + bias(exponentBits);
  if (biased <= 0) return sign;
  const largest = 2 ** exponentBits - 2;
  if (biased > largest) return sign + largest * 2 ** mantissaBits + 2 ** mantissaBits - 1;
  return sign + biased * 2 ** mantissaBits + mantissa - 2 ** mantissaBits;
}

const bias = (exponentBits: number): number => 2 ** (exponentBits - 1) - 1;

function nearestEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
}

/** lane_fp16: every product and sum rounded; the tree's order is that of the hardware. All numbers are bit patterns. */
export function dotFp16(x: readonly number[], w: readonly number[], acc: number): number {
  const round = (value: number) => decode(encode(value, FP16), FP16);
  const nodes = x.map((code, i) => round(decode(code, FP16) * decode(w[i], FP16)));
  nodes.push(decode(acc, FP16));
  for (let i = 0; i + 1 < nodes.length; i += 2) nodes.push(round(nodes[i] + nodes[i + 1]));
  return encode(nodes[nodes.length - 1], FP16);
}

/** lane_fp16_fp32: exact products, cut to 27 bits below the largest exponent, added exactly, rounded to fp32 once. */
export function dotFp16Fp32(x: readonly number[], w: readonly number[], acc: number): number {
  const exponentOf16 = (code: number) => (code >> 10) & 31;
  const exponents = x.map((code, i) =>
    exponentOf16(code) === 0 || exponentOf16(w[i]) === 0 ? 0 : exponentOf16(code) + exponentOf16(w[i]) + 97,
  );
  const top = Math.max(...exponents, (acc >>> 23) & 255);
  const unit = 2 ** (top - 127 - 25);
  const cut = (value: number) => Math.trunc(value / unit) * unit;
  const products = x.map((code, i) => decode(code, FP16) * decode(w[i], FP16));
  const sum = products.reduce((total, product) => total + cut(product), cut(decode(acc, FP32)));
  return encode(sum === 0 ? 0 : sum, FP32);
}
