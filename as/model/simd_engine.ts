/**
 * The SIMD engine: ternary products, head and attention, by the chosen kernel and as many threads as there are. Nothing of this file reaches a device.
 *
 * What a thread takes at a time is worth some tens of microseconds: less, and taking costs more than it brings; more, and the last ones are waited for.
 */
import {
  BATCH_MAX,
  block_rows,
  prepare,
  prepared_bytes,
  PRODUCT_SCRATCH,
  repacked_bytes,
  repack_scratch,
  rows_worthwhile,
} from "../kernels/simd.ts";
import { activation_stride, qkv_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, PART_LUT, part, run } from "../memory/run_state.ts";
import { config, q_dim } from "./config.ts";
import { Job, JOB_ATTEND, JOB_HEAD, JOB_PRODUCTS, plan_areas, run_chunk, whole_blocks } from "./jobs.ts";
import { Scale } from "./numeric.ts";
import { CHUNKS_MAX, team_job, team_size, work_out } from "./team.ts";
import { cols_of, rows_of, Tensor } from "./weights.ts";

/** Weight bytes that a chunk reads at most, and at least where that leaves each thread a few chunks; below which the leader does a job alone. */
const CHUNK_BYTES = 131072;
const CHUNK_BYTES_MIN = 16384;
const ALONE_BYTES: u64 = 65536;
/** Multiply-adds of attention below which it is not shared. */
const ALONE_ATTENTION: u64 = 100000;
/** Accumulators of a chunk: rows * vectors. */
const CHUNK_RESULTS = 65536;

/** The ternary kernel of the open model, and the leader's job when there is no team. */
@lazy
let kernel: i32 = 0;
@lazy
const own_job = memory.data(offsetof<Job>(), 8);

/** KERNEL_* of the weights of the model that is opened next. */
export function use_kernel(number: i32): void {
  kernel = number;
}

export function simd_kernel(): i32 {
  return kernel;
}

/** The job to fill in: the team's, or the leader's own. */
export function simd_job(): Job {
  return team_size() > 1 ? team_job() : changetype<Job>(own_job);
}

/** Bytes of the areas of all threads for the model that was read; set_areas gives them. */
export function areas_bytes(context: i32): u64 {
  const longest = max(config.dim, max(config.hidden_dim, q_dim()));
  const scratch = max(PRODUCT_SCRATCH, repack_scratch(kernel, longest));
  const repacked = max<usize>(repacked_bytes(kernel, block_rows(kernel), longest), <usize>longest * 4);
  const result = max<u32>(CHUNK_RESULTS * 4 + 64 * BATCH_MAX * 4, <u32>repacked);
  plan_areas(simd_job(), scratch, result, attention_bytes(context));
  return <u64>simd_job().area_bytes * <u64>team_size();
}

/** query i16 | y, then o i32 | sums i64 | scores i32 */
function attention_bytes(context: i32): u32 {
  return <u32>(config.head_dim + 8) * 16 + 64 + (<u32>context + 8) * 4;
}

export function set_areas(at: usize): void {
  simd_job().areas = at;
}

/** Does all chunks of the job, alone or with the team. */
export function do_job(job: Job, chunks: i32, alone: bool): void {
  if (alone || team_size() == 1) for (let c = 0; c < chunks; c++) run_chunk(job, c, job.areas, true);
  else work_out(chunks);
}

/** Rows of a chunk: a multiple of `block`, of rows of `row_bytes` each, `total` rows in all. */
export function rows_of_chunk(block: i32, row_bytes: u32, n: i32, total: i32): i32 {
  const bytes = max<u32>(1, row_bytes * <u32>n);
  let rows = max(<i32>(CHUNK_BYTES_MIN / bytes), total / (4 * team_size()));
  rows = min(rows, <i32>(CHUNK_BYTES / bytes));
  rows = min(rows, CHUNK_RESULTS / n);
  rows = max(rows, total / (CHUNKS_MAX - 4) + 1);
  return max(1, (rows + block - 1) / block) * block;
}

