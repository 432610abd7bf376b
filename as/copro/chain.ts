/**
 * A chain of jobs on the same activations: descriptors (spec/TGEMV.md) in SRAM, of which the first loads x into the unit's buffer and the others keep it.
 *
 *     | next | waddr | wbytes | aaddr | oaddr | rows, cols | mode | strides | tag | check |      ten words a job
 */
import { ROWS_PER_BLOCK, TRITS_PER_BYTE } from "../../spec/packing.ts";
import {
  TGEMV_DESC_AADDR,
  TGEMV_DESC_BYTES,
  TGEMV_DESC_CHECK,
  TGEMV_DESC_DIMS,
  TGEMV_DESC_MODE,
  TGEMV_DESC_NEXT,
  TGEMV_DESC_OADDR,
  TGEMV_DESC_STRIDES,
  TGEMV_DESC_SUM,
  TGEMV_DESC_TAG,
  TGEMV_DESC_WADDR,
  TGEMV_DESC_WBYTES,
  TGEMV_DIMS_ROWS_SHIFT,
  TGEMV_MODE_KEEP_X,
  TGEMV_MODE_VECTORS_SHIFT,
  TGEMV_MODE_WIDE,
  TGEMV_STRIDES_OUT_SHIFT,
} from "../../spec/tgemv.ts";
import { copro_finish, copro_start } from "./unit.ts";

/** Q, K and V are three. */
const JOBS_MAX = 3;
/** Largest distance of two outputs, in entries: its field has 16 bits. */
export const Y_STRIDE_MAX = 65535;

@lazy
const descriptors: usize = memory.data(JOBS_MAX * TGEMV_DESC_BYTES, 8);

/** What the jobs of a chain share. */
@unmanaged
class Chain {
  x: usize;
  cols: i32;
  mode: u32;
  strides: u32;
  jobs: i32;
  bytes: u32;
  /** The first job has its activations in the unit's buffer already. */
  keep: bool;
  /** Chains since reset: what the jobs are tagged with. */
  number: u32;
}

@lazy
const chain = changetype<Chain>(memory.data(offsetof<Chain>(), 8));

/**
 * Begins a chain.
 * @param x i16 (vectors, cols), `x_stride` entries apart, an even number; on 4 bytes
 * @param y_stride entries between the outputs of two vectors, at most Y_STRIDE_MAX; with one vector it is not used
 */
export function chain_begin(x: usize, cols: i32, x_stride: i32, vectors: i32, y_stride: i32, wide: bool): void {
  chain.keep = false;
  chain.x = x;
  chain.cols = cols;
  chain.mode = ((<u32>vectors) << TGEMV_MODE_VECTORS_SHIFT) | (wide ? TGEMV_MODE_WIDE : 0);
  chain.strides = <u32>(x_stride >> 1) | ((<u32>y_stride) << TGEMV_STRIDES_OUT_SHIFT);
  chain_next();
}

/** Begins another chain on the activations of the last one, which stay in the unit's buffer. It must have gone well. */
export function chain_again(): void {
  chain.keep = true;
  chain_next();
}

function chain_next(): void {
  chain.jobs = 0;
  chain.bytes = 0;
  chain.number++;
}

/**
 * W (rows, cols) of `trits` planes @ x -> y
 * @param rows below 2^16
 * @param y i32 (vectors, rows)
 */
export function chain_add(w: usize, trits: i32, rows: i32, y: usize): void {
  const groups = (chain.cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  const blocks = (rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
  const bytes = <u32>(blocks * ROWS_PER_BLOCK * trits * groups);
  const d = descriptors + <usize>(chain.jobs * TGEMV_DESC_BYTES);
  store<u32>(d + TGEMV_DESC_NEXT, 0);
  store<u32>(d + TGEMV_DESC_WADDR, <u32>w);
  store<u32>(d + TGEMV_DESC_WBYTES, bytes);
  store<u32>(d + TGEMV_DESC_AADDR, <u32>chain.x);
  store<u32>(d + TGEMV_DESC_OADDR, <u32>y);
  store<u32>(d + TGEMV_DESC_DIMS, <u32>chain.cols | ((<u32>rows) << TGEMV_DIMS_ROWS_SHIFT));
  store<u32>(d + TGEMV_DESC_MODE, <u32>trits | chain.mode | (chain.jobs > 0 || chain.keep ? TGEMV_MODE_KEEP_X : 0));
  store<u32>(d + TGEMV_DESC_STRIDES, chain.strides);
  store<u32>(d + TGEMV_DESC_TAG, chain.number);
  if (chain.jobs > 0) store<u32>(d - TGEMV_DESC_BYTES + TGEMV_DESC_NEXT, <u32>d);
  chain.jobs++;
  chain.bytes += bytes;
}

/** Runs it, asleep; false when the unit failed. */
export function chain_run(): bool {
  chain_start();
  return copro_finish();
}

/** Starts it: until copro_finish() its descriptors, activations and outputs are the unit's. */
export function chain_start(): void {
  const end = descriptors + <usize>(chain.jobs * TGEMV_DESC_BYTES);
  for (let d = descriptors; d < end; d += TGEMV_DESC_BYTES) {
    let sum: u32 = 0;
    for (let at: usize = 0; at < <usize>TGEMV_DESC_CHECK; at += 4) sum += load<u32>(d + at);
    store<u32>(d + TGEMV_DESC_CHECK, <u32>TGEMV_DESC_SUM - sum);
  }
  copro_start(descriptors, chain.bytes);
}
