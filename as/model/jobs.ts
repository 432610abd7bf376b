/**
 * Work of the forward pass that threads share, cut into chunks (team.ts): ternary products and the head by rows, attention by heads, repacking by rows.
 * A chunk is computed to its place, or into the thread's area, from where it is copied to its place later.
 *
 *     area of a thread   copy of the Job | own memory | scratch of kernels | result | scratch of attention        each on a multiple of 64
 */
import { PACK_INT4, PACK_INT8 } from "../../spec/packing.ts";
import { repack_int4_int8, repack_trits_int8 } from "../kernels/repack.ts";
import { rows_int8_simd } from "../kernels/rows_int8_simd.ts";
import { block_rows, product_rows, repack_rows, repacked_bytes } from "../kernels/simd.ts";
import { OWN_BYTES, set_own_memory } from "../memory/thread.ts";
import { attend_chunk, attend_chunk_done } from "./attention.ts";
import { scale_logits } from "./head.ts";
import { Scale } from "./numeric.ts";

export const JOB_PRODUCTS = 0;
export const JOB_HEAD = 1;
export const JOB_ATTEND = 2;
export const JOB_REPACK = 3;

/** What the chunks of a job share. Workers copy it: it is read while the leader writes the next one. */
@unmanaged
export class Job {
  kind: i32;
  chunks: i32;
  /** Areas of the threads, and where their parts begin. */
  areas: usize;
  area_bytes: u32;
  result: u32;
  attention: u32;
  /** Ternary kernel; of JOB_REPACK for PACK_TRITS_1 as a matrix. */
  kernel: i32;
  /** Vectors. */
  n: i32;
  cols: i32;
  /** Rows of a chunk, and its multiply-adds. */
  step: i32;
  work: u32;
  /** JOB_PRODUCTS: prepared activations. JOB_HEAD: activations. JOB_REPACK: packed rows. */
  x: usize;
  acc_stride: i32;
  // Up to three matrices of (rows_i, cols); chunks of matrix i begin with first_i.
  w: usize;
  w_1: usize;
  w_2: usize;
  rows: i32;
  rows_1: i32;
  rows_2: i32;
  acc: usize;
  acc_1: usize;
  acc_2: usize;
  first_1: i32;
  first_2: i32;
  /** JOB_HEAD: scale of the activations, and those of the rows. */
  scale: Scale;
  row_scales: usize;
  /** JOB_REPACK: 0 a ternary matrix for the kernel, else the packing of rows that become int8. */
  packing: i32;
  /** JOB_ATTEND. */
  layer: i32;
  pos: i32;
}

const OWN: usize = 256;
const SCRATCH = OWN + OWN_BYTES;

/** Address of the kernels' scratch. */
@inline
function scratch_of(area: usize): usize {
  return area + SCRATCH;
}

/**
 * Lays out the areas for a model.
 * @param scratch,result,attention bytes
 */
export function plan_areas(job: Job, scratch: u32, result: u32, attention: u32): void {
  job.result = <u32>SCRATCH + round64(scratch);
  job.attention = job.result + round64(result);
  job.area_bytes = job.attention + round64(attention);
}

@inline
function round64(bytes: u32): u32 {
  return (bytes + 63) & ~63;
}

/** @param direct to its place, not into the area */
export function run_chunk(job: Job, c: i32, area: usize, direct: bool): void {
  set_own_memory(area + OWN);
  const result = area + <usize>job.result;
  if (job.kind == JOB_PRODUCTS) {
    const m = matrix_of(job, c);
    const from = from_row(job, m, c);
    const to = to_row(job, m, from);
    const count = to - from;
    const acc = direct ? acc_of(job, m) : result - ((<usize>from) << 2);
    const stride = direct ? job.acc_stride : count;
    product_rows(job.kernel, w_of(job, m), job.cols, from, to, job.x, job.n, acc, stride, scratch_of(area));
  } else if (job.kind == JOB_HEAD) {
    const from = c * job.step;
    const count = min(job.step, job.rows - from);
    const logits = direct ? job.acc + ((<usize>from) << 2) : result;
    rows_int8_simd(job.w + <usize>from * <usize>job.cols, count, job.cols, job.x, logits);
    scale_logits(logits, count, job.scale, job.row_scales + ((<usize>from) << 2));
  } else if (job.kind == JOB_ATTEND) {
    attend_chunk(job, c, area + <usize>job.attention, direct);
  } else {
    repack_chunk(job, c, direct ? job.w + result_bytes(job, c * job.step) : result, scratch_of(area));
  }
}

