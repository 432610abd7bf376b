/** Builds a batch out of jobs that are said one by one. What is not said is pseudo-random, from one seed. */
import { Random } from "../../firmware-sim/random.ts";
import { PACK_STRIDE } from "../../spec/packing.ts";
import * as T from "../../spec/tgemv.ts";
import { REFUSE } from "./gap_table.ts";
import {
  type Batch,
  bytesOf,
  type Descriptor,
  type GapWindow,
  M_BASE,
  MEMORY_BYTES,
  type Op,
  W_BASE,
} from "./scenario.ts";

export interface Shape {
  readonly rows: number;
  readonly cols: number;
  readonly packing: number;
  readonly vectors: number;
  readonly wide: boolean;
}

export interface Course {
  readonly about?: string;
  readonly gaps?: GapWindow;
  readonly waits?: GapWindow;
  /** Before the start, while it runs, after it. */
  readonly before?: readonly Op[];
  readonly disturb?: (doorbell: number) => readonly Op[];
  readonly after?: readonly Op[];
  /** The same chain once more. */
  readonly again?: boolean;
  /** Another chain. */
  readonly next?: readonly Descriptor[];
}

const LIMIT = 400_000;
const WINDOW = 64;
const OFFSETS: number[] = [];
for (let offset = 0; offset < T.TGEMV_WINDOW_BYTES; offset += 4) OFFSETS.push(offset);
/** Write only: reading tells nothing. */
const READABLE = OFFSETS.filter((offset) => offset <= T.TGEMV_CAP2 || offset >= T.TGEMV_PC_CTRL);

export class EdgeBatch {
  readonly batch: Batch;
  readonly #random = new Random(5);
  readonly #windows = new Map<string, GapWindow>();
  readonly #first: number;
  #table = 0;

  /** @param first number of a scenario */
  constructor(first: number) {
    this.#first = first;
    this.batch = {
      wmem: new Uint8Array(MEMORY_BYTES),
      mmem: new Uint8Array(MEMORY_BYTES),
      wUsed: 0,
      mUsed: 0,
      gaps: new Uint16Array(65536),
      scenarios: [],
    };
  }

  /** @param x all activations: the least, the most, or any
   * @param code all bytes of the weights, or any */
  job(shape: Shape, x: "least" | "most" | "any" = "any", code?: number): Descriptor {
    const { rows, cols, packing, vectors, wide } = shape;
    const { batch } = this;
    const random = this.#random;
    const wbytes = Math.ceil(rows / 4) * packing * Math.ceil(cols / 5) * 4;
    const waddr = W_BASE + batch.wUsed;
    for (let i = 0; i < wbytes; i++)
      batch.wmem[batch.wUsed++] = code ?? PACK_STRIDE * random.below(9) + random.below(27);
    const xWords = Math.ceil(cols / 2);
    const most = wide ? T.TGEMV_WIDE_MAX : T.TGEMV_NARROW_MAX;
    const aaddr = this.#take(vectors * xWords * 4);
    const view = new DataView(batch.mmem.buffer);
    for (let i = 0; i < vectors * xWords * 2; i++) {
      const value = x === "least" ? -most - 1 : x === "most" ? most : random.below(2 * most + 2) - most - 1;
      view.setInt16(aaddr - M_BASE + 2 * i, value, true);
    }
    const oaddr = this.#take(vectors * rows * 4);
    const strides = { xStride: xWords, yStride: rows };
    const flags = { keep: false, irq: false, tag: random.next(), next: 0 };
    return { ...shape, wbytes, waddr, aaddr, oaddr, ...strides, ...flags };
  }

  setActivation({ aaddr }: Descriptor, column: number, value: number): void {
    new DataView(this.batch.mmem.buffer).setInt16(aaddr - M_BASE + 2 * column, value, true);
  }

  add(chain: readonly Descriptor[], course: Course = {}): void {
    const { batch } = this;
    const mFrom = batch.mUsed;
    const doorbell = this.#place(chain);
    const rest = course.next === undefined ? [] : [this.#place(course.next)];
    const ops: Op[] = [...(course.before ?? [])];
    const run = (at: number, disturb: readonly Op[]): void => {
      ops.push({ do: "write", offset: T.TGEMV_DOORBELL, value: at }, ...disturb, { do: "idle", limit: LIMIT });
    };
    run(doorbell, course.disturb?.(doorbell) ?? []);
    for (const offset of READABLE) ops.push({ do: "read", offset });
    ops.push(...(course.after ?? []));
    for (const at of course.again ? [doorbell] : rest) {
      run(at, []);
      for (const offset of READABLE) ops.push({ do: "read", offset });
    }
    batch.scenarios.push({
      number: this.#first + batch.scenarios.length,
      about:
        course.about ??
        chain.map(({ rows, cols, packing, vectors }) => `${rows}x${cols} t${packing} v${vectors}`).join(", "),
      jobs: chain.length * (course.again ? 2 : 1) + (course.next?.length ?? 0),
      ops,
      gaps: course.gaps ?? this.gaps(1),
      waits: course.waits ?? this.waits(0),
      mFrom,
    });
  }

  /** Every beat takes `cycles`; beat `refused` is refused. */
  gaps(cycles: number, refused?: number): GapWindow {
    return this.#window(cycles, refused);
  }

  /** Every grant comes after `cycles` of waiting. */
  waits(cycles: number, refused?: number): GapWindow {
    return this.#window(cycles, refused);
  }

  #window(value: number, refused: number | undefined): GapWindow {
    const key = `${value} ${refused}`;
    const known = this.#windows.get(key);
    if (known !== undefined) return known;
    const window = { base: this.#table, mask: WINDOW - 1 };
    if (window.base + WINDOW > this.batch.gaps.length) throw new RangeError("the table of gaps is full");
    for (let i = 0; i < WINDOW; i++) this.batch.gaps[window.base + i] = value | (i === refused ? REFUSE : 0);
    this.#table += WINDOW;
    this.#windows.set(key, window);
    return window;
  }

  /** Descriptors into memory, chained. */
  #place(chain: readonly Descriptor[]): number {
    const addresses = chain.map(() => this.#take(T.TGEMV_DESC_BYTES));
    for (const [i, job] of chain.entries())
      this.batch.mmem.set(bytesOf({ ...job, next: addresses[i + 1] ?? 0 }), addresses[i] - M_BASE);
    return addresses[0];
  }

  #take(bytes: number): number {
    const { batch } = this;
    const at = batch.mUsed;
    batch.mUsed += Math.ceil(bytes / 4) * 4;
    if (batch.mUsed > MEMORY_BYTES || batch.wUsed > MEMORY_BYTES)
      throw new RangeError("the memory of the test bench is full");
    for (let i = at; i < batch.mUsed; i++) batch.mmem[i] = this.#random.byte();
    return M_BASE + at;
  }
}
