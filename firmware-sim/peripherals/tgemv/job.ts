/** A job as its registers say it, and what the check phase refuses (spec/TGEMV.md, "Errors"). */
import {
  TGEMV_DESC_SUM,
  TGEMV_DIMS_ROWS_SHIFT,
  TGEMV_ERR_BAD_CMD,
  TGEMV_ERR_BAD_DIM,
  TGEMV_ERR_BAD_KEEP,
  TGEMV_ERR_BAD_PACKING,
  TGEMV_ERR_BAD_SUM,
  TGEMV_ERR_BAD_VECTORS,
  TGEMV_ERR_MISALIGNED,
  TGEMV_MODE_IRQ,
  TGEMV_MODE_KEEP_X,
  TGEMV_MODE_VECTORS_SHIFT,
  TGEMV_MODE_WIDE,
  TGEMV_STRIDES_OUT_SHIFT,
} from "../../../spec/tgemv.ts";
import type { TgemvConfig } from "./config.ts";
import type { TgemvState } from "./state.ts";

export interface TgemvJob {
  next: number;
  waddr: number;
  wbytes: number;
  aaddr: number;
  oaddr: number;
  rows: number;
  cols: number;
  /** Trit planes: the packing code. */
  planes: number;
  vectors: number;
  wide: boolean;
  keep: boolean;
  irq: boolean;
  /** Bytes from a vector to the next. */
  xStride: number;
  yStride: number;
  tag: number;
  /** Groups of five columns, blocks of four rows, slots used: derived. */
  groups: number;
  blocks: number;
  slots: number;
}

/** An error, as the registers ERR and ERR_INFO show it. */
export interface TgemvFault {
  code: number;
  info: number;
}

const MODE_RESERVED = ~(0xfff | TGEMV_MODE_WIDE | TGEMV_MODE_KEEP_X | TGEMV_MODE_IRQ);

/** @param words NEXT..TAG */
export function jobOf(words: Uint32Array): TgemvJob {
  const [next, waddr, wbytes, aaddr, oaddr, dims, mode, strides, tag] = words;
  const cols = dims & 0xffff;
  const rows = dims >>> TGEMV_DIMS_ROWS_SHIFT;
  const vectors = (mode >>> TGEMV_MODE_VECTORS_SHIFT) & 15;
  const wide = (mode & TGEMV_MODE_WIDE) !== 0;
  return {
    next,
    waddr,
    wbytes,
    aaddr,
    oaddr,
    rows,
    cols,
    planes: mode & 0xff,
    vectors,
    wide,
    keep: (mode & TGEMV_MODE_KEEP_X) !== 0,
    irq: (mode & TGEMV_MODE_IRQ) !== 0,
    xStride: (strides & 0xffff) * 4,
    yStride: (strides >>> TGEMV_STRIDES_OUT_SHIFT) * 4,
    tag,
    groups: Math.ceil(cols / 5),
    blocks: Math.ceil(rows / 4),
    slots: wide ? 2 * vectors : vectors,
  };
}

/** What the check phase finds wrong with the job in the registers. */
export function checkJob(s: TgemvState, config: TgemvConfig): TgemvFault | null {
  const job = s.current;
  const mode = s.job[6];
  if (s.fromMemory && s.sum >>> 0 !== TGEMV_DESC_SUM) return { code: TGEMV_ERR_BAD_SUM, info: s.desc };
  if ((mode & MODE_RESERVED) !== 0) return { code: TGEMV_ERR_BAD_CMD, info: mode };
  for (const value of [job.waddr, job.wbytes, job.aaddr, job.oaddr])
    if (value % 4 !== 0) return { code: TGEMV_ERR_MISALIGNED, info: value };
  if (job.planes < 1 || job.planes > 5) return { code: TGEMV_ERR_BAD_PACKING, info: mode };
  if (job.slots < 1 || job.slots > config.slots) return { code: TGEMV_ERR_BAD_VECTORS, info: mode };
  if (job.rows === 0 || job.cols === 0 || job.cols > mostCols(config, job.slots))
    return { code: TGEMV_ERR_BAD_DIM, info: s.job[5] };
  const same = s.kept && s.keptCols === job.cols && s.keptVectors === job.vectors && s.keptWide === job.wide;
  if (job.keep && !same) return { code: TGEMV_ERR_BAD_KEEP, info: mode };
  return null;
}

/** Columns that the activation buffer holds when `slots` slots are used. */
export function mostCols(config: TgemvConfig, slots: number): number {
  return 5 * Math.floor(config.entries / slots);
}
