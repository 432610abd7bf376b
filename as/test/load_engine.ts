/** The engine build in a test: its exports with types, and a heap to lay test data on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/root.mjs";

/** as/engine.ts. Pointers and scales are unsigned in there and come back as signed numbers: use `>>> 0`. */
export interface EngineExports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  open(image: number, bytes: number, context: number, engine: number): number;
  read(image: number, bytes: number): number;
  context(): number;
  config(i: number): number;
  forward(token: number, pos: number, wantLogits: number): number;
  forward_batch(tokens: number, n: number, pos: number): number;
  logits_of(i: number): number;
  logits_between(i: number, from: number, to: number): number;
  team_open(size: number): number;
  team_size(): number;
  team_dismiss(): void;
  weights_address(): number;
  part_address(i: number): number;
  part_count(): number;
  part_name(i: number): number;
  part_offset(i: number): number;
  part_bytes(i: number): number;
  plan_device(arenaBytes: number, context: number, rxBytes: number, txBytes: number, slots?: number): number;
  plan_batch(): number;
  plan_needed(): number;
  plan_context(): number;
  plan_max_context(): number;
  plan_lut_groups(): number;

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
  lut_build(x: number, count: number, table: number): void;
  kernels(): number;
  block_rows(kernel: number): number;
  repacked_bytes(kernel: number, rows: number, cols: number): number;
  repack_rows(kernel: number, w: number, rows: number, cols: number, out: number, scratch: number): void;
  repack_scratch(kernel: number, cols: number): number;
  prepared_bytes(kernel: number, cols: number): number;
  prepare(kernel: number, x: number, xStride: number, cols: number, n: number, prepared: number): void;
  product_rows(
    kernel: number,
    w: number,
    cols: number,
    from: number,
    to: number,
    prepared: number,
    n: number,
    acc: number,
    accStride: number,
    scratch: number,
  ): void;
  repack_trits_int8(w: number, trits: number, rows: number, cols: number, out: number): void;
  repack_int4_int8(w: number, rows: number, cols: number, out: number): void;
  rows_int8(w: number, rows: number, cols: number, x: number, acc: number): void;
  rows_int8_simd(w: number, rows: number, cols: number, x: number, acc: number): void;
  rows_int4(w: number, rows: number, cols: number, x: number, acc: number): void;
  columns_int8(w: number, rows: number, cols: number, y: number, sums: number): void;
  columns_int8_simd(w: number, rows: number, cols: number, y: number, sums: number): void;
  unpack_trits_row(w: number, trits: number, cols: number, row: number, out: number): void;

  round_shift64(v: bigint, s: number): bigint;
  scale_of(v: bigint, e: number): number;
  scale_mul(a: number, b: number): number;
  apply(v: number, s: number, frac: number): number;
  mul_round_shift(v: number, m: number, s: number): number;
  isqrt(v: bigint): number;
  quantise_i8(x: number, n: number, s: number, qmax: number, q: number): number;
  quantise_i16(x: number, n: number, s: number, qmax: number, q: number): number;
  norm_quantise(
    x: number,
    n: number,
    s: number,
    gain: number,
    gainExp: number,
    eps: number,
    qmax: number,
    q: number,
  ): number;
  normalise(x: number, n: number, bits: number): number;
  rescale_rows(acc: number, rows: number, scales: number, largest: number, sq: number): number;
  sin15(tables: number, phase: number): number;
  rope_angles(tables: number, headDim: number, position: number, rotation: number): void;
  rope_rotate(y: number, headDim: number, rotation: number): void;
  kv_scale(s: number): number;
  attend_head(
    q: number,
    c: number,
    n: number,
    headDim: number,
    keys: number,
    keyScales: number,
    values: number,
    valueScales: number,
    tables: number,
    scores: number,
    sums: number,
    o: number,
  ): number;
  join_heads(x: number, nHeads: number, headDim: number, notes: number): number;
  sigmoid15(table: number, t: number): number;
  choose_experts(logits: number, n: number, used: number, exp2: number, chosen: number): void;
  gated(g: number, sg: number, u: number, su: number, n: number, activation: number, tables: number): number;
}

export type Scale = readonly [m: number, e: number];

export function toWord([m, e]: Scale): number {
  return m | (e << 16) | 0;
}

