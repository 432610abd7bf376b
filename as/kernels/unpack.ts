/** A row of trit planes as integers. Digits are taken off by subtraction: Cortex-M0+ has no division. */
import { PACK_STRIDE, ROWS_PER_BLOCK, TRITS_PER_BYTE } from "../../spec/packing.ts";

/** Values of the first four trits of a byte, as digits 0..2: byte = 84 t0 + 28 t1 + 9 t2 + 3 t3 + t4. */
const PLACE_0 = 3 * PACK_STRIDE;
const PLACE_1 = PACK_STRIDE;
const PLACE_2 = 9;
const PLACE_3 = 3;

/**
 * Row `row` of W (rows, cols) in `trits` planes.
 * @param out i8[cols]
 */
export function unpack_trits_row(w: usize, trits: i32, cols: i32, row: i32, out: usize): void {
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  const plane_bytes = <usize>groups * ROWS_PER_BLOCK;
  w += <usize>(row >> 2) * <usize>trits * plane_bytes + <usize>(row & 3);
  for (; cols > 0; cols -= TRITS_PER_BYTE) {
    let w0 = 0;
    let w1 = 0;
    let w2 = 0;
    let w3 = 0;
    let w4 = 0;
    let p = w;
    for (let plane = 0; plane < trits; plane++) {
      let rest = <i32>load<u8>(p);
      w0 = w0 * 3 - 1;
      w1 = w1 * 3 - 1;
      w2 = w2 * 3 - 1;
      w3 = w3 * 3 - 1;
      for (; rest >= PLACE_0; rest -= PLACE_0) w0++;
      for (; rest >= PLACE_1; rest -= PLACE_1) w1++;
      for (; rest >= PLACE_2; rest -= PLACE_2) w2++;
      for (; rest >= PLACE_3; rest -= PLACE_3) w3++;
      w4 = w4 * 3 - 1 + rest;
      p += plane_bytes;
    }
    store<i8>(out, w0);
    if (cols > 1) store<i8>(out, w1, 1);
    if (cols > 2) store<i8>(out, w2, 2);
    if (cols > 3) store<i8>(out, w3, 3);
    if (cols > 4) store<i8>(out, w4, 4);
    out += TRITS_PER_BYTE;
    w += ROWS_PER_BLOCK;
  }
}
