/**
 * A synthetic model as our image, by the converter's own writer. Only the packing of the ternary matrices goes a shorter way: a code is an index into the 243 legal
 * bytes already (spec/PACKING.md), so nothing has to be unpacked first.
 */
import { chooseHeadActMax, chooseResidualFrac } from "../../../host/convert/choices.ts";
import { type SectionPlan, writeImage } from "../../../host/convert/image_writer.ts";
import type { ModelSource } from "../../../host/convert/index.ts";
import { planSections } from "../../../host/convert/plan.ts";
import { FileSink } from "../../../host/convert/sinks.ts";
import { tensorSlots } from "../../../host/image/layout.ts";
import { scaleOf } from "../../../host/image/scale.ts";
import { PACK_INT8, PACK_STRIDE, PACK_ZERO, ROWS_PER_BLOCK } from "../../../spec/packing.ts";
import type { Progress } from "./gguf.ts";
import { configOf, type SyntheticShape, shapeName } from "./shape.ts";
import { syntheticTokenizer } from "./tokenizer.ts";
import {
  CODE_DIGITS,
  CODES,
  codesPerRow,
  EMBED_STEP,
  embedRow,
  gains,
  linearScale,
  rowCodes,
  TRITS_PER_CODE,
} from "./weights.ts";

/** Blocks of 4 rows are written this many at a time. */
const BLOCKS = 256;

/** Codes and our bytes differ in their gaps only: 28 * (trits 0, 1) + (trits 2, 3, 4). */
const BYTE_OF_CODE = Uint8Array.from({ length: CODES }, (_, code) => PACK_STRIDE * Math.floor(code / 27) + (code % 27));

export function syntheticModel(shape: SyntheticShape): ModelSource {
  const { seed } = shape;
  const config = configOf(shape);
  const slots = new Map(tensorSlots(config).map((slot) => [`${slot.kind} ${slot.layer}`, slot]));
  const slotOf = (kind: number, layer: number) => {
    const slot = slots.get(`${kind} ${layer}`);
    if (!slot) throw new RangeError(`the architecture has no tensor ${kind} in layer ${layer}`);
    return slot;
  };
  return {
    name: shapeName(shape),
    config,
    tokenizer: syntheticTokenizer(shape),
    chat: null,
    meta: { source: "synthetic: random weights for benchmarks", seed },
    dropped: [],
    notes: [],
    fakeQuant: true,
    linear(kind, layer) {
      const { rows, cols } = slotOf(kind, layer);
      return {
        rows,
        cols,
        scale: linearScale(cols),
        trits: (start, count) => tritRows(seed, kind, layer, start, count, cols),
      };
    },
    matrix(kind) {
      const { rows, cols } = slotOf(kind, 0);
      return {
        rows,
        cols,
        values(start, count) {
          const row = new Int8Array(cols);
          const values = new Float32Array(count * cols);
          for (let i = 0; i < count; i++) {
            embedRow(seed, kind, start + i, row);
            for (let col = 0; col < cols; col++) values[i * cols + col] = row[col] * EMBED_STEP;
          }
          return values;
        },
      };
    },
    gain: (kind, layer) => gains(seed, kind, layer, slotOf(kind, layer).cols),
    async close() {},
  };
}

/** (count, cols) trits. */
export function tritRows(
  seed: number,
  kind: number,
  layer: number,
  start: number,
  count: number,
  cols: number,
): Int8Array {
  const trits = new Int8Array(count * cols);
  const codes = new Uint8Array(codesPerRow(cols));
  for (let row = 0; row < count; row++) {
    rowCodes(seed, kind, layer, start + row, codes);
    for (let col = 0; col < cols; col++) {
      const code = codes[Math.floor(col / TRITS_PER_CODE)];
      trits[row * cols + col] = CODE_DIGITS[code * TRITS_PER_CODE + (col % TRITS_PER_CODE)] - 1;
    }
  }
  return trits;
}

export async function writeSyntheticImage(
  shape: SyntheticShape,
  path: string,
  onProgress: Progress = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const model = syntheticModel(shape);
  const plans = await planSections(model, {
    context: 0,
    headActMax: chooseHeadActMax(shape.dim),
    residualFrac: chooseResidualFrac(1),
    assistant: null,
    packing: () => PACK_INT8,
    signal,
  });
  const slots = new Map(tensorSlots(model.config).map((slot) => [`${slot.kind} ${slot.layer}`, slot]));
  const short = plans.map((plan) => {
    const role = slots.get(`${plan.kind} ${plan.layer}`)?.role;
    if (role === "linear") return packedPlan(plan, shape.seed);
    return role === "rows" ? int8Plan(plan, shape.seed) : plan;
  });
  const sink = await FileSink.create(path);
  try {
    await writeImage(sink, short, {
      name: model.name,
      board: "",
      signal,
      // The digests are a second pass over the same bytes.
      onProgress: ({ phase, bytes, total }) => onProgress(phase === "write" ? bytes / 2 : (total + bytes) / 2, total),
    });
    await sink.finish();
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

function packedPlan(plan: SectionPlan, seed: number): SectionPlan {
  const { kind, layer, rows, cols } = plan;
  return {
    ...plan,
    async produce(write) {
      const groups = codesPerRow(cols);
      const codes = new Uint8Array(groups);
      for (let start = 0; start < rows; start += BLOCKS * ROWS_PER_BLOCK) {
        const end = Math.min(rows, start + BLOCKS * ROWS_PER_BLOCK);
        const blocks = Math.ceil((end - start) / ROWS_PER_BLOCK);
        const out = new Uint8Array(blocks * ROWS_PER_BLOCK * groups).fill(PACK_ZERO);
        for (let row = start; row < end; row++) {
          rowCodes(seed, kind, layer, row, codes);
          codes[groups - 1] = onlyFirst(codes[groups - 1], cols - (groups - 1) * TRITS_PER_CODE);
          let at = Math.floor((row - start) / ROWS_PER_BLOCK) * groups * ROWS_PER_BLOCK + (row % ROWS_PER_BLOCK);
          for (let group = 0; group < groups; group++) {
            out[at] = BYTE_OF_CODE[codes[group]];
            at += ROWS_PER_BLOCK;
          }
        }
        await write(out);
      }
      return { scale: scaleOf(linearScale(cols)) };
    },
  };
}

/** The code with zeros in place of all trits but the first `kept`. */
function onlyFirst(code: number, kept: number): number {
  let result = 0;
  for (let i = 0; i < TRITS_PER_CODE; i++)
    result = result * 3 + (i < kept ? CODE_DIGITS[code * TRITS_PER_CODE + i] : 1);
  return result;
}

function int8Plan(plan: SectionPlan, seed: number): SectionPlan {
  const { kind, rows, cols } = plan;
  return {
    ...plan,
    async produce(write) {
      for (let start = 0; start < rows; start += BLOCKS) {
        const count = Math.min(BLOCKS, rows - start);
        const out = new Int8Array(count * cols);
        for (let row = 0; row < count; row++)
          embedRow(seed, kind, start + row, out.subarray(row * cols, (row + 1) * cols));
        await write(new Uint8Array(out.buffer));
      }
      return { rows: Array.from({ length: rows }, () => scaleOf(EMBED_STEP)) };
    },
  };
}