export function fromWord(word: number): [m: number, e: number] {
  return [word & 0xffff, word >> 16];
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** dist/wasm/<file>, compiled. */
export function engineModule(file = "engine.wasm"): Promise<WebAssembly.Module> {
  const known = compiled.get(file);
  if (known !== undefined) return known;
  const module = readFile(join(ROOT, "dist/wasm", file)).then((bytes) => WebAssembly.compile(bytes));
  compiled.set(file, module);
  return module;
}

/** A fresh instance of a build of the engine with the memory that it imports: 4 GiB of addresses, which cost nothing until they are touched. */
export async function engineInstance(file = "engine.wasm"): Promise<WebAssembly.Instance> {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
  return WebAssembly.instantiate(await engineModule(file), { env: { memory } });
}

/** The exports of a fresh instance. */
export async function loadEngine(file = "engine.wasm"): Promise<EngineExports> {
  return (await engineInstance(file)).exports as unknown as EngineExports;
}

/** The builds of the engine that this Node can run: relaxed SIMD came with V8 11.4. */
export async function engineBuilds(): Promise<string[]> {
  const relaxed = await readFile(join(ROOT, "dist/wasm/engine-relaxed.wasm"));
  return WebAssembly.validate(relaxed) ? ["engine.wasm", "engine-relaxed.wasm"] : ["engine.wasm"];
}

/** A piece of the engine's memory that tests hand out from the bottom; it is taken back whole. */
export class Heap {
  readonly engine: EngineExports;
  private readonly base: number;
  private readonly end: number;
  private top: number;

  constructor(engine: EngineExports, bytes: number) {
    this.engine = engine;
    this.base = engine.reserve(bytes) >>> 0;
    if (this.base === 0) throw new Error("out of memory");
    this.end = this.base + bytes;
    this.top = this.base;
  }

  /** Forgets everything handed out; what follows finds 0xA5 in its bytes. */
  reset(): void {
    new Uint8Array(this.engine.memory.buffer, this.base, this.top - this.base).fill(0xa5);
    this.top = this.base;
  }

  /** @returns a 64-byte aligned address */
  room(bytes: number): number {
    const at = this.top;
    this.top += (bytes + 79) & ~63;
    if (this.top > this.end) throw new Error(`test heap: ${bytes} bytes more`);
    return at;
  }

  bytes(values: ArrayLike<number>): number {
    const at = this.room(values.length);
    new Uint8Array(this.engine.memory.buffer, at, values.length).set(values);
    return at;
  }

  i8(values: ArrayLike<number>): number {
    return this.bytes(values); // modulo 256
  }

  i16(values: ArrayLike<number>): number {
    const at = this.room(values.length * 2);
    new Int16Array(this.engine.memory.buffer, at, values.length).set(values);
    return at;
  }

  i32(values: ArrayLike<number>): number {
    const at = this.room(values.length * 4);
    new Int32Array(this.engine.memory.buffer, at, values.length).set(values);
    return at;
  }

  readI8(at: number, n: number): number[] {
    return [...new Int8Array(this.engine.memory.buffer, at >>> 0, n)];
  }

  readI16(at: number, n: number): number[] {
    return [...new Int16Array(this.engine.memory.buffer, at >>> 0, n)];
  }

  readI32(at: number, n: number): number[] {
    return [...new Int32Array(this.engine.memory.buffer, at >>> 0, n)];
  }
}

/** TABLES of IMAGE.md, from the formulas of NUMERICS.md. `inc`: rope_inc */
export function makeTables(inc: readonly number[] = []): Uint8Array {
  const view = new DataView(new ArrayBuffer(3080 + 4 * inc.length));
  for (let f = 0; f < 256; f++) view.setUint16(2 * f, Math.round(2 ** (15 - f / 256)), true);
  for (let i = 0; i <= 256; i++) view.setUint16(512 + 2 * i, Math.round(32768 / (1 + Math.exp(-i / 16))), true);
  for (let k = 0; k <= 1024; k++) view.setInt16(1028 + 2 * k, Math.round(32767 * Math.sin((Math.PI * k) / 2048)), true);
  for (let j = 0; j < inc.length; j++) view.setUint32(3080 + 4 * j, inc[j], true);
  return new Uint8Array(view.buffer);
}

/** rope_inc of NUMERICS.md. */
export function ropeInc(theta: number, headDim: number): number[] {
  return Array.from({ length: headDim / 2 }, (_, j) =>
    Math.round((theta ** ((-2 * j) / headDim) / (2 * Math.PI)) * 2 ** 32),
  );
}
