// Single products of the SIMD engine beside ggml's of the same weights, on one thread in alternating slices: hot, cold and for a prompt. Both sides take activations
// that are not quantised yet and quantise them within the time, for each matrix anew as ggml does; both results are compared before anything is measured.
import { TRITS_PER_BYTE } from "../../spec/packing.ts";
import { kernelNumber, kernelsOf } from "../engine/kernel_choice.ts";
import { type EngineExports, instantiate } from "../engine/module.ts";
import { xorshift } from "../engine/xorshift.ts";
import { throwIfAborted } from "../errors.ts";
import { GGML_TQ2_0, type Ggml, loadGgml, type Product } from "./ggml.ts";

/** Exports of as/engine.ts that only this needs. */
interface ProductExports extends EngineExports {
  repack_rows(kernel: number, w: number, rows: number, cols: number, out: number, scratch: number): void;
  repack_scratch(kernel: number, cols: number): number;
  quantise_i16(x: number, n: number, scale: number, qmax: number, q: number): number;
}

export interface ProductOptions {
  readonly rows: number;
  readonly cols: number;
  readonly rounds: number;
  readonly sliceMs: number;
  /** Bytes of cold weights: more than any cache holds. */
  readonly coldBytes: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (what: string) => void;
}

/** Rates in weights a second (times vectors), slice by slice; of the same slices the peer's. */
export interface ProductResult {
  readonly name: string;
  readonly mode: "hot" | "cold" | "prefill";
  readonly shape: string;
  readonly own: readonly number[];
  readonly peer: string;
  readonly theirs: readonly number[];
}

const PREFILL = 16;
/** Activations in units of 2^-16, as the residual stream has them: normal enough, and a scale whose value does not matter. */
const UNIT_SCALE = 32768 | (-15 << 16);
/** Two int8 quantisers of the same activations: theirs in blocks of 256, ours by vector. */
const TOLERANCE = 0.02;

/** @returns nothing where ggml is not installed */
export async function benchProducts(options: ProductOptions): Promise<ProductResult[]> {
  const ggml = loadGgml();
  if (ggml === null) return [];
  const { rows, cols, coldBytes } = options;
  const trits = randomTrits(rows * cols);
  const coldCopies = Math.max(2, Math.ceil(coldBytes / (rows * cols * 0.25)));
  const results: ProductResult[] = [];
  for (const [mode, n, copies] of [
    ["hot", 1, 1],
    ["cold", 1, coldCopies],
    ["prefill", PREFILL, 1],
  ] as const) {
    options.onProgress?.(`${rows}x${cols} ${mode}`);
    const x = activations(n * cols);
    const peer = peerProduct(ggml, trits, x, { rows, cols, n, copies });
    const own = await ownProducts(trits, x, { rows, cols, n, copies });
    try {
      for (const each of own) compare(each.name, each.result(), peer.result());
      const work = copies * rows * cols * n;
      const runs = [{ name: "", run: () => peer.run() }, ...own];
      const rates = await alternate(runs, work, options);
      const theirs = rates[0];
      for (const [i, { name }] of own.entries()) {
        const label = `ggml TQ2_0, ${ggml.variant}`;
        results.push({ name, mode, shape: `${rows}x${cols}`, own: rates[i + 1], peer: label, theirs });
      }
    } finally {
      peer.free();
    }
  }
  return results;
}

interface Size {
  readonly rows: number;
  readonly cols: number;
  readonly n: number;
  readonly copies: number;
}

function randomTrits(count: number): Int8Array {
  const next = xorshift();
  return Int8Array.from({ length: count }, () => (next() % 3) - 1);
}

/** Near normal, as a model has them: kernels may take longer for wilder ones. */
function activations(count: number): Float32Array {
  const next = xorshift();
  const normal = () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += next() / 2 ** 32;
    return sum;
  };
  return Float32Array.from({ length: count }, normal);
}

function peerProduct(ggml: Ggml, trits: Int8Array, x: Float32Array, { rows, cols, n, copies }: Size): Product {
  const weights = ggml.quantise(GGML_TQ2_0, Float32Array.from(trits), cols);
  const product = ggml.product({ type: GGML_TQ2_0, rows, cols, n, matrices: copies, threads: 1 }, weights, x);
  product.run();
  return product;
}

interface OwnProduct {
  readonly name: string;
  run(): void;
  /** (n, rows), in units of the activations. */
  result(): Float32Array;
}

