/** binary16 by table: a file has some hundred million halves, and reading them off is 40 times as fast as computing them (measured). */
import { halfToFloat } from "../safetensors.ts";

let table: Float32Array | null = null;

/** The value of every half, by its bits. */
export function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));
  return table;
}

/** The half at a byte. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return (table ?? halfValues())[bytes[at] | (bytes[at + 1] << 8)];
}
