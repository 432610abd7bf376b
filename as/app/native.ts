/**
 * Whether the board's own kernels (HAL.md, "Kernels") are used: they are when they exist and give, on a small fixed case, every byte that the
 * module's own give. The case has all 243 packed codes, the largest activations of both signs, parts with an odd number of groups, a last group
 * that is not full, single and three planes. It takes some milliseconds at boot, on boards that have such kernels only. A coprocessor is held to the
 * same case (copro.ts).
 */
import { ACT_MAX, HEAD_ACT_MAX_WIDE, KV_MAX, Q_MAX } from "../../spec/numerics.ts";
import { LUT_BYTES, PACK_ILLEGAL_REMAINDER, PACK_MAX, PACK_STRIDE, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { attend_keys, attend_values, gemv_rows, gemv_tables } from "../hal.ts";
import { ENGINE_LUT, ENGINE_NATIVE } from "../kernels/engine.ts";
import { columns_int8_pair, rows_int8_pair } from "../kernels/pair_int8.ts";
import { lut_build, lut_rows } from "../kernels/ternary_lut.ts";
import { run } from "../memory/run_state.ts";

/** The board has none. */
export const NATIVE_ABSENT: u32 = 0;
export const NATIVE_USED: u32 = 1;
/** It has, and they differ from the module's, or there was no room to find out: not used. */
export const NATIVE_REFUSED: u32 = 2;

@unmanaged
class Native {
  state: u32;
  /** State of the generator of the case's numbers. */
  random: u32;
}

const native = changetype<Native>(memory.data(offsetof<Native>()));

export function native_state(): u32 {
  return native.state;
}

/** The engine that models run on. */
export function native_engine(): i32 {
  return native.state == NATIVE_USED ? ENGINE_NATIVE : ENGINE_LUT;
}

export const ROWS = 10;
export const COLS = 68;
export const GROUPS = (COLS + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
const TILE = 9;
export const TRITS = 3;
const POSITIONS = 5;
const HEAD_DIM = 28;

// What the case takes, bytes, each a multiple of 8: weights, activations, then twice (the board's, the module's) tables, accumulators, sums.
export const WEIGHTS_BYTES: usize = (((ROWS + 3) >> 2) * TRITS * GROUPS) << 2;
const X_BYTES: usize = 2 * COLS;
const TABLES_BYTES: usize = TILE * LUT_BYTES + 8;
const ACC_BYTES: usize = 16 * HEAD_DIM;
const ALL_BYTES: usize = WEIGHTS_BYTES + X_BYTES + 2 * (TABLES_BYTES + ACC_BYTES);

/** Compares. To be called at boot, when the arena holds the app's parts and no model. */
export function native_init(): void {
  const scratch = <usize>((run.base + run.needed + 7) & ~7);
  const room = scratch + ALL_BYTES <= run.end;
  native.state = NATIVE_ABSENT;
  if (gemv_tables(scratch, 0, scratch) != 0) return;
  native.random = 1;
  native.state = room && agrees(scratch) ? NATIVE_USED : NATIVE_REFUSED;
}

function agrees(w: usize): bool {
  const x = w + WEIGHTS_BYTES;
  const mine = x + X_BYTES;
  const theirs = mine + TABLES_BYTES + ACC_BYTES;
  put_codes(w);
  for (let i = 0; i < 4; i++) {
    const wide = (i & 1) != 0;
    if (!rows_agree(w, i < 2 ? 1 : TRITS, x, wide ? HEAD_ACT_MAX_WIDE : ACT_MAX, mine, theirs)) return false;
  }
  return heads_agree(w, x, mine, theirs);
}

/** All legal bytes, again and again. */
export function put_codes(w: usize): void {
  let code = 0;
  for (let i: usize = 0; i < WEIGHTS_BYTES; i++) {
    store<u8>(w + i, code);
    code = code == PACK_MAX ? 0 : code + 1;
    if (code % PACK_STRIDE == PACK_ILLEGAL_REMAINDER) code++;
  }
}

function rows_agree(w: usize, trits: i32, x: usize, act_max: i32, mine: usize, theirs: usize): bool {
  for (let i = 0; i < COLS; i++) store<i16>(x + ((<usize>i) << 1), number(act_max));
  const acc = mine + TABLES_BYTES;
  const their_acc = theirs + TABLES_BYTES;
  for (let from = 0; from < GROUPS; from += TILE) {
    const tables = min(TILE, GROUPS - from);
    const first = from * TRITS_PER_BYTE;
    const part = x + ((<usize>first) << 1);
    const count = min(tables * TRITS_PER_BYTE, COLS - first);
    lut_build(part, count, mine);
    if (gemv_tables(part, count, theirs) != 0 || !same(mine, theirs, tables * LUT_BYTES)) return false;
    lut_rows(w, trits, ROWS, GROUPS, from, tables, mine, acc);
    if (gemv_rows(w, trits, ROWS, GROUPS, from, tables, theirs, their_acc, act_max) != 0) return false;
  }
  return same(acc, their_acc, 4 * ROWS);
}

/** A prompt's worth of keys and values. The weights are as good bytes as any. */
function heads_agree(w: usize, x: usize, mine: usize, theirs: usize): bool {
  for (let i = 0; i < POSITIONS * HEAD_DIM; i++) store<i8>(w + <usize>i, number(KV_MAX));
  for (let i = 0; i < 2 * HEAD_DIM; i++) store<i16>(x + ((<usize>i) << 1), number(Q_MAX));
  const second = x + 2 * HEAD_DIM;
  rows_int8_pair(w, POSITIONS, HEAD_DIM, x, second, mine);
  if (attend_keys(w, POSITIONS, HEAD_DIM, x, second, theirs) != 0 || !same(mine, theirs, 8 * POSITIONS)) return false;
  for (let i = 0; i < 2 * POSITIONS; i++) store<i32>(x + ((<usize>i) << 2), number(0x7fff) & 0x7fff);
  columns_int8_pair(w, POSITIONS, HEAD_DIM, x, mine);
  return attend_values(w, POSITIONS, HEAD_DIM, x, theirs) == 0 && same(mine, theirs, 16 * HEAD_DIM);
}

/** Up to +-max: an end in half of all cases, else something between (Numerical Recipes' generator). */
export function number(max: i32): i32 {
  native.random = native.random * 1664525 + 1013904223;
  const r = native.random >> 8;
  if ((r & 3) == 0) return max;
  if ((r & 3) == 1) return -max;
  return <i32>((r >> 2) % <u32>(2 * max + 1)) - max;
}

export function same(a: usize, b: usize, bytes: i32): bool {
  for (let i: usize = 0; i < <usize>bytes; i += 4) if (load<u32>(a + i) != load<u32>(b + i)) return false;
  return true;
}
