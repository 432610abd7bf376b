/** Opens the tiny models of gguf_model.ts as GGUF files, changed as a test wants them. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { openGguf } from "../convert/gguf/open_gguf.ts";
import { TYPE_F32, TYPE_I2_S, TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import {
  isTernary,
  type LinearSource,
  type MatrixSource,
  type ModelSource,
  type OpenOptions,
} from "../convert/model.ts";
import { encodeFloats, encodeTrits } from "./gguf_encode.ts";
import { type GgufOptions, SHAPE, type Tiny, tinyGguf, tinyModel } from "./gguf_model.ts";
import type { Field, WrittenTensor } from "./gguf_writer.ts";

export const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-open-"));
after(() => rm(folder, { recursive: true }));
export const bitnet = tinyModel();
export const llama = tinyModel({ subNorm: false, tied: false, activation: "silu" });
const { dim, hidden } = SHAPE;

export async function opened(
  gguf: Partial<GgufOptions>,
  options: OpenOptions = {},
  model?: Tiny,
): Promise<ModelSource> {
  const path = join(folder, "model.gguf");
  const tiny = model ?? (gguf.architecture === "llama" ? llama : bitnet);
  await writeFile(path, tinyGguf(tiny, { type: TYPE_TQ2_0, ...gguf }));
  return openGguf(path, options);
}

export async function using<T>(source: ModelSource, use: (source: ModelSource) => T | Promise<T>): Promise<T> {
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

export async function ternaryOf(source: ModelSource, kind: number, layer = 0): Promise<LinearSource> {
  const linear = await source.linear(kind, layer);
  assert.ok(isTernary(linear));
  return linear;
}

export async function valuesOf(
  linear: LinearSource | MatrixSource,
  start = 0,
  count = linear.rows,
): Promise<Float64Array> {
  if (!isTernary(linear)) return Float64Array.from(await linear.values(start, count));
  const trits = await linear.trits(start, count);
  return Float64Array.from(trits, (trit, i) => {
    const row = start + Math.floor(i / linear.cols);
    return trit * (typeof linear.scale === "number" ? linear.scale : linear.scale[row]);
  });
}

export const f32 = (name: string, values: ArrayLike<number>, ne = [values.length]): Record<string, WrittenTensor> => ({
  [name]: { name, type: TYPE_F32, ne, bytes: encodeFloats(TYPE_F32, Float32Array.from(values)) },
});
export const field = (key: string, type: Field[1], value: unknown): Record<string, Field> => ({
  [key]: [key, type, value],
});

/** ffn_down of layer 0 in TQ2_0 with a scale for every block. */
export function downWith(
  scales: (row: number, block: number) => number,
  trits?: Int8Array,
): Record<string, WrittenTensor> {
  const name = "blk.0.ffn_down.weight";
  const linear = bitnet.linears.get("0 ffn_down");
  assert.ok(linear);
  const across = hidden / 256;
  return {
    [name]: {
      name,
      type: TYPE_TQ2_0,
      ne: [hidden, dim],
      bytes: encodeTrits(TYPE_TQ2_0, trits ?? linear.trits, 1, {
        scales: (block) => scales(Math.floor(block / across), block % across),
      }),
    },
  };
}

/** And in I2_S with a scale. */
export const i2sScale = (scale: number) => {
  const linear = bitnet.linears.get("0 ffn_down");
  const name = "blk.0.ffn_down.weight";
  const bytes = encodeTrits(TYPE_I2_S, linear?.trits ?? new Int8Array(0), scale);
  return { [name]: { name, type: TYPE_I2_S, ne: [hidden, dim], bytes } };
};
