/** IEEE 754 binary16 and bfloat16 of numbers that both can hold well: scales and weights of synthetic models, no infinities, no subnormals. */
export { halfToFloat } from "../../../host/convert/halves.ts";

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** To the nearest, ties to even. */
export function floatToHalf(value: number): number {
  float[0] = value;
  const bits = word[0];
  const exponent = ((bits >>> 23) & 255) - 127 + 15;
  if (exponent <= 0 || exponent >= 31) throw new RangeError(`${value} is no normal number of 16 bits`);
  const rounded = ((exponent << 23) | (bits & 0x7fffff)) + 0xfff + ((bits >>> 13) & 1);
  return ((bits >>> 16) & 0x8000) | (rounded >>> 13);
}

/** To the nearest, ties to even. */
export function floatToBfloat(value: number): number {
  float[0] = value;
  return (word[0] + 0x7fff + ((word[0] >>> 16) & 1)) >>> 16;
}
