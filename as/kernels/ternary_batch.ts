/**
 * The ternary product of 12 to 16 vectors at once (prompts), on the weights of A3 (ternary_tiles.ts): by tables, as on the devices, but with 16 sums in an
 * entry. Four columns have 81 sums of plus and minus their activations; an entry holds such a sum for each vector, 16 times i16, and a row adds one entry:
 * 64 multiply-adds by two loads and two additions, without a multiplication.
 *
 *     table of columns c, c+8, c+16, c+24    entry code(c) + 3 code(c+8) + 9 code(c+16) + 27 code(c+24), code = trit + 1
 *                                            81 * 32 bytes
 *
 * Columns are taken 32 at a time: 8 tables, 20 KiB, which stay in the first-level cache while all rows pass. A row tile brings 64 bytes for them, four loads
 * of 8 columns, whose fields are joined to indices. The sums of a row are kept in i16 for 8 passes (64 entries of at most 4 * 127: 32512), then added to
 * i32 ones. Exact for |x| <= 127.
 *
 * Building the tables costs as much as some 120 rows, so it wants many: BATCH_ROWS. Measured on Zen 4, Node 20, 16 vectors, 2B-4T shapes: 1.0 to 1.15 of
 * ggml's native TQ2_0 where ternary_pair.ts has 0.8 to 1.0. What limits it is that 64 bytes of each row tile are wanted at a time, too far apart for the
 * hardware to fetch ahead: hence the touch of the tile after next (+7 %), and indices made one tile early (+15 %). An index of two bits a trit, entries 256
 * apart, has no gain: the used ones crowd in half of the cache's sets.
 */
import { padded_cols, tile_bytes, TILE_ROWS } from "./ternary_tiles.ts";

/** Vectors in an entry. */
export const LANES = 16;
/** Vectors and rows from which this is faster than ternary_pair. */
export const BATCH_MIN = 12;
export const BATCH_ROWS = 512;
/** Rows that share tables; more are computed in equal parts. */
const ROWS_MAX = 4096;
/** Columns of a pass, and passes after which the i16 sums are added to the i32 ones. */
const PASS_COLS = 32;
const PASSES = 8;

const ENTRY: usize = 32;
/** How many row tiles further the weights are fetched. */
const TOUCH = 3;

const TABLE_BYTES: usize = 81 * ENTRY;
// The scratch: 8 tables | activations i16 (32, 16) | partial sums of two columns | twice u16[64] indices | masks | i16 (rows, 16) | i32 (rows, 16)
const COLUMNS: usize = 8 * TABLE_BYTES;
const PARTIAL: usize = COLUMNS + PASS_COLS * ENTRY;
const INDICES_BYTES: usize = 128;
const INDICES: usize = PARTIAL + 9 * ENTRY + 32;
const MASKS: usize = INDICES + 2 * INDICES_BYTES;
const SHORT: usize = MASKS + 64;
const LONG: usize = SHORT + ROWS_MAX * 2 * LANES;

export const BATCH_SCRATCH: i32 = <i32>LONG + ROWS_MAX * 4 * LANES;

/**
 * W (rows, cols) @ x (n, cols) -> acc (n, acc_stride), n <= 16
 * @param w row tiles
 * @param x i16 (n, padded cols), `x_bytes` apart, zeros in the padding
 * @param rows a multiple of 8
 * @param scratch BATCH_SCRATCH bytes, 64-byte aligned
 */
export function ternary_batch(
  w: usize,
  rows: i32,
  cols: i32,
  x: usize,
  x_bytes: usize,
  n: i32,
  acc: usize,
  acc_stride: i32,
  scratch: usize,
): void {
  const parts = (rows + ROWS_MAX - 1) / ROWS_MAX;
  const step = (rows / TILE_ROWS + parts - 1) / parts;
  for (let tile = 0; tile < rows / TILE_ROWS; tile += step) {
    const tiles = min(step, rows / TILE_ROWS - tile);
    some_rows(w + <usize>tile * tile_bytes(cols), tiles, cols, x, x_bytes, n, scratch);
    store_rows(scratch + LONG, tiles * TILE_ROWS, n, acc + ((<usize>(tile * TILE_ROWS)) << 2), acc_stride);
  }
}

