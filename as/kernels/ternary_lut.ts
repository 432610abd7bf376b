/**
 * The table kernel of PACKING.md: the packed byte is the index into a table of the 243 possible sums of its five activations.
 *
 *     table of a group:    9 rows (hi: trits 0, 1) x 28 u16 (lo: trits 2, 3, 4; the last is unused) = 504 bytes
 *     entry:               sum of trit * activation + LUT_BIAS, never negative, so two of them are made by one 32-bit addition
 *     per packed byte:     one byte load, one table load, one addition; no multiplication at all
 *
 * Source of the idea: T-MAC (arXiv 2407.00088), with additions in place of a tree of them. Measured through wasm2c (examples/train/HEAD.md): a plane
 * of 1024 x 128 weights takes 0.84 instructions a weight on Cortex-M3 and 1.58 cycles on M0+, an int8 multiply-add 4.3 and 9.4.
 */
import { LUT_BIAS, LUT_BYTES, PACK_STRIDE, TRITS_PER_BYTE } from "../../spec/packing.ts";

/** Bytes of a row of the table: 28 entries of 2 bytes. */
const ROW = PACK_STRIDE * 2;

/** Tables for x (count,), i16, |x| <= 4095: ceil(count / 5) of them. Activations beyond `count` are zeros. */
export function lut_build(x: usize, count: i32, table: usize): void {
  while (count >= TRITS_PER_BYTE) {
    build_group(load<i16>(x), load<i16>(x, 2), load<i16>(x, 4), load<i16>(x, 6), load<i16>(x, 8), table);
    x += 2 * TRITS_PER_BYTE;
    table += LUT_BYTES;
    count -= TRITS_PER_BYTE;
  }
  if (count > 0) {
    const x1 = count > 1 ? <i32>load<i16>(x, 2) : 0;
    const x2 = count > 2 ? <i32>load<i16>(x, 4) : 0;
    const x3 = count > 3 ? <i32>load<i16>(x, 6) : 0;
    build_group(load<i16>(x), x1, x2, x3, 0, table);
  }
}

function build_group(x0: i32, x1: i32, x2: i32, x3: i32, x4: i32, table: usize): void {
  // Row 0 (trits 0 and 1 are -1): three triples for each value of trit 2, straight: a loop would cost as much as what it does.
  let entry = LUT_BIAS - x0 - x1 - x2 - x3 - x4;
  build_triples(entry, x3, x4, table);
  entry += x2;
  build_triples(entry, x3, x4, table + 18);
  entry += x2;
  build_triples(entry, x3, x4, table + 36);
  store<u16>(table, LUT_BIAS, 54); // entry 27: no legal byte reads it

  // The other rows, two entries to a word: no half carries, because no entry is negative or beyond 65535. Words are stored in pairs,
  // which is one instruction on Thumb-2 (STRD) and two elsewhere.
  const d0 = x0 + (x0 << 16);
  const d1 = x1 + (x1 << 16);
  const end = table + ROW;
  let p = table;
  do {
    let a = load<i32>(p);
    let b = load<i32>(p, 4);
    build_pair(a + d1, b + d1, p + ROW);
    build_pair(a + d1 + d1, b + d1 + d1, p + 2 * ROW);
    a += d0;
    b += d0;
    build_pair(a, b, p + 3 * ROW);
    build_pair(a + d1, b + d1, p + 4 * ROW);
    build_pair(a + d1 + d1, b + d1 + d1, p + 5 * ROW);
    a += d0;
    b += d0;
    build_pair(a, b, p + 6 * ROW);
    build_pair(a + d1, b + d1, p + 7 * ROW);
    build_pair(a + d1 + d1, b + d1 + d1, p + 8 * ROW);
    p += 8;
  } while (p != end);
}

@inline
function build_pair(a: i32, b: i32, p: usize): void {
  store<u64>(p, ((<u64>(<u32>b)) << 32) | <u64>(<u32>a));
}

/** Nine entries: trits 3 and 4. */
@inline
function build_triples(entry: i32, x3: i32, x4: i32, p: usize): void {
  build_triple(entry, x4, p);
  entry += x3;
  build_triple(entry, x4, p + 6);
  build_triple(entry + x3, x4, p + 12);
}

@inline
function build_triple(entry: i32, x4: i32, p: usize): void {
  store<u16>(p, entry);
  entry += x4;
  store<u16>(p, entry, 2);
  store<u16>(p, entry + x4, 4);
}

