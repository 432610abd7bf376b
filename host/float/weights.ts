/**
 * The weights of a source as the float engine multiplies them: kept in memory after their first use while there is room, else read again, in chunks
 * of rows, whenever they are needed. Trits are kept at 1.6 bits, real weights as float32.
 */
import { KIND_EMBED, KIND_HEAD } from "../../spec/image.ts";
import { PACK_TRITS_1, ROWS_PER_BLOCK } from "../../spec/packing.ts";
import { isTernary, type LinearSource, type MatrixSource, type ModelSource } from "../convert/model.ts";
import { packRows } from "../convert/packing.ts";
import { TritkitError } from "../errors.ts";
import { sectionName } from "../image/layout.ts";
import { packedBytes } from "../image/sizes.ts";
import { addTernary, realProduct } from "./products.ts";
import { absmaxQuantise } from "./vectors.ts";

/** A ternary matrix whose rows are packed already: an image's. */
export interface PackedLinear extends LinearSource {
  /** @param start,count multiples of 4, but for the last rows */
  packedRows(start: number, count: number): Uint8Array;
}

/** Rows of a matrix that are read at once when it is not kept: about 4 million weights. */
const CHUNK_WEIGHTS = 1 << 22;

/** Where a product reads and writes: `count` vectors, x (count, cols), y (count, rows). */
export interface Vectors {
  readonly count: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
}

export class FloatWeights {
  readonly #source: ModelSource;
  readonly #kept = new Map<string, Matrix>();
  readonly #gains = new Map<string, Float32Array>();
  #room: number;

  /** @param room bytes of weights that may be kept */
  constructor(source: ModelSource, room: number) {
    this.#source = source;
    this.#room = room;
  }

  /** y = W x of a linear layer; as published, its input is rounded to int8 when the model was trained so. @param expert of a feed-forward layer */
  async linear(kind: number, layer: number, at: Vectors, expert?: number): Promise<void> {
    const matrix = await this.#matrix(`${kind} ${layer} ${expert ?? 0}`, sectionName(kind, layer, expert), () =>
      this.#source.linear(kind, layer, expert === undefined ? undefined : { expert }),
    );
    await matrix.multiply(at, this.#source.fakeQuant);
  }

