/** The two half-precision formats of weights -> float32. */

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of mantissa. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** A file has some hundred million halves, and reading them off is 40 times as fast as computing them (measured). */
let table: Float32Array | null = null;

/** The value of every half, by its bits. */
function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));
  return table;
}

/** The half at a byte. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return (table ?? halfValues())[bytes[at] | (bytes[at + 1] << 8)];
}

export function halvesToFloats(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const known = halfValues();
  for (let i = 0; i < halves.length; i++) values[i] = known[halves[i]];
  return values;
}

/** bfloat16 is the upper half of a binary32. */
export function bfloatsToFloats(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}
