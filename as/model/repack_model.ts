/**
 * Repacks a model for the SIMD engine: ternary matrices to the kernel's layout, embedding, head and routers, whatever their packing, to int8 rows. Rows come
 * from an image that lies in memory, or from a buffer that the host fills from a file: then the big tensors are never in memory as the image has them.
 */
import {
  HDR_TABLE,
  KIND_ATTN_NORM,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_HEAD,
  KIND_ROUTER,
  SEC_COLS,
  SEC_KIND,
  SEC_LAYER,
  SEC_EXPERT,
  SEC_OFFSET,
  SEC_PACKING,
  SEC_ROWS,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import { PACK_GAIN } from "../../spec/packing.ts";
import { block_rows, repacked_bytes } from "../kernels/simd.ts";
import { config } from "./config.ts";
import { sections_end } from "./image.ts";
import { JOB_REPACK } from "./jobs.ts";
import { do_job, rows_of_chunk, simd_job, simd_kernel } from "./simd_engine.ts";
import { team_size, team_wake } from "./team.ts";
import { tensor_for } from "./tensors.ts";
import { cols_of, embed, head, packing_of, rows_of, Tensor, weights } from "./weights.ts";

/** Cache lines, and whatever a kernel wants. */
const ALIGN: u64 = 64;

/** Rows that become int8; of a router they are that already. */
@inline
function is_rows(kind: i32): bool {
  return kind == KIND_EMBED || kind == KIND_HEAD || kind == KIND_ROUTER;
}

/** Is there anything to repack of a tensor of this kind? */
@inline
function is_weights(kind: i32, packing: i32): bool {
  return is_rows(kind) || (kind >= KIND_ATTN_NORM && kind <= KIND_FFN_DOWN && packing != PACK_GAIN);
}

function bytes_of(kind: i32, rows: u32, cols: u32): u64 {
  const bytes = is_rows(kind)
    ? <u64>rows * <u64>cols
    : (<u64>rows + 63) * (<u64>cols + 255) > <u64>u32.MAX_VALUE
      ? <u64>u32.MAX_VALUE
      : <u64>repacked_bytes(simd_kernel(), <i32>rows, <i32>cols);
  return (bytes + ALIGN - 1) & ~(ALIGN - 1);
}

/** Bytes of all repacked weights of the image that was read, below 2^63, whatever it claims. */
export function weights_bytes(): u64 {
  let bytes: u64 = 0;
  const end = sections_end(weights.image);
  for (let entry = weights.image + HDR_TABLE; entry < end; entry += SECTION_ENTRY_BYTES) {
    const kind = <i32>load<u16>(entry, SEC_KIND);
    if (!is_weights(kind, load<u8>(entry, SEC_PACKING))) continue;
    bytes += bytes_of(kind, load<u32>(entry, SEC_ROWS), load<u32>(entry, SEC_COLS));
  }
  return bytes;
}

/** Gives every tensor of the open model its place, in the order of the image. @param at 64-byte aligned, weights_bytes() bytes */
export function place_weights(at: usize): void {
  const end = sections_end(weights.image);
  for (let entry = weights.image + HDR_TABLE; entry < end; entry += SECTION_ENTRY_BYTES) {
    const kind = <i32>load<u16>(entry, SEC_KIND);
    if (!is_weights(kind, load<u8>(entry, SEC_PACKING))) continue;
    const t = tensor_of(entry);
    if (t == null) continue;
    t.data = at;
    at += <usize>bytes_of(kind, rows_of(t), cols_of(t));
  }
  if (config.tied != 0) head.data = embed.data;
}

function tensor_of(entry: usize): Tensor | null {
  return tensor_for(load<u16>(entry, SEC_KIND), load<u16>(entry, SEC_LAYER), load<u16>(entry, SEC_EXPERT));
}

/**
 * Repacks rows of a tensor to its place.
 * @param section its number in the section table
 * @param from a multiple of repack_step()
 * @param rows to be repacked: a multiple of it too, or all that follow
 * @param packed these rows as the image has them
 * @returns false when there is no such tensor
 */
export function repack_section(section: i32, from: i32, rows: i32, packed: usize): bool {
  const entry = weights.image + HDR_TABLE + <usize>section * SECTION_ENTRY_BYTES;
  const kind = <i32>load<u16>(entry, SEC_KIND);
  const t = tensor_of(entry);
  if (t == null || !is_weights(kind, packing_of(t))) return false;
  const cols = cols_of(t);
  const job = simd_job();
  const block = max(4, is_rows(kind) ? 4 : block_rows(simd_kernel()));
  job.kind = JOB_REPACK;
  job.kernel = simd_kernel();
  job.packing = is_rows(kind) ? packing_of(t) : 0;
  job.cols = cols;
  job.rows = rows;
  job.x = packed;
  job.w = t.data + (is_rows(kind) ? <usize>from * <usize>cols : repacked_bytes(simd_kernel(), from, cols));
  // A chunk's result has to fit into a thread's area.
  const room = <i32>(
    ((job.attention - job.result) /
      <u32>max<usize>(1, is_rows(kind) ? <usize>cols : repacked_bytes(simd_kernel(), block, cols) / <usize>block))
  );
  job.step = max(block, (min(rows_of_chunk(block, cols, 1, rows), room) / block) * block);
  job.work = <u32>job.step * <u32>cols;
  team_wake();
  do_job(job, (rows + job.step - 1) / job.step, team_size() == 1);
  return true;
}

/** Does the section hold weights that repack_section takes? */
export function is_repacked(section: i32): bool {
  const entry = weights.image + HDR_TABLE + <usize>section * SECTION_ENTRY_BYTES;
  return is_weights(load<u16>(entry, SEC_KIND), load<u8>(entry, SEC_PACKING));
}

/** Rows of blocks that packings and the kernel share. */
export function repack_step(): i32 {
  return max(4, block_rows(simd_kernel()));
}

/** Repacks all tensors from the image in memory. */
export function repack_image(): void {
  const sections = <i32>((sections_end(weights.image) - weights.image - HDR_TABLE) / SECTION_ENTRY_BYTES);
  for (let section = 0; section < sections; section++) {
    if (!is_repacked(section)) continue;
    const entry = weights.image + HDR_TABLE + <usize>section * SECTION_ENTRY_BYTES;
    repack_section(section, 0, load<i32>(entry, SEC_ROWS), weights.image + <usize>load<u32>(entry, SEC_OFFSET));
  }
}
