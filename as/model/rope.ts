/** Rotary position embedding (RoFormer, arXiv 2104.09864), "rotate half", with the image's quarter-wave table. */
import { TAB_ROPE_INC, TAB_SINE } from "../../spec/image.ts";

const QUARTER: u32 = 1 << 30;

/** sin(2 pi phase / 2^32) * 32767. */
export function sin15(tables: usize, phase: u32): i32 {
  const quadrant = phase >> 30;
  let p = phase & (QUARTER - 1);
  if ((quadrant & 1) != 0) p = QUARTER - p;
  const entry = tables + TAB_SINE + ((<usize>(p >> 20)) << 1);
  let value = <i32>load<i16>(entry);
  if (p < QUARTER) {
    const fraction = <i32>((p >> 4) & 0xffff);
    value += ((<i32>load<i16>(entry, 2) - value) * fraction + 32768) >> 16;
  }
  return quadrant >= 2 ? -value : value;
}

/**
 * cos15 and sin15 of every pair at a position.
 * @param rotation i16 (head_dim / 2, 2)
 */
export function rope_angles(tables: usize, head_dim: i32, position: u32, rotation: usize): void {
  const pairs = head_dim >> 1;
  for (let j = 0; j < pairs; j++) {
    const phase = position * load<u32>(tables + TAB_ROPE_INC + ((<usize>j) << 2));
    store<i16>(rotation, sin15(tables, phase + QUARTER));
    store<i16>(rotation, sin15(tables, phase), 2);
    rotation += 4;
  }
}

/**
 * Rotates a head vector y i32[head_dim], |y| <= 2^15, in place: pairs (j, j + head_dim/2). Its scale's exponent shrinks by 15.
 * @param rotation made by rope_angles
 */
export function rope_rotate(y: usize, head_dim: i32, rotation: usize): void {
  const half = (<usize>head_dim) << 1;
  const end = y + half;
  for (; y < end; y += 4) {
    const c = <i32>load<i16>(rotation);
    const s = <i32>load<i16>(rotation, 2);
    const a = load<i32>(y);
    const b = load<i32>(y + half);
    store<i32>(y, a * c - b * s);
    store<i32>(y + half, b * c + a * s);
    rotation += 4;
  }
}