/** Copies a chunk's result from the area to its place: a moment. */
export function commit_chunk(job: Job, c: i32, area: usize): void {
  const result = area + <usize>job.result;
  if (job.kind == JOB_PRODUCTS) {
    const m = matrix_of(job, c);
    const from = from_row(job, m, c);
    const bytes = (<usize>(to_row(job, m, from) - from)) << 2;
    let to = acc_of(job, m) + ((<usize>from) << 2);
    for (let i = 0; i < job.n; i++) {
      memory.copy(to, result + <usize>i * bytes, bytes);
      to += (<usize>job.acc_stride) << 2;
    }
  } else if (job.kind == JOB_HEAD) {
    const from = c * job.step;
    memory.copy(job.acc + ((<usize>from) << 2), result, (<usize>min(job.step, job.rows - from)) << 2);
  } else if (job.kind == JOB_ATTEND) {
    attend_chunk_done(job, c, area + <usize>job.attention);
  } else {
    const from = c * job.step;
    const at = result_bytes(job, from);
    memory.copy(job.w + at, result, result_bytes(job, min(from + job.step, job.rows)) - at);
  }
}

@inline
function matrix_of(job: Job, c: i32): i32 {
  return c >= job.first_2 ? 2 : c >= job.first_1 ? 1 : 0;
}

@inline
function from_row(job: Job, m: i32, c: i32): i32 {
  return (c - (m == 2 ? job.first_2 : m == 1 ? job.first_1 : 0)) * job.step;
}

/** The end of the last block, which may lie beyond the last row. */
@inline
function to_row(job: Job, m: i32, from: i32): i32 {
  const rows = m == 2 ? job.rows_2 : m == 1 ? job.rows_1 : job.rows;
  return min(from + job.step, whole_blocks(job.kernel, rows));
}

/** `rows` rounded up to a whole number of blocks. */
export function whole_blocks(kernel: i32, rows: i32): i32 {
  const block = block_rows(kernel);
  return ((rows + block - 1) / block) * block;
}

@inline
function w_of(job: Job, m: i32): usize {
  return m == 2 ? job.w_2 : m == 1 ? job.w_1 : job.w;
}

@inline
function acc_of(job: Job, m: i32): usize {
  return m == 2 ? job.acc_2 : m == 1 ? job.acc_1 : job.acc;
}

/** Repacked bytes of the first `rows` rows of a JOB_REPACK. */
function result_bytes(job: Job, rows: i32): usize {
  if (job.packing != 0) return <usize>rows * <usize>job.cols;
  return repacked_bytes(job.kernel, rows, job.cols);
}

function repack_chunk(job: Job, c: i32, out: usize, scratch: usize): void {
  const from = c * job.step;
  const rows = min(job.step, job.rows - from);
  const cols = job.cols;
  const w = job.x + packed_bytes(job.packing == 0 ? 1 : job.packing, from, cols);
  if (job.packing == 0) repack_rows(job.kernel, w, rows, cols, out, scratch);
  else if (job.packing == PACK_INT8) memory.copy(out, w, <usize>rows * <usize>cols);
  else if (job.packing == PACK_INT4) repack_int4_int8(w, rows, cols, out);
  else repack_trits_int8(w, job.packing, rows, cols, out);
}

/** Packed bytes of the first `rows` rows, a multiple of 4 or all (PACKING.md). */
export function packed_bytes(packing: i32, rows: i32, cols: i32): usize {
  if (packing == PACK_INT8) return <usize>rows * <usize>cols;
  if (packing == PACK_INT4) return <usize>rows * <usize>((cols + 1) >> 1);
  return <usize>((rows + 3) >> 2) * <usize>packing * <usize>((cols + 4) / 5) * 4;
}
