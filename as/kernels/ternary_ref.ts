/**
 * The ternary product as PACKING.md defines it: every trit decoded, every product added. Slow, plain, and kept for ever: each
 * faster kernel is compared with this one, bit for bit.
 *
 *     byte = 28*hi + lo     hi = (t0+1)*3 + (t1+1)     lo = (t2+1)*9 + (t3+1)*3 + (t4+1)
 *     offset(row, plane k, group) = (((row >> 2) * trits + (trits - 1 - k)) * groups + group) * 4 + (row & 3)
 */
import { PACK_STRIDE, TRITS_PER_BYTE } from "../../spec/packing.ts";

/** Trit `i` (0..4, the lowest column first) of a legal packed byte: -1, 0 or 1. */
export function trit_of(byte: u32, i: i32): i32 {
  const hi = byte / PACK_STRIDE;
  const lo = byte % PACK_STRIDE;
  if (i == 0) return <i32>(hi / 3) - 1;
  if (i == 1) return <i32>(hi % 3) - 1;
  if (i == 2) return <i32>(lo / 9) - 1;
  if (i == 3) return <i32>((lo / 3) % 3) - 1;
  return <i32>(lo % 3) - 1;
}

/** Weight (row, col) of a matrix of trit planes: sum of p_k * 3^k. `trits` = 1: the trit itself. */
export function trits_weight(w: usize, trits: i32, cols: i32, row: i32, col: i32): i32 {
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  const group = col / TRITS_PER_BYTE;
  let weight = 0;
  for (let plane = 0; plane < trits; plane++) {
    const offset = (((row >> 2) * trits + plane) * groups + group) * 4 + (row & 3);
    weight = weight * 3 + trit_of(load<u8>(w + offset), col - group * TRITS_PER_BYTE);
  }
  return weight;
}

/**
 * W (rows, cols) @ x (cols,) -> acc (rows,)
 * @param w packed trit planes; `trits` planes, 1..5
 * @param x i16[cols]
 * @param acc i32[rows], exact as long as the sum of |w x| of a row stays below 2^31
 */
export function ternary_ref(w: usize, trits: i32, rows: i32, cols: i32, x: usize, acc: usize): void {
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let col = 0; col < cols; col++) {
      sum += trits_weight(w, trits, cols, row, col) * load<i16>(x + ((<usize>col) << 1));
    }
    store<i32>(acc + ((<usize>row) << 2), sum);
  }
}