/** The sum of the five products of packed byte `i` behind w. */
@inline
function entry_of(t: usize, w: usize, i: i32): i32 {
  return load<u16>(t + ((<usize>load<u8>(w + <usize>i)) << 1));
}

/**
 * The part of W (rows, cols) @ x that `tables` groups from group `from` contribute; to be called for all parts in any order that begins with from = 0.
 * @param w packed trit planes of the whole matrix; `groups` = ceil(cols / 5)
 * @param table their tables, made by lut_build
 * @param acc i32[rows rounded up to a multiple of 4], 8-byte aligned: written when from = 0, added to otherwise
 */
export function lut_rows(
  w: usize,
  trits: i32,
  rows: i32,
  groups: i32,
  from: i32,
  tables: i32,
  table: usize,
  acc: usize,
): void {
  const acc_end = acc + ((<usize>((rows + 3) & ~3)) << 2);
  if (from == 0) {
    for (let a = acc; a < acc_end; a += 16) {
      store<u64>(a, 0);
      store<u64>(a, 0, 8);
    }
  }
  const plane_bytes = (<usize>groups) << 2;
  const bytes = (<usize>tables) << 2;
  const next = <usize>trits * plane_bytes - bytes;
  const bias = -(tables * LUT_BIAS);
  // The least significant plane is the last of a block. Two calls, because binaryen would make one part of this function.
  w += ((<usize>from) << 2) + <usize>(trits - 1) * plane_bytes;
  lut_plane(w, next, table, bytes, bias, 1, acc, acc_end);
  let place = 1;
  while (--trits > 0) {
    w -= plane_bytes;
    place *= 3;
    lut_plane(w, next, table, bytes, bias, place, acc, acc_end);
  }
}

/** u32: LUT_BYTES where no compiler sees it. As a constant Cortex-M0+ adds it in two steps, from a register in one: 27.3 cycles a group, 26.3. */
const table_stride: usize = memory.data<u32>([LUT_BYTES]);

/**
 * Adds the entries that the bytes of one plane name, times the plane's place value, to acc. A function of its own, because then its inner loop has
 * the registers for itself: eight on Cortex-M0+, where gcc keeps the rest on the stack. Rows start from the bias and meet acc behind the loop, so
 * that one pointer is enough in it. Not unrolled by hand: binaryen would gather the terms of each sum, and Cortex-M0+ has no registers
 * for that; gcc unrolls it (scripts/firmware/build.mjs). Four rows of 26 groups take 763 cycles there (the measured
 * total over its blocks), 702 of them in the inner loop; 796 with a function for each four rows.
 * @param w the plane's packed bytes of the first four rows: `bytes` of them, four for each table
 * @param next from behind them to those of the next four rows
 * @param acc,acc_end i32, a multiple of four
 */
function lut_plane(
  w: usize,
  next: usize,
  table: usize,
  bytes: usize,
  bias: i32,
  place: i32,
  acc: usize,
  acc_end: usize,
): void {
  const stride = load<u32>(table_stride);
  for (; acc < acc_end; acc += 16) {
    let a0 = bias;
    let a1 = bias;
    let a2 = bias;
    let a3 = bias;
    const end = w + bytes;
    let t = table;
    do {
      a0 += entry_of(t, w, 0);
      a1 += entry_of(t, w, 1);
      a2 += entry_of(t, w, 2);
      a3 += entry_of(t, w, 3);
      w += 4;
      t += stride;
    } while (w != end);
    add(acc, a0 * place);
    add(acc + 4, a1 * place);
    add(acc + 8, a2 * place);
    add(acc + 12, a3 * place);
    w += next;
  }
}

@inline
function add(at: usize, v: i32): void {
  store<i32>(at, load<i32>(at) + v);
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,), in tiles of `tile` groups of columns.
 * @param x i16[cols], |x| <= 4095
 * @param table room for `tile` tables of LUT_BYTES, 4-byte aligned; 8 readable bytes follow it (an illegal packed byte reads there)
 * @param acc i32[rows rounded up to a multiple of 4]
 */
export function ternary_lut(
  w: usize,
  trits: i32,
  rows: i32,
  cols: i32,
  x: usize,
  acc: usize,
  table: usize,
  tile: i32,
): void {
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  for (let from = 0; from < groups; from += tile) {
    const tables = min(tile, groups - from);
    const first = from * TRITS_PER_BYTE;
    lut_build(x + ((<usize>first) << 1), min(tables * TRITS_PER_BYTE, cols - first), table);
    lut_rows(w, trits, rows, groups, from, tables, table, acc);
  }
}