/** Row tiles to i32 (rows, 16) at LONG. */
function some_rows(w: usize, tiles: i32, cols: i32, x: usize, x_bytes: usize, n: i32, scratch: usize): void {
  const rows = <usize>(tiles * TILE_ROWS);
  const stride = tile_bytes(cols);
  memory.fill(scratch + SHORT, 0, rows * 2 * LANES);
  memory.fill(scratch + LONG, 0, rows * 4 * LANES);
  const masks = scratch + MASKS;
  v128.store(masks, i8x16.splat(0x0f));
  v128.store(masks, i8x16.splat(<i8>0x80), 16);
  v128.store(masks, i8x16.splat(0x33), 32);
  const padded = padded_cols(cols);
  let passes = 0;
  for (let col = 0; col < padded; col += PASS_COLS) {
    gather(x + ((<usize>col) << 1), x_bytes, n, padded - col, scratch + COLUMNS);
    for (let table: usize = 0; table < 8; table++) {
      build(scratch + COLUMNS + table * ENTRY, scratch + PARTIAL, scratch + table * TABLE_BYTES);
    }
    // The indices of the next row tile are made while the entries of this one are on their way.
    const last = padded - col < PASS_COLS;
    let tile = w + ((<usize>col) << 1);
    let sums = scratch + SHORT;
    let now = scratch + INDICES;
    let next = now + INDICES_BYTES;
    let touched: u32 = 0;
    indices(tile, last, masks, now);
    for (let i = tiles; i > 0; i--) {
      if (i > 1) tile += stride;
      if (i > TOUCH) touched += load<u8>(tile + (TOUCH - 1) * stride);
      indices(tile, last, masks, next);
      look_up(scratch, now, sums);
      look_up(scratch, now + 32, sums + 2 * ENTRY);
      look_up(scratch, now + 64, sums + ENTRY);
      look_up(scratch, now + 96, sums + 3 * ENTRY);
      sums += TILE_ROWS * ENTRY;
      const other = now;
      now = next;
      next = other;
    }
    store<u32>(masks, touched, 48); // used, or it would not be read
    if (++passes == PASSES || col + PASS_COLS >= padded) {
      widen(scratch, rows);
      passes = 0;
    }
  }
}

/**
 * Activations of 32 columns with all vectors of a column together.
 * @param left columns that there are, a multiple of 16; the others are zero
 * @param out i16 (32, 16)
 */
function gather(x: usize, x_bytes: usize, n: i32, left: i32, out: usize): void {
  memory.fill(out, 0, PASS_COLS * ENTRY);
  const cols = min(left, PASS_COLS);
  for (let i = 0; i < n; i++) {
    let to = out + ((<usize>i) << 1);
    for (let col = 0; col < cols; col++) {
      store<i16>(to, load<i16>(x + ((<usize>col) << 1)));
      to += ENTRY;
    }
    x += x_bytes;
  }
}

/**
 * A table of four columns.
 * @param columns the first; the others are 8, 16 and 24 columns on
 * @param partial 9 entries: sums of the first two columns
 */
function build(columns: usize, partial: usize, table: usize): void {
  for (let half: usize = 0; half < ENTRY; half += 16) {
    const a = v128.load(columns + half);
    const b = v128.load(columns + half, 8 * ENTRY);
    let p = partial + half;
    let sum = i16x8.sub(i16x8.neg(a), b);
    for (let j = 0; j < 3; j++) {
      v128.store(p, sum);
      const one = i16x8.add(sum, a);
      v128.store(p, one, ENTRY);
      v128.store(p, i16x8.add(one, a), 2 * ENTRY);
      sum = i16x8.add(sum, b);
      p += 3 * ENTRY;
    }
  }
  const c = v128.load(columns, 16 * ENTRY);
  const c_o = v128.load(columns, 16 * ENTRY + 16);
  const d = v128.load(columns, 24 * ENTRY);
  const d_o = v128.load(columns, 24 * ENTRY + 16);
  let outer = i16x8.neg(d);
  let outer_o = i16x8.neg(d_o);
  for (let l: usize = 0; l < 3; l++) {
    let inner = i16x8.sub(outer, c);
    let inner_o = i16x8.sub(outer_o, c_o);
    for (let k: usize = 0; k < 3; k++) {
      const out = table + (l * 27 + k * 9) * ENTRY;
      for (let j: usize = 0; j < 3; j++) {
        const from = partial + j * (3 * ENTRY);
        const to = out + j * (3 * ENTRY);
        v128.store(to, i16x8.add(inner, v128.load(from)));
        v128.store(to, i16x8.add(inner_o, v128.load(from, 16)), 16);
        v128.store(to, i16x8.add(inner, v128.load(from, ENTRY)), ENTRY);
        v128.store(to, i16x8.add(inner_o, v128.load(from, ENTRY + 16)), ENTRY + 16);
        v128.store(to, i16x8.add(inner, v128.load(from, 2 * ENTRY)), 2 * ENTRY);
        v128.store(to, i16x8.add(inner_o, v128.load(from, 2 * ENTRY + 16)), 2 * ENTRY + 16);
      }
      inner = i16x8.add(inner, c);
      inner_o = i16x8.add(inner_o, c_o);
    }
    outer = i16x8.add(outer, d);
    outer_o = i16x8.add(outer_o, d_o);
  }
}

/**
 * Where the entries of 8 rows lie in the 8 tables: u16[64], byte offsets. Of four loads of 8 columns each, the low half of a byte comes from v and the
 * high half from u:
 *
 *     load t    byte 2c        row 0 | row 2 | row 1 | row 3    codes of column 8t + c, two bits each
 *               byte 2c + 1    row 4 | row 6 | row 5 | row 7
 *
 * Codes of loads 0 and 1, 2 and 3 are joined in halves of bytes, two fields at a time (code + 3 code' <= 8), then those two (<= 80).
 *
 * @param w 64 bytes of a row tile and one more
 * @param last only two loads are of this row tile: the other columns are beyond its end
 */