/** Rows of a chunk of products. Where a range must be long to be worth it, each thread takes one of the first matrix, so that they end together. */
function shared_rows(block: i32, row_bytes: u32, n: i32, total: i32, rows: i32): i32 {
  const worthwhile = rows_worthwhile(kernel, n);
  if (worthwhile == block) return rows_of_chunk(block, row_bytes, n, total);
  const share = max((rows + team_size() - 1) / team_size(), worthwhile);
  return (min(share, CHUNK_RESULTS / n) + block - 1) & ~(block - 1);
}

/** As products() of bitlinear.ts, for n vectors. */
export function simd_products(
  t: Tensor,
  acc_t: usize,
  u: Tensor | null,
  acc_u: usize,
  v: Tensor | null,
  acc_v: usize,
  n: i32,
  stride: i32,
): void {
  const cols = cols_of(t);
  const prepared = (part(PART_LUT) + 63) & ~63;
  prepare(kernel, part(PART_ACTIVATIONS), activation_stride(), cols, n, prepared);
  const job = simd_job();
  job.kind = JOB_PRODUCTS;
  job.kernel = kernel;
  job.n = n;
  job.cols = cols;
  job.x = prepared;
  job.acc_stride = stride;
  job.w = t.data;
  job.rows = rows_of(t);
  job.acc = acc_t;
  job.rows_1 = 0;
  job.rows_2 = 0;
  if (u) {
    job.w_1 = u.data;
    job.rows_1 = rows_of(u);
    job.acc_1 = acc_u;
  }
  if (v) {
    job.w_2 = v.data;
    job.rows_2 = rows_of(v);
    job.acc_2 = acc_v;
  }
  const total = whole_blocks(kernel, job.rows) + whole_blocks(kernel, job.rows_1) + whole_blocks(kernel, job.rows_2);
  const block = block_rows(kernel);
  const row_bytes = <u32>repacked_bytes(kernel, block, cols) / <u32>block;
  const alone = team_size() == 1 || <u64>row_bytes * <u64>(total * n) < ALONE_BYTES;
  const step = alone ? total : shared_rows(block, row_bytes, n, total, job.rows);
  job.step = step;
  job.work = <u32>step * <u32>cols * <u32>n;
  job.first_1 = (job.rows + step - 1) / step;
  job.first_2 = job.first_1 + (job.rows_1 + step - 1) / step;
  do_job(job, job.first_2 + (job.rows_2 + step - 1) / step, alone);
}

/** As head_logits() of head.ts: int8 rows @ x -> logits. */
export function simd_head(w: usize, rows: i32, cols: i32, sq: Scale, scales: usize, logits: usize): void {
  const job = simd_job();
  job.kind = JOB_HEAD;
  job.cols = cols;
  job.x = part(PART_ACTIVATIONS);
  job.w = w;
  job.rows = rows;
  job.acc = logits;
  job.scale = sq;
  job.row_scales = scales;
  const alone = team_size() == 1 || <u64>rows * <u64>cols < ALONE_BYTES;
  job.step = alone ? rows : rows_of_chunk(8, cols, 1, rows);
  job.work = <u32>job.step * <u32>cols;
  do_job(job, (rows + job.step - 1) / job.step, alone);
}

/** All heads of `n` positions from `pos` on: attend() of attention.ts before the heads are joined. */
export function simd_attend(layer: i32, pos: i32, n: i32): void {
  const job = simd_job();
  job.kind = JOB_ATTEND;
  job.layer = layer;
  job.pos = pos;
  job.acc_stride = qkv_stride();
  job.work = <u32>(config.head_dim * (pos + n)) * 2;
  const work = <u64>(config.n_heads * config.head_dim) * <u64>((pos + n) * n) * 2;
  const chunks = n * config.n_heads;
  do_job(job, chunks, work < ALONE_ATTENTION || chunks > CHUNKS_MAX);
}
