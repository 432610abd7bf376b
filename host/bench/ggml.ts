// llama.cpp's ggml, as npm publishes it for node-llama-cpp, called through koffi: the native peer of the kernels, and a witness for its own block
// formats. ggml.h, ggml-cpu.h and ggml-backend.h declare what is called here; nobody who uses tritkit needs either package.
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Values of enum ggml_type, ggml.h. */
export const GGML_F32 = 0;
export const GGML_Q4_0 = 2;
export const GGML_Q8_0 = 8;
export const GGML_Q4_K = 12;
export const GGML_Q6_K = 14;
export const GGML_TQ1_0 = 34;
export const GGML_TQ2_0 = 35;

/** What is used of koffi's surface; pointers are bigints or opaque objects. */
export interface Koffi {
  load(path: string, options?: { global?: boolean }): Library;
  struct(name: string, members: Record<string, unknown>): unknown;
  array(type: string, length: number): unknown;
  pointer(type: unknown): unknown;
  register(callback: (...args: unknown[]) => void, type: unknown): Pointer;
  alloc(type: string, length: number): Pointer;
  free(pointer: Pointer): void;
  proto(result: string, parameters: string[]): unknown;
  decode(pointer: unknown, offset: number, type: string): unknown;
  call(pointer: unknown, type: unknown, ...args: unknown[]): unknown;
  view(pointer: unknown, bytes: number): ArrayBuffer;
}
interface Library {
  func(name: string, result: string, parameters: string[]): NativeFunction;
}
type NativeFunction = (...args: unknown[]) => unknown;
type Pointer = unknown;

/** The same product again and again: W (rows, cols) @ x (n, cols), over `matrices` copies of W in memory. */
export interface ProductOptions {
  type: number;
  rows: number;
  cols: number;
  n: number;
  matrices: number;
  threads: number;
}

export interface Product {
  /** Multiplies with every copy of W once. Activations are quantised anew for each, as in a model. */
  run(): void;
  /** The last result, (n, rows). */
  result(): Float32Array;
  free(): void;
}

export class Ggml {
  /** The library of this CPU that was loaded: "haswell", "zen4", ... */
  readonly variant: string;
  readonly version: string;
  private readonly koffi: Koffi;
  private readonly base: Library;
  private readonly cpu: Library;
  private readonly types = new Map<number, { block: number; bytes: number; toFloat: Pointer }>();
  private readonly toFloat: unknown;

  constructor(koffi: Koffi, base: Library, cpu: Library, variant: string) {
    this.koffi = koffi;
    this.base = base;
    this.cpu = cpu;
    this.variant = variant;
    this.version = `${base.func("ggml_version", "str", [])()} (${base.func("ggml_commit", "str", [])()})`;
    this.toFloat = toFloat(koffi);
    cpu.func("ggml_cpu_init", "void", [])();
  }

  /** Bytes of `n` values; n is a multiple of the type's block. */
  rowBytes(type: number, n: number): number {
    const { block, bytes } = this.traits(type);
    if (n % block !== 0) throw new RangeError(`${n} values are no whole blocks of ${block}`);
    return (n / block) * bytes;
  }

  quantise(type: number, values: Float32Array, cols: number): Uint8Array {
    const out = new Uint8Array(this.rowBytes(type, cols) * (values.length / cols));
    const parameters = ["int", "float *", "uint8_t *", "int64_t", "int64_t", "int64_t", "void *"];
    const quantise = this.base.func("ggml_quantize_chunk", "size_t", parameters);
    quantise(type, values, out, 0, values.length / cols, cols, null);
    return out;
  }

  /** ggml's own reading of a block format: the to_float of its type traits. */
  dequantise(type: number, blocks: Uint8Array): Float32Array {
    const { block, bytes, toFloat } = this.traits(type);
    const out = new Float32Array((blocks.length / bytes) * block);
    this.koffi.call(toFloat, this.toFloat, blocks, out, out.length);
    return out;
  }

