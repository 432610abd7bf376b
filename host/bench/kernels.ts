// Ternary matrix-vector products of the engine, beside an int8 multiply-add of the same shape: what the packing buys.
import { LUT_BYTES, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { type EngineExports, engineInstance } from "../engine/module.ts";
import { type Candidate, measure } from "./slices.ts";

/** Exports of as/engine.ts that only benchmarks and tests call. */
interface KernelExports extends EngineExports {
  ternary_ref(w: number, trits: number, rows: number, cols: number, x: number, acc: number): void;
  ternary_lut(
    w: number,
    trits: number,
    rows: number,
    cols: number,
    x: number,
    acc: number,
    table: number,
    tile: number,
  ): void;
  ternary_simd(w: number, rows: number, cols: number, x: number, sums: number, acc: number, scratch: number): void;
  rows_int8(w: number, rows: number, cols: number, x: number, acc: number): void;
  rows_int8_simd(w: number, rows: number, cols: number, x: number, acc: number): void;
  simd_bytes(rows: number, cols: number): number;
  simd_sums_bytes(cols: number): number;
  simd_sums(x: number, cols: number, sums: number): void;
  repack_simd(w: number, rows: number, cols: number, out: number, scratch: number): void;
}

export interface KernelResult {
  name: string;
  shape: string;
  gweights: number;
  peer: string;
  peerGweights: number;
}

/** (rows, cols): of the bundled model, and of BitNet b1.58 2B-4T's feed-forward. */
export const SHAPES: readonly [number, number][] = [
  [384, 128],
  [6912, 2560],
];
const PEER = "int8 multiply-add, scalar";
const TILE = 13;

/** xorshift32: the same weights every time. */
function random(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export async function benchKernels(rows: number, cols: number): Promise<KernelResult[]> {
  const engine = (await engineInstance()) as KernelExports;
  const next = random();
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const packedBytes = Math.ceil(rows / 4) * 4 * groups;
  const at = (bytes: number) => engine.reserve(bytes) >>> 0;
  const packed = at(packedBytes);
  const int8 = at(rows * cols);
  const tiles = at(engine.simd_bytes(rows, cols));
  const x = at((cols + 8) * 2);
  const acc = at((rows + 8) * 4);
  const table = at(TILE * LUT_BYTES + 8);
  const sums = at(engine.simd_sums_bytes(cols));
  const scratch = at(Math.max(160, 8 * (cols + 7)));
  const bytes = new Uint8Array(engine.memory.buffer);
  for (let i = 0; i < packedBytes; i++) bytes[packed + i] = 28 * (next() % 9) + (next() % 27);
  for (let i = 0; i < rows * cols; i++) bytes[int8 + i] = next() % 3;
  const activations = new Int16Array(engine.memory.buffer, x, cols);
  for (let i = 0; i < cols; i++) activations[i] = (next() % 255) - 127;
  engine.repack_simd(packed, rows, cols, tiles, scratch);

  const weights = rows * cols;
  const candidate = (name: string, run: () => void): Candidate => ({
    name,
    run: () => {
      run();
      return weights;
    },
  });
  const rates = measure([
    candidate(PEER, () => engine.rows_int8(int8, rows, cols, x, acc)),
    candidate("ternary_ref", () => engine.ternary_ref(packed, 1, rows, cols, x, acc)),
    candidate("ternary_lut", () => engine.ternary_lut(packed, 1, rows, cols, x, acc, table, TILE)),
    candidate("ternary_simd", () => {
      engine.simd_sums(x, cols, sums);
      engine.ternary_simd(tiles, rows, cols, x, sums, acc, scratch);
    }),
    candidate("int8_simd", () => engine.rows_int8_simd(int8, rows, cols, x, acc)),
  ]);
  const peerGweights = (rates.get(PEER) ?? 0) / 1e9;
  return [...rates]
    .filter(([name]) => name !== PEER)
    .map(([name, rate]) => ({ name, shape: `${rows}x${cols}`, gweights: rate / 1e9, peer: PEER, peerGweights }));
}
