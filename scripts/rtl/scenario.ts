/** What is done to the unit, in the model and in the Verilog alike: accesses of a host to a unit whose memories are given. */
import {
  TGEMV_DESC_BYTES,
  TGEMV_DESC_SUM,
  TGEMV_DIMS_ROWS_SHIFT,
  TGEMV_MODE_IRQ,
  TGEMV_MODE_KEEP_X,
  TGEMV_MODE_VECTORS_SHIFT,
  TGEMV_MODE_WIDE,
  TGEMV_STRIDES_OUT_SHIFT,
} from "../../spec/tgemv.ts";

export const W_BASE = 0x10000000;
export const M_BASE = 0x20000000;
/** Bytes of each memory of the test bench. */
export const MEMORY_BYTES = 2 << 20;

export type Op =
  | { do: "write"; offset: number; value: number }
  | { do: "read"; offset: number }
  | { do: "pause"; cycles: number }
  /** Reads STATUS until the unit is idle, `limit` times at most. */
  | { do: "idle"; limit: number };

/** Entries of the gap table, picked by (base + (n & mask)). */
export interface GapWindow {
  base: number;
  mask: number;
}

export interface Scenario {
  number: number;
  /** What is special about it. */
  about: string;
  jobs: number;
  ops: Op[];
  gaps: GapWindow;
  waits: GapWindow;
  /** Where its part of the M memory begins, bytes from M_BASE. */
  mFrom: number;
}

/** Scenarios that share memory: one run of the simulator. */
export interface Batch {
  wmem: Uint8Array;
  mmem: Uint8Array;
  wUsed: number;
  mUsed: number;
  /** Gap or wait 14..0; 15: refuse. */
  gaps: Uint16Array;
  scenarios: Scenario[];
}

export interface Descriptor {
  next: number;
  waddr: number;
  wbytes: number;
  aaddr: number;
  oaddr: number;
  rows: number;
  cols: number;
  packing: number;
  vectors: number;
  wide: boolean;
  keep: boolean;
  irq: boolean;
  /** Words of 4 bytes. */
  xStride: number;
  yStride: number;
  tag: number;
}

/** NEXT..TAG. */
export function wordsOf(d: Descriptor): Uint32Array {
  const flags = (d.wide ? TGEMV_MODE_WIDE : 0) | (d.keep ? TGEMV_MODE_KEEP_X : 0) | (d.irq ? TGEMV_MODE_IRQ : 0);
  const dims = d.cols | (d.rows << TGEMV_DIMS_ROWS_SHIFT);
  const mode = d.packing | (d.vectors << TGEMV_MODE_VECTORS_SHIFT) | flags;
  const strides = d.xStride | (d.yStride << TGEMV_STRIDES_OUT_SHIFT);
  return Uint32Array.of(d.next, d.waddr, d.wbytes, d.aaddr, d.oaddr, dims, mode, strides, d.tag);
}

/** The descriptor as it lies in memory, with the word that makes its sum right. */
export function bytesOf(d: Descriptor): Uint8Array {
  const words = new Uint32Array(TGEMV_DESC_BYTES / 4);
  words.set(wordsOf(d));
  words[9] = TGEMV_DESC_SUM - words.reduce((a, b) => (a + b) >>> 0, 0);
  return new Uint8Array(words.buffer);
}
