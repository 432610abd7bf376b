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
  // Row 0 (trits 0 and 1 are -1), entry by entry: three triples for each value of trit 2.
  let entry = LUT_BIAS - x0 - x1 - x2 - x3 - x4;
  let p = table;
  for (let i = 0; i < 3; i++) {
    let triple = entry;
    for (let j = 0; j < 3; j++) {
      store<u16>(p, triple);
      store<u16>(p, triple + x4, 2);
      store<u16>(p, triple + x4 + x4, 4);
      p += 6;
      triple += x3;
    }
    entry += x2;
  }
  store<u16>(p, LUT_BIAS); // entry 27: no legal byte reads it

  // The other rows, two entries at a time: no half carries, because no entry is negative or beyond 65535.
  const d0 = x0 + (x0 << 16);
  const d1 = x1 + (x1 << 16);
  const end = table + ROW;
  for (p = table; p < end; p += 4) {
    let pair = load<i32>(p);
    store<i32>(p, pair + d1, ROW);
    store<i32>(p, pair + d1 + d1, 2 * ROW);
    pair += d0;
    store<i32>(p, pair, 3 * ROW);
    store<i32>(p, pair + d1, 4 * ROW);
    store<i32>(p, pair + d1 + d1, 5 * ROW);
    pair += d0;
    store<i32>(p, pair, 6 * ROW);
    store<i32>(p, pair + d1, 7 * ROW);
    store<i32>(p, pair + d1 + d1, 8 * ROW);
  }
}

/**
 * The part of W (rows, cols) @ x that `tables` groups from group `from` contribute.
 * @param w packed trit planes of the whole matrix; `groups` = ceil(cols / 5)
 * @param table their tables, made by lut_build
 * @param acc i32[rows rounded up to a multiple of 4]: written when from = 0, added to otherwise
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
  const bias = tables * LUT_BIAS;
  const skip = (<usize>(groups - tables)) << 2; // to the same tile of the next plane
  const end = table + <usize>(tables * LUT_BYTES);
  const acc_end = acc + ((<usize>((rows + 3) & ~3)) << 2);
  w += (<usize>from) << 2;
  for (; acc < acc_end; acc += 16) {
    let h0 = 0;
    let h1 = 0;
    let h2 = 0;
    let h3 = 0;
    // Horner over the planes of a block, the most significant first.
    for (let plane = 0; plane < trits; plane++) {
      let a0 = h0 + h0 + h0 - bias;
      let a1 = h1 + h1 + h1 - bias;
      let a2 = h2 + h2 + h2 - bias;
      let a3 = h3 + h3 + h3 - bias;
      for (let t = table; t != end; t += LUT_BYTES) {
        a0 += load<u16>(t + ((<usize>load<u8>(w)) << 1));
        a1 += load<u16>(t + ((<usize>load<u8>(w, 1)) << 1));
        a2 += load<u16>(t + ((<usize>load<u8>(w, 2)) << 1));
        a3 += load<u16>(t + ((<usize>load<u8>(w, 3)) << 1));
        w += 4;
      }
      h0 = a0;
      h1 = a1;
      h2 = a2;
      h3 = a3;
      w += skip;
    }
    if (from > 0) {
      h0 += load<i32>(acc);
      h1 += load<i32>(acc, 4);
      h2 += load<i32>(acc, 8);
      h3 += load<i32>(acc, 12);
    }
    store<i32>(acc, h0);
    store<i32>(acc, h1, 4);
    store<i32>(acc, h2, 8);
    store<i32>(acc, h3, 12);
  }
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
