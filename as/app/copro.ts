/** The coprocessor at boot: tried on the case that kernels of the board's own are tried on (native.ts). And the model, brought to where it streams from. */
import { HAL_ABSENT, INFO_PSRAM_BASE, INFO_PSRAM_BYTES } from "../../spec/hal.ts";
import { ACT_MAX, HEAD_ACT_MAX_WIDE } from "../../spec/numerics.ts";
import { LUT_BYTES } from "../../spec/packing.ts";
import { chain_add, chain_begin, chain_run } from "../copro/chain.ts";
import { copro_find, copro_judge, copro_slots, copro_vectors } from "../copro/unit.ts";
import { board_info } from "../hal.ts";
import { ternary_lut } from "../kernels/ternary_lut.ts";
import { run } from "../memory/run_state.ts";
import { COLS, number, put_codes, ROWS, same, TRITS, WEIGHTS_BYTES } from "./native.ts";

/** Tables of the module's kernel that the comparison holds at a time, and room for sums of a vector, which end on a whole block. */
const TILE = 4;
const TABLES_BYTES: usize = TILE * LUT_BYTES + 8;
const SUMS = (ROWS + 3) & ~3;

/** Finds the unit and compares. To be called at boot, when the arena holds the app's parts and no model. */
export function copro_init(): void {
  if (!copro_find()) return;
  const scratch = <usize>((run.base + run.needed + 7) & ~7);
  const sums = <usize>(4 * SUMS * copro_slots());
  const bytes = WEIGHTS_BYTES + <usize>(2 * COLS * copro_slots()) + TABLES_BYTES + 2 * sums;
  copro_judge(scratch + bytes <= run.end && agrees(scratch, sums));
}

/** One and three planes, narrow and wide activations, with all vectors that the unit serves at a time. */
function agrees(w: usize, sums: usize): bool {
  put_codes(w);
  for (let i = 0; i < 4; i++) if (!planes_agree(w, i < 2 ? 1 : TRITS, (i & 1) != 0, sums)) return false;
  return true;
}

function planes_agree(w: usize, trits: i32, wide: bool, sums: usize): bool {
  const x = w + WEIGHTS_BYTES;
  const vectors = copro_vectors(COLS, wide);
  const table = x + <usize>(2 * COLS * copro_slots());
  const mine = table + TABLES_BYTES;
  const theirs = mine + sums;
  for (let i = 0; i < vectors * COLS; i++) {
    store<i16>(x + ((<usize>i) << 1), number(wide ? HEAD_ACT_MAX_WIDE : ACT_MAX));
  }
  chain_begin(x, COLS, COLS, vectors, SUMS, wide);
  chain_add(w, trits, ROWS, theirs);
  // A unit of one slot takes no wide vector of any matrix.
  if (vectors == 0) return wide && copro_slots() == 1;
  if (!chain_run()) return false;
  for (let i = 0; i < vectors; i++) {
    const at = (<usize>(i * SUMS)) << 2;
    ternary_lut(w, trits, ROWS, COLS, x + <usize>(2 * COLS * i), mine + at, table, TILE);
    if (!same(mine + at, theirs + at, 4 * ROWS)) return false;
  }
  return true;
}

/** The image, copied to PSRAM where the board has some and it fits. */
export function in_psram(image: usize, bytes: u32): usize {
  const base = board_info(INFO_PSRAM_BASE, 0);
  if (base == HAL_ABSENT || bytes > <u32>board_info(INFO_PSRAM_BYTES, 0)) return image;
  memory.copy(<usize>base, image, bytes);
  return <usize>base;
}
