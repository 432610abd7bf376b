/**
 * What the deployer may leave open, decided from the weights.
 *
 * - packing of embedding and head, `auto`: the fewest trits (2..5) on whose grid the rows lie already (models trained with that quantiser), int8 for rows on an
 *   int8 grid; other weights get 4 trits: +0.0006 nats after training for 6.4 bits a weight, in trits that the table kernel and the coprocessor take.
 * - residual_frac: 16, which holds +-32767. An embedding of which no value reaches 2^-6 would use less than 10 of these 16 bits; it gets as many more
 *   as bring its largest value to 2^10 units, at most 24 in all.
 * - head_act_max: 4095 wherever the head's sums stay within 32 bits (dim <= 4128), else 127.
 */
import { ACT_MAX, HEAD_ACT_MAX_WIDE, RESIDUAL_FRAC_DEFAULT, RESIDUAL_FRAC_MAX } from "../../spec/numerics.ts";
import { PACK_INT4, PACK_INT8, PACK_TRITS_2, PACK_TRITS_3, PACK_TRITS_4, PACK_TRITS_5 } from "../../spec/packing.ts";
import { EXIT_USAGE, TritkitError, throwIfAborted } from "../errors.ts";
import { WIDE_HEAD_COLS } from "../image/config.ts";
import { exponentOf } from "../image/scale.ts";
import { levelsOf, packingName } from "../image/sizes.ts";
import type { MatrixSource } from "./model.ts";
import { quantiseRow } from "./quantise_rows.ts";
import { chunkRows } from "./weight_scan.ts";

/** `t3` is three trit planes. */
export type EmbedPacking = "auto" | "int8" | "int4" | "t2" | "t3" | "t4" | "t5";

/** Packing codes; 0 for what is decided from the weights. */
export const EMBED_PACKINGS: Readonly<Record<EmbedPacking, number>> = {
  auto: 0,
  int8: PACK_INT8,
  int4: PACK_INT4,
  t2: PACK_TRITS_2,
  t3: PACK_TRITS_3,
  t4: PACK_TRITS_4,
  t5: PACK_TRITS_5,
};

/** The grids that are tried, the smallest first. */
const GRIDS = [PACK_TRITS_2, PACK_TRITS_3, PACK_TRITS_4, PACK_TRITS_5, PACK_INT8];

/** Root mean square error, as a share of the weights', below which rows lie on a grid: what rounding to bf16 leaves. */
const ON_GRID = 2 ** -9;
const SAMPLED_ROWS = 512;
/** Embeddings below 2^-6 get more fraction bits than the default: 16 - 6 = 10 bits are wanted of the largest. */
const EMBED_BITS = 10;

/** @returns packing code, and why when `auto` chose it */
export async function choosePacking(
  wanted: EmbedPacking,
  matrix: MatrixSource,
): Promise<{ packing: number; why: string }> {
  if (!Object.hasOwn(EMBED_PACKINGS, wanted))
    throw new TritkitError(
      "E_OPTION",
      `${wanted} is no packing of embeddings.`,
      `Use ${Object.keys(EMBED_PACKINGS).join(", ")}.`,
      EXIT_USAGE,
    );
  if (wanted !== "auto") return { packing: EMBED_PACKINGS[wanted], why: "" };
  const rows = await sampleRows(matrix);
  for (const packing of GRIDS)
    if (relativeError(rows, packing) <= ON_GRID)
      return { packing, why: `its weights lie on a grid of ${packingName(packing)}` };
  return { packing: PACK_TRITS_4, why: "4 trits cost +0.0006 nats after training (measured on a 1M model)" };
}

async function sampleRows(matrix: MatrixSource): Promise<Float32Array[]> {
  const count = Math.min(SAMPLED_ROWS, matrix.rows);
  const rows: Float32Array[] = [];
  for (let i = 0; i < count; i++) rows.push(await matrix.values(Math.floor((i * matrix.rows) / count), 1));
  return rows;
}

function relativeError(rows: readonly Float32Array[], packing: number): number {
  let error = 0;
  let energy = 0;
  for (const row of rows) {
    const quantised = quantiseRow(row, levelsOf(packing), new Int8Array(row.length));
    error += quantised.error;
    energy += quantised.energy;
  }
  return energy > 0 ? Math.sqrt(error / energy) : 0;
}

/**
 * @param onRead gets the number of values of each chunk
 * @returns the largest |value|
 * @throws TritkitError E_SOURCE_FORMAT for a value that is no number
 */
export async function largestValue(
  name: string,
  matrix: MatrixSource,
  signal?: AbortSignal,
  onRead?: (values: number) => void,
): Promise<number> {
  let largest = 0;
  for (let start = 0; start < matrix.rows; start += chunkRows(matrix.cols)) {
    throwIfAborted(signal);
    const values = await matrix.values(start, Math.min(chunkRows(matrix.cols), matrix.rows - start));
    let sum = 0;
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i]);
      sum += size;
      if (size > largest) largest = size;
    }
    // A sum of float32 in float64 is no number only when one of them is none.
    if (!Number.isFinite(sum))
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${name} holds a value that is no number.`,
        "Download the model again.",
      );
    onRead?.(values.length);
  }
  return largest;
}

/** @param largest largest |value| of the embedding */
export function chooseResidualFrac(largest: number): number {
  if (largest === 0) return RESIDUAL_FRAC_DEFAULT;
  return Math.min(RESIDUAL_FRAC_MAX, Math.max(RESIDUAL_FRAC_DEFAULT, EMBED_BITS - exponentOf(largest)));
}

export function chooseHeadActMax(dim: number): number {
  return dim <= WIDE_HEAD_COLS ? HEAD_ACT_MAX_WIDE : ACT_MAX;
}
