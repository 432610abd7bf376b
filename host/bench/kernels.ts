// Ternary matrix-vector products of the engine beside a textbook SIMD kernel of the same shape, on weights that lie in a cache: what layout and packing buy.
import { LUT_BYTES, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { loadWasm } from "../assets.ts";
import { type EngineExports, engineInstance } from "../engine/module.ts";
import { xorshift } from "../engine/xorshift.ts";
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
  unpack_trits_row(w: number, trits: number, cols: number, row: number, out: number): void;
  rows_int8(w: number, rows: number, cols: number, x: number, acc: number): void;
  rows_int8_simd(w: number, rows: number, cols: number, x: number, acc: number): void;
}

/** as/bench.ts */
interface TextbookExports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  textbook_pack(trits: number, rows: number, cols: number, out: number): void;
  textbook_rows(w: number, rows: number, cols: number, x: number, acc: number): void;
}

export interface KernelResult {
  name: string;
  shape: string;
  gweights: number;
  peer: string;
  peerGweights: number;
}

/** (rows, cols): of the bundled model, and of BitNet b1.58 2B-4T's feed-forward. cols are multiples of 64. */
export const SHAPES: readonly [number, number][] = [
  [384, 128],
  [6912, 2560],
];
const PEER = "textbook SIMD (extmul)";
const TILE = 13;
/** KERNEL_A3 of as/kernels/simd.ts, the kernel that every build has. */
const A3 = 0;
/** Scratch of product_rows (as/kernels/simd.ts), and rows beyond the last that it may write. */
const PRODUCT_SCRATCH = 1 << 19;
const BLOCK = 8;

export async function benchKernels(rows: number, cols: number): Promise<KernelResult[]> {
  const engine = (await engineInstance()) as KernelExports;
  const next = xorshift();
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const packedBytes = Math.ceil(rows / 4) * 4 * groups;
  const at = (bytes: number) => engine.reserve(bytes) >>> 0;
  const packed = at(packedBytes);
  const int8 = at(rows * cols);
  const tiles = at(engine.repacked_bytes(A3, rows, cols));
  const x = at((cols + 8) * 2);
  const acc = at((rows + BLOCK) * 4);
  const table = at(TILE * LUT_BYTES + 8);
  const prepared = at(engine.prepared_bytes(A3, cols));
  const scratch = at(Math.max(PRODUCT_SCRATCH, engine.repack_scratch(A3, cols)));
  const bytes = new Uint8Array(engine.memory.buffer);
  for (let i = 0; i < packedBytes; i++) bytes[packed + i] = 28 * (next() % 9) + (next() % 27);
  for (let row = 0; row < rows; row++) engine.unpack_trits_row(packed, 1, cols, row, int8 + row * cols);
  const activations = Int16Array.from({ length: cols }, () => normal(next));
  new Int16Array(engine.memory.buffer, x, cols).set(activations);
  engine.repack_rows(A3, packed, rows, cols, tiles, scratch);
  const textbook = await textbookProduct(bytes.subarray(int8, int8 + rows * cols), activations, rows, cols);

  const weights = rows * cols;
  const candidate = (name: string, run: () => void): Candidate => ({
    name,
    run: () => {
      run();
      return weights;
    },
  });
  const rates = measure([
    candidate(PEER, textbook),
    candidate("int8_scalar", () => engine.rows_int8(int8, rows, cols, x, acc)),
    candidate("int8_simd", () => engine.rows_int8_simd(int8, rows, cols, x, acc)),
    candidate("ternary_ref", () => engine.ternary_ref(packed, 1, rows, cols, x, acc)),
    candidate("ternary_lut", () => engine.ternary_lut(packed, 1, rows, cols, x, acc, table, TILE)),
    candidate("ternary_simd", () => {
      engine.prepare(A3, x, cols, cols, 1, prepared);
      engine.product_rows(A3, tiles, cols, 0, Math.ceil(rows / BLOCK) * BLOCK, prepared, 1, acc, rows, scratch);
    }),
  ]);
  const peerGweights = (rates.get(PEER) ?? 0) / 1e9;
  return [...rates]
    .filter(([name]) => name !== PEER)
    .map(([name, rate]) => ({ name, shape: `${rows}x${cols}`, gweights: rate / 1e9, peer: PEER, peerGweights }));
}

/** int8 activations as a model has them: normal, the largest of a few thousand near 127. */
function normal(next: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += next() / 2 ** 32;
  return Math.max(-127, Math.min(127, Math.round(sum * 35)));
}

async function textbookProduct(
  trits: Uint8Array,
  activations: Int16Array,
  rows: number,
  cols: number,
): Promise<() => void> {
  const { instance } = await WebAssembly.instantiate(await loadWasm("bench.wasm"), {});
  const textbook = instance.exports as unknown as TextbookExports;
  const [plain, w, x, acc] = [rows * cols, (rows * cols) / 4, cols, rows * 4].map((bytes) => textbook.reserve(bytes));
  new Uint8Array(textbook.memory.buffer, plain, trits.length).set(trits);
  new Int8Array(textbook.memory.buffer, x, cols).set(activations);
  textbook.textbook_pack(plain, rows, cols, w);
  return () => textbook.textbook_rows(w, rows, cols, x, acc);
}