  /** y = W x of a matrix that is never quantised: the router of a layer, or the head. */
  async real(kind: number, layer: number, at: Vectors): Promise<void> {
    const matrix = await this.#matrix(`${kind} ${layer}`, sectionName(kind, layer), () =>
      this.#source.matrix(kind, layer),
    );
    await matrix.multiply(at, false);
  }

  /** Logits of final vectors. */
  async head(at: Vectors): Promise<void> {
    await this.real(this.#source.config.tied ? KIND_EMBED : KIND_HEAD, 0, at);
  }

  /** Rows of the embedding -> x (ids, dim). They are few: read from the source unless the head keeps them. */
  async embed(ids: readonly number[], x: Float64Array): Promise<void> {
    const { dim } = this.#source.config;
    const kept = this.#kept.get(`${KIND_EMBED} 0`);
    for (const [i, id] of ids.entries()) {
      const row = kept?.row(id) ?? (await (await this.#source.matrix(KIND_EMBED, 0)).values(id, 1));
      if (row.length !== dim) throw misfit(sectionName(KIND_EMBED, 0));
      x.set(row, i * dim);
    }
  }

  async gain(kind: number, layer: number, length: number, expert?: number): Promise<Float32Array> {
    const name = `${kind} ${layer} ${expert ?? 0}`;
    const known = this.#gains.get(name);
    if (known !== undefined) return known;
    const gain = await this.#source.gain(kind, layer, expert);
    if (gain.length !== length)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${sectionName(kind, layer, expert)} has ${gain.length} gains instead of ${length}.`,
        "The model's files contradict its configuration.",
      );
    this.#gains.set(name, gain);
    return gain;
  }

  async #matrix(
    key: string,
    name: string,
    open: () => Promise<LinearSource | MatrixSource> | LinearSource | MatrixSource,
  ): Promise<Matrix> {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const source = await open();
    const matrix = isTernary(source) ? new Ternary(name, source) : new Real(name, source);
    // A matrix that is not kept stays open: opening a latent one again would search for its scale again.
    if (matrix.bytes <= this.#room) {
      this.#room -= matrix.bytes;
      await matrix.keep();
    }
    this.#kept.set(key, matrix);
    return matrix;
  }
}

interface Matrix {
  /** What keeping it takes. */
  readonly bytes: number;
  keep(): Promise<void>;
  /** One row of a real matrix that is kept; null otherwise. */
  row(row: number): Float32Array | null;
  multiply(at: Vectors, quantiseInput: boolean): Promise<void>;
}

class Ternary implements Matrix {
  readonly bytes: number;
  readonly #name: string;
  readonly #source: LinearSource;
  #packed: Uint8Array | null = null;

  constructor(name: string, source: LinearSource) {
    this.#name = name;
    this.#source = source;
    this.bytes = packedBytes(PACK_TRITS_1, source.rows, source.cols);
  }

  async keep(): Promise<void> {
    const { rows, cols } = this.#source;
    const packed = new Uint8Array(this.bytes);
    let at = 0;
    for (const [start, count] of chunks(rows, cols)) {
      const part = await this.#read(start, count);
      packed.set(part, at);
      at += part.length;
    }
    this.#packed = packed;
  }

  async #read(start: number, count: number): Promise<Uint8Array> {
    const source = this.#source;
    if ("packedRows" in source) return (source as PackedLinear).packedRows(start, count);
    return packRows(PACK_TRITS_1, await source.trits(start, count), count, source.cols);
  }

  row(): null {
    return null;
  }

  async multiply({ count, x, y }: Vectors, quantiseInput: boolean): Promise<void> {
    const { rows, cols, scale } = this.#source;
    checkLength(this.#name, count * cols, x);
    checkLength(this.#name, count * rows, y);
    const steps = new Float64Array(count).fill(1);
    const input = quantiseInput ? new Float64Array(count * cols) : x;
    if (quantiseInput) for (let t = 0; t < count; t++) steps[t] = quantise(x, t, cols, input);
    // Rows come in blocks of 4: the sums have room for the last one.
    const padded = Math.ceil(rows / ROWS_PER_BLOCK) * ROWS_PER_BLOCK;
    const sums = new Float64Array(count * padded);
    const whole = this.#packed;
    for (const [start, n] of whole === null ? chunks(rows, cols) : [[0, rows] as const]) {
      const packed = whole ?? (await this.#read(start, n));
      for (let t = 0; t < count; t++) addTernary(packed, n, cols, input, t * cols, sums, t * padded + start);
    }
    for (let t = 0; t < count; t++)
      for (let row = 0; row < rows; row++)
        y[t * rows + row] = (sums[t * padded + row] / steps[t]) * (typeof scale === "number" ? scale : scale[row]);
  }
}

class Real implements Matrix {
  readonly bytes: number;
  readonly #name: string;
  readonly #source: MatrixSource;
  #values: Float32Array | null = null;

  constructor(name: string, source: MatrixSource) {
    this.#name = name;
    this.#source = source;
    this.bytes = source.rows * source.cols * Float32Array.BYTES_PER_ELEMENT;
  }

  async keep(): Promise<void> {
    const { rows, cols } = this.#source;
    const values = new Float32Array(rows * cols);
    for (const [start, count] of chunks(rows, cols)) values.set(await this.#source.values(start, count), start * cols);
    this.#values = values;
  }

  row(row: number): Float32Array | null {
    const { cols } = this.#source;
    return this.#values?.subarray(row * cols, (row + 1) * cols) ?? null;
  }

  async multiply({ count, x, y }: Vectors, quantiseInput: boolean): Promise<void> {
    const { rows, cols } = this.#source;
    checkLength(this.#name, count * cols, x);
    checkLength(this.#name, count * rows, y);
    const input = quantiseInput ? new Float64Array(count * cols) : x;
    if (quantiseInput)
      for (let t = 0; t < count; t++) {
        const step = quantise(x, t, cols, input);
        for (let i = t * cols; i < (t + 1) * cols; i++) input[i] /= step;
      }
    const whole = this.#values;
    for (const [start, n] of whole === null ? chunks(rows, cols) : [[0, rows] as const]) {
      const values = whole ?? (await this.#source.values(start, n));
      for (let t = 0; t < count; t++) realProduct(values, n, cols, input, t * cols, y, t * rows + start);
    }
  }
}

function quantise(x: Float64Array, t: number, cols: number, out: Float64Array): number {
  return absmaxQuantise(x, t * cols, cols, out);
}

/** Rows from, and how many: multiples of 4 but for the last. */
function* chunks(rows: number, cols: number): Generator<readonly [number, number]> {
  const step = Math.max(ROWS_PER_BLOCK, Math.floor(CHUNK_WEIGHTS / cols / ROWS_PER_BLOCK) * ROWS_PER_BLOCK);
  for (let start = 0; start < rows; start += step) yield [start, Math.min(step, rows - start)];
}

/** The source's shapes were checked against nothing yet. */
function checkLength(name: string, length: number, vector: Float64Array): void {
  if (vector.length !== length) throw misfit(name);
}

function misfit(name: string): TritkitError {
  return new TritkitError(
    "E_SOURCE_FORMAT",
    `${name} has a shape that does not fit the vectors before and behind it.`,
    "The model's files contradict its configuration.",
  );
}