  /**
   * A graph of products on its own threads, which wait by spinning between two runs as llama.cpp's do.
   * @param weights one matrix in blocks of options.type
   * @param x (n, cols)
   */
  product(options: ProductOptions, weights: Uint8Array, x: Float32Array): Product {
    const { type, rows, cols, n, matrices, threads } = options;
    const { koffi, base, cpu } = this;
    const overhead = 1024 * (matrices * 2 + 16) + (2 << 20);
    const room = matrices * (weights.length + rows * n * 4 + 128) + x.byteLength + overhead;
    const context = base.func("ggml_init", "void *", ["ggml_init_params"])({
      mem_size: room,
      mem_buffer: null,
      no_alloc: false,
    });
    if (context === null) throw new Error(`ggml has no ${room} bytes`);
    const newTensor = base.func("ggml_new_tensor_2d", "void *", ["void *", "int", "int64_t", "int64_t"]);
    const dataOf = base.func("ggml_get_data", "void *", ["void *"]);
    const mulMat = base.func("ggml_mul_mat", "void *", ["void *", "void *", "void *"]);
    const expand = base.func("ggml_build_forward_expand", "void", ["void *", "void *"]);
    const graph = base.func("ggml_new_graph_custom", "void *", ["void *", "size_t", "bool"])(
      context,
      2 * matrices + 8,
      false,
    );

    const activations = newTensor(context, GGML_F32, cols, n);
    new Float32Array(koffi.view(dataOf(activations), x.byteLength)).set(x);
    let last: Pointer = null;
    for (let i = 0; i < matrices; i++) {
      const matrix = newTensor(context, type, cols, rows);
      new Uint8Array(koffi.view(dataOf(matrix), weights.length)).set(weights);
      last = mulMat(context, matrix, activations);
      expand(graph, last);
    }

    const backend = cpu.func("ggml_backend_cpu_init", "void *", [])();
    const settings = new Uint8Array(4096); // struct ggml_threadpool_params, whatever its size is in this version
    base.func("ggml_threadpool_params_init", "void", ["uint8_t *", "int"])(settings, threads);
    const pool = cpu.func("ggml_threadpool_new", "void *", ["uint8_t *"])(settings);
    cpu.func("ggml_backend_cpu_set_n_threads", "void", ["void *", "int"])(backend, threads);
    cpu.func("ggml_backend_cpu_set_threadpool", "void", ["void *", "void *"])(backend, pool);
    const compute = base.func("ggml_backend_graph_compute", "int", ["void *", "void *"]);
    return {
      run() {
        const status = compute(backend, graph);
        if (status !== 0) throw new Error(`ggml_backend_graph_compute: ${status}`);
      },
      result: () => new Float32Array(koffi.view(dataOf(last), rows * n * 4)).slice(),
      free() {
        base.func("ggml_backend_free", "void", ["void *"])(backend);
        cpu.func("ggml_threadpool_free", "void", ["void *"])(pool);
        base.func("ggml_free", "void", ["void *"])(context);
      },
    };
  }

  private traits(type: number): { block: number; bytes: number; toFloat: Pointer } {
    const known = this.types.get(type);
    if (known !== undefined) return known;
    // struct ggml_type_traits: name, block size, interleaved block size, bytes, is_quantized, to_float, from_float_ref
    const traits = this.base.func("ggml_get_type_traits", "void *", ["int"])(type);
    const found = {
      block: Number(this.koffi.decode(traits, 8, "int64_t")),
      bytes: Number(this.koffi.decode(traits, 24, "size_t")),
      toFloat: this.koffi.decode(traits, 40, "void *"),
    };
    this.types.set(type, found);
    return found;
  }
}

let prototype: unknown;

/** koffi keeps one table of type names for all libraries. */
function toFloat(koffi: Koffi): unknown {
  if (prototype === undefined) {
    koffi.struct("ggml_init_params", { mem_size: "size_t", mem_buffer: "void *", no_alloc: "bool" });
    prototype = koffi.proto("void", ["uint8_t *", "float *", "int64_t"]);
  }
  return prototype;
}

const CPU_LIBRARY = /^libggml-cpu-(.+)\.so$/;

/** The libraries that this CPU can run, with ggml's own score of each: llama.cpp loads the highest. Empty without the packages. */
export function ggmlVariants(): { variant: string; score: number }[] {
  const found = findPackages();
  if (found === null) return [];
  const { koffi, folder } = found;
  koffi.load(join(folder, "libggml-base.so"), { global: true });
  const variants: { variant: string; score: number }[] = [];
  for (const file of readdirSync(folder)) {
    const variant = CPU_LIBRARY.exec(file)?.[1];
    if (variant === undefined) continue;
    const score = Number(koffi.load(join(folder, file)).func("ggml_backend_score", "int", [])());
    if (score > 0) variants.push({ variant, score });
  }
  return variants.sort((a, b) => b.score - a.score);
}

/**
 * ggml with the library that llama.cpp itself would load on this CPU, or with `variant`.
 * @returns null when the packages are not installed, or not for this system
 */
export function loadGgml(variant = ggmlVariants()[0]?.variant): Ggml | null {
  const found = findPackages();
  if (found === null || variant === undefined) return null;
  const { koffi, folder } = found;
  const base = koffi.load(join(folder, "libggml-base.so"), { global: true });
  return new Ggml(koffi, base, koffi.load(join(folder, `libggml-cpu-${variant}.so`)), variant);
}

/** koffi and the folder of libggml-*.so: in this repository's scripts/bench/peer, or wherever the user has installed them. */
export function findPackages(): { koffi: Koffi; folder: string } | null {
  const here = fileURLToPath(import.meta.url);
  const roots = [join(process.cwd(), "package.json"), here];
  for (let folder = dirname(here); dirname(folder) !== folder; folder = dirname(folder))
    roots.push(join(folder, "scripts/bench/peer/package.json"));
  const platform = `${process.platform}-${process.arch}`;
  for (const root of roots) {
    try {
      const require = createRequire(root);
      const folder = join(dirname(require.resolve(`@node-llama-cpp/${platform}`)), "../bins", platform);
      if (existsSync(join(folder, "libggml-base.so"))) return { koffi: require("koffi") as Koffi, folder };
    } catch {
      // not installed there
    }
  }
  return null;
}
