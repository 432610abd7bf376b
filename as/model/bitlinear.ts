/**
 * BitLinear (BitNet b1.58): quantised activations times ternary weights, then one rescaling. The engine is chosen here. What an engine prepares
 * from the activations (tables, sums, a coprocessor's buffer) is made once for all matrices that share them: Q, K, V, and gate, up.
 */
import { SCALE_ROWS } from "../../spec/image.ts";
import { ACT_MAX, ROW_SCALE_FRAC, SCALE_ONE } from "../../spec/numerics.ts";
import { PACK_TRITS_1, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { copro_products } from "../copro/products.ts";
import { ENGINE_SIMD, is_copro } from "../kernels/engine.ts";
import { ternary_ref } from "../kernels/ternary_ref.ts";
import { activation_stride } from "../memory/layout.ts";
import { PART_ACTIVATIONS, part, run } from "../memory/run_state.ts";
import { more, vector } from "./batch.ts";
import { config } from "./config.ts";
import { add_simd } from "./elementwise_simd.ts";
import { build_tables, on_tables, table_rows, tile } from "./lut_engine.ts";
import { add_sat, exponent, mant, mul_round_shift, Scale, scale, scale_mul } from "./numeric.ts";
import { simd_products } from "./simd_engine.ts";
import { cols_of, exponent_of, row_scales, rows_of, scale_kind_of, scale_word, Tensor } from "./weights.ts";

/**
 * W (rows, cols) @ q (cols,) -> acc (rows,) for up to three matrices of the same q, which stands in PART_ACTIVATIONS; for `n` vectors q where the build
 * takes several.
 * @param u,v null when there are fewer
 * @param acc_t,acc_u,acc_v i32 (n, stride), each at least padded_rows long
 */
export function products(
  t: Tensor,
  acc_t: usize,
  u: Tensor | null,
  acc_u: usize,
  v: Tensor | null,
  acc_v: usize,
  n: i32,
  stride: i32,
): void {
  if (ASC_FEATURE_SIMD) {
    if (run.engine == ENGINE_SIMD) {
      simd_products(t, acc_t, u, acc_u, v, acc_v, n, stride);
      return;
    }
  }
  if (isDefined(ASC_COPRO)) {
    if (is_copro(run.engine) && copro_products(t, acc_t, u, acc_u, v, acc_v, n, stride)) return;
  }
  const x = part(PART_ACTIVATIONS);
  const cols = cols_of(t);
  if (on_tables()) {
    const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
    let i = 0;
    do {
      const at = vector(0, i, (<usize>stride) << 2);
      for (let from = 0; from < groups; from += run.lut_groups) {
        const tables = tile(from, groups);
        build_tables(vector(x, i, (<usize>activation_stride()) << 1), cols, from, tables);
        table_rows(t.data, PACK_TRITS_1, rows_of(t), groups, from, tables, acc_t + at, ACT_MAX);
        if (u) table_rows(u.data, PACK_TRITS_1, rows_of(u), groups, from, tables, acc_u + at, ACT_MAX);
        if (v) table_rows(v.data, PACK_TRITS_1, rows_of(v), groups, from, tables, acc_v + at, ACT_MAX);
      }
    } while (more(++i, n));
    return;
  }
  ternary_ref(t.data, PACK_TRITS_1, rows_of(t), cols, x, acc_t);
  if (u) ternary_ref(u.data, PACK_TRITS_1, rows_of(u), cols, x, acc_u);
  if (v) ternary_ref(v.data, PACK_TRITS_1, rows_of(v), cols, x, acc_v);
}

/**
 * The scale of acc, whose activations have the scale sq. With row-wise weight scales acc changes too.
 * @param acc i32[rows]
 */
export function rescale(t: Tensor, acc: usize, sq: Scale): Scale {
  if (scale_kind_of(t) != SCALE_ROWS) return scale_mul(sq, scale_word(t));
  return rescale_rows(acc, rows_of(t), row_scales(t), exponent_of(t), sq);
}

/**
 * Brings rows of different scales to one.
 * @param acc i32[rows]
 * @param scales Scale[rows]
 * @param largest their largest exponent
 */
export function rescale_rows(acc: usize, rows: i32, scales: usize, largest: i32, sq: Scale): Scale {
  const end = acc + ((<usize>rows) << 2);
  for (; acc < end; acc += 4) {
    const s = load<u32>(scales);
    store<i32>(acc, mul_round_shift(load<i32>(acc), mant(s), ROW_SCALE_FRAC + largest - exponent(s)));
    scales += 4;
  }
  return scale_mul(sq, scale(SCALE_ONE, largest - 15 + ROW_SCALE_FRAC));
}

/** Adds the block vector y i32[dim] with scale s to the residual stream x. */
export function add_residual(x: usize, y: usize, s: Scale): void {
  const end = x + ((<usize>config.dim) << 2);
  const m = mant(s);
  const shift = -(exponent(s) + config.residual_frac);
  // Accumulators are small: nearly always the product fits a word.
  const small = shift > 0 && shift < 32;
  if (ASC_FEATURE_SIMD) {
    if (small) {
      const done = (<usize>add_simd(x, y, config.dim, <i32>m, shift)) << 2;
      x += done;
      y += done;
    }
  }
  for (; x < end; x += 4) {
    const v = load<i32>(y);
    let add: i32;
    if (small && <u32>v + 0x8000 < <u32>0x10000) add = (((v * <i32>m) >> (shift - 1)) + 1) >> 1;
    else add = mul_round_shift(v, m, shift);
    store<i32>(x, add_sat(load<i32>(x), add));
    y += 4;
  }
}