/** Each kernel of the build in an instance of its own. */
async function ownProducts(trits: Int8Array, x: Float32Array, size: Size): Promise<OwnProduct[]> {
  const { rows, cols, n, copies } = size;
  const products: OwnProduct[] = [];
  for (const name of kernelsOf(await instantiate({ wide: true }))) {
    const kernel = kernelNumber(name);
    const engine = (await instantiate()).exports as ProductExports;
    const room = (bytes: number) => Math.ceil((engine.reserve(bytes + 64) >>> 0) / 64) * 64;
    const packed = room(Math.ceil(rows / 4) * 4 * Math.ceil(cols / TRITS_PER_BYTE));
    const bytes = engine.repacked_bytes(kernel, rows, cols);
    const matrices = Array.from({ length: copies }, () => room(bytes));
    const [raw, q] = [room(n * cols * 4), room(n * cols * 2 + 64)];
    const prepared = room(n * engine.prepared_bytes(kernel, cols));
    const [acc, scratch] = [room(n * (rows + 8) * 4), room(Math.max(1 << 19, engine.repack_scratch(kernel, cols)))];
    packTrits(new Uint8Array(engine.memory.buffer, packed), trits, rows, cols);
    engine.repack_rows(kernel, packed, rows, cols, matrices[0], scratch);
    for (const other of matrices.slice(1))
      new Uint8Array(engine.memory.buffer).copyWithin(other, matrices[0], matrices[0] + bytes);
    new Int32Array(engine.memory.buffer, raw, n * cols).set(Int32Array.from(x, (value) => Math.round(value * 65536)));
    const blocks = Math.ceil(rows / engine.block_rows(kernel)) * engine.block_rows(kernel);
    products.push({
      name: `ternary ${name.toUpperCase()}`,
      run() {
        for (const w of matrices) {
          for (let i = 0; i < n; i++) engine.quantise_i16(raw + i * cols * 4, cols, UNIT_SCALE, 127, q + i * cols * 2);
          engine.prepare(kernel, q, cols, cols, n, prepared);
          engine.product_rows(kernel, w, cols, 0, blocks, prepared, n, acc, rows + 8, scratch);
        }
      },
      result() {
        this.run();
        const sums = new Int32Array(engine.memory.buffer, acc, n * (rows + 8));
        const out = new Float32Array(n * rows);
        for (let i = 0; i < n; i++) {
          const unit =
            x.subarray(i * cols, (i + 1) * cols).reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
          for (let row = 0; row < rows; row++) out[i * rows + row] = sums[i * (rows + 8) + row] * unit;
        }
        return out;
      },
    });
  }
  return products;
}

/** spec/PACKING.md: blocks of 4 rows, a byte for each row and five columns. */
function packTrits(out: Uint8Array, trits: Int8Array, rows: number, cols: number): void {
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const digit = (row: number, col: number) => (row < rows && col < cols ? trits[row * cols + col] + 1 : 1);
  for (let row = 0; row < Math.ceil(rows / 4) * 4; row++)
    for (let group = 0; group < groups; group++) {
      const col = group * TRITS_PER_BYTE;
      const high = digit(row, col) * 3 + digit(row, col + 1);
      const low = digit(row, col + 2) * 9 + digit(row, col + 3) * 3 + digit(row, col + 4);
      out[((row >> 2) * groups + group) * 4 + (row & 3)] = 28 * high + low;
    }
}

/** @throws Error when a kernel computes something else than ggml: its speed would mean nothing */
function compare(name: string, ours: Float32Array, theirs: Float32Array): void {
  let [difference, size] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    difference += (ours[i] - theirs[i]) ** 2;
    size += theirs[i] ** 2;
  }
  const error = Math.sqrt(difference / size);
  if (!(error < TOLERANCE)) throw new Error(`${name} differs from ggml by ${(error * 100).toFixed(1)} %`);
}

/** @returns for each run its rates, round by round */
async function alternate(
  runs: readonly { run(): void }[],
  work: number,
  { rounds, sliceMs, signal }: ProductOptions,
): Promise<number[][]> {
  const rates: number[][] = runs.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, { run }] of runs.entries()) {
      throwIfAborted(signal);
      const started = performance.now();
      let [count, elapsed] = [0, 0];
      do {
        run();
        count++;
        elapsed = performance.now() - started;
      } while (elapsed < sliceMs);
      // The first round compiles and warms.
      if (round >= 0) rates[i].push((count * work * 1000) / elapsed);
      // A turn of the event loop: optimised code arrives, and Ctrl-C is heard.
      await new Promise(setImmediate);
    }
  }
  return rates;
}