@inline
function indices(w: usize, last: bool, masks: usize, out: usize): void {
  const a = codes(w, masks);
  const b = codes(w + 16, masks);
  let c = a;
  let d = b;
  if (!last) {
    c = codes(w + 32, masks);
    d = codes(w + 48, masks);
  }
  const fields = v128.load(masks, 32);
  const low = v128.load(masks);
  const even = plus_times_3(v128.and(a, fields), v128.and(b, fields));
  const even_high = plus_times_3(v128.and(c, fields), v128.and(d, fields));
  const odd = plus_times_3(v128.and(i16x8.shr_u(a, 2), fields), v128.and(i16x8.shr_u(b, 2), fields));
  const odd_high = plus_times_3(v128.and(i16x8.shr_u(c, 2), fields), v128.and(i16x8.shr_u(d, 2), fields));
  offsets(plus_times_9(v128.and(even, low), v128.and(even_high, low)), out);
  offsets(plus_times_9(v128.and(odd, low), v128.and(odd_high, low)), out + 32);
  offsets(plus_times_9(v128.and(i16x8.shr_u(even, 4), low), v128.and(i16x8.shr_u(even_high, 4), low)), out + 64);
  offsets(plus_times_9(v128.and(i16x8.shr_u(odd, 4), low), v128.and(i16x8.shr_u(odd_high, 4), low)), out + 96);
}

/** The codes of 8 rows and 8 columns; the field at bit 14 of a lane holds trit - 1. */
@inline
function codes(w: usize, masks: usize): v128 {
  const all = v128.bitselect(v128.load(w), v128.load(w, 1), v128.load(masks));
  return v128.xor(all, v128.load(masks, 16));
}

@inline
function plus_times_3(a: v128, b: v128): v128 {
  return i8x16.add(a, i8x16.add(b, i8x16.add(b, b)));
}

@inline
function plus_times_9(a: v128, b: v128): v128 {
  return i8x16.add(a, i8x16.add(b, i16x8.shl(b, 3)));
}

/** Bytes 2c to out[c], bytes 2c + 1 to out[8 + c], times 32. */
@inline
function offsets(v: v128, out: usize): void {
  v128.store(out, i16x8.shr_u(i16x8.shl(v, 8), 3));
  v128.store(out, i16x8.shl(i16x8.shr_u(v, 8), 5), 16);
}

/**
 * Adds a row's 8 entries to its sums, and those of the row four further.
 * @param at their 16 indices
 * @param sums i16 (rows, 16), of the first of the two
 */
@inline
function look_up(scratch: usize, at: usize, sums: usize): void {
  row(scratch, at, sums);
  row(scratch, at + 16, sums + 4 * ENTRY);
}

@inline
function row(tables: usize, at: usize, sums: usize): void {
  let e = tables + <usize>load<u16>(at);
  let s = i16x8.add(v128.load(sums), v128.load(e));
  let o = i16x8.add(v128.load(sums, 16), v128.load(e, 16));
  e = tables + <usize>load<u16>(at, 2);
  s = i16x8.add(s, v128.load(e, TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 4);
  s = i16x8.add(s, v128.load(e, 2 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 2 * TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 6);
  s = i16x8.add(s, v128.load(e, 3 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 3 * TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 8);
  s = i16x8.add(s, v128.load(e, 4 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 4 * TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 10);
  s = i16x8.add(s, v128.load(e, 5 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 5 * TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 12);
  s = i16x8.add(s, v128.load(e, 6 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 6 * TABLE_BYTES + 16));
  e = tables + <usize>load<u16>(at, 14);
  s = i16x8.add(s, v128.load(e, 7 * TABLE_BYTES));
  o = i16x8.add(o, v128.load(e, 7 * TABLE_BYTES + 16));
  v128.store(sums, s);
  v128.store(sums, o, 16);
}

/** Adds the i16 sums to the i32 ones and clears them. */
function widen(scratch: usize, rows: usize): void {
  let p = scratch + SHORT;
  let q = scratch + LONG;
  const end = p + rows * ENTRY;
  for (; p < end; p += 16) {
    const v = v128.load(p);
    v128.store(p, i32x4.splat(0));
    v128.store(q, i32x4.add(v128.load(q), i32x4.extend_low_i16x8_s(v)));
    v128.store(q, i32x4.add(v128.load(q, 16), i32x4.extend_high_i16x8_s(v)), 16);
    q += 32;
  }
}

/** i32 (rows, 16) to acc (n, acc_stride), four rows at a time. */
function store_rows(sums: usize, rows: i32, n: i32, acc: usize, acc_stride: i32): void {
  for (let r = 0; r < rows; r += 4) {
    let to = acc + ((<usize>r) << 2);
    for (let i = 0; i < n; i++) {
      const p = sums + ((<usize>i) << 2);
      let v = v128.load32_splat(p);
      v = v128.load_lane<i32>(p, v, 1, 4 * LANES);
      v = v128.load_lane<i32>(p, v, 2, 8 * LANES);
      v = v128.load_lane<i32>(p, v, 3, 12 * LANES);
      v128.store(to, v);
      to += (<usize>acc_stride) << 2;
    }
    sums += 16 * LANES;
  }
}
