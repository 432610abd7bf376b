/**
 * What an image holds, as a source for the float engine: its trits times their scales, its integers times their rows', its gains, RoPE of its
 * table. The difference to the integer engine is then the arithmetic alone.
 */
import { ACTIVATION_SILU, TAB_ROPE_INC } from "../../spec/image.ts";
import { ROWS_PER_BLOCK } from "../../spec/packing.ts";
import type { LinearSource, MatrixSource, ModelConfig, ModelSource } from "../convert/model.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import type { ImageConfig } from "../image/config.ts";
import type { Image } from "../image/reader.ts";
import { scaleValue } from "../image/scale.ts";
import type { Tensor } from "../image/section.ts";
import { packedBytes } from "../image/sizes.ts";
import { rowScale } from "../image/tensor.ts";
import type { PackedLinear } from "./weights.ts";

export function imageSource(image: Image): ModelSource {
  return {
    name: image.header.name,
    config: { ...modelConfig(image.config), ropeFrequencies: ropeFrequencies(image.tables, image.config.headDim) },
    tokenizer: image.tokenizer,
    chat: image.chat,
    assistant: image.assistant && { ...image.assistant, beside: null },
    meta: {},
    dropped: [],
    notes: [],
    // An image is made for integers: every linear layer rounds its input (spec/NUMERICS.md, BitLinear).
    fakeQuant: true,
    linear: (kind, layer, at) => linear(image, image.tensor(kind, layer, at?.expert)),
    matrix: (kind, layer = 0) => matrix(image, image.tensor(kind, layer)),
    gain: (kind, layer, expert) => gain(image.tensor(kind, layer, expert)),
    close: async () => {},
  };
}

function modelConfig(config: ImageConfig): ModelConfig {
  return {
    ...config,
    activation: config.activation === ACTIVATION_SILU ? "silu" : "relu2",
    weights: config.weights === 0 ? "ternary" : "binary",
    ropeTheta: scaleValue(config.ropeTheta),
    normEps: scaleValue(config.normEps),
  };
}

/** rope_inc: turns per position times 2^32. */
function ropeFrequencies(tables: Uint8Array, headDim: number): Float64Array {
  const view = new DataView(tables.buffer, tables.byteOffset + TAB_ROPE_INC, headDim * 2);
  return Float64Array.from({ length: headDim / 2 }, (_, j) => (view.getUint32(j * 4, true) / 2 ** 32) * 2 * Math.PI);
}

function linear(image: Image, tensor: Tensor): LinearSource {
  const { rows, cols } = tensor;
  const source: PackedLinear = {
    rows,
    cols,
    scale: tensor.rowScales.length > 0 ? scales(tensor) : scaleValue(tensor.scale),
    packedRows: (start, count) => packedRows(image, tensor, start, count),
    trits: (start, count) => rowsOf(image, tensor, start, count),
  };
  return source;
}

function matrix(image: Image, tensor: Tensor): MatrixSource {
  const { rows, cols } = tensor;
  const scale = scales(tensor);
  return {
    rows,
    cols,
    values(start, count) {
      const values = Float32Array.from(rowsOf(image, tensor, start, count));
      for (let i = 0; i < values.length; i++) values[i] *= scale[start + Math.floor(i / cols)];
      return values;
    },
  };
}

/** (count, cols) integers. Packed rows lie in blocks of four. */
function rowsOf(image: Image, tensor: Tensor, start: number, count: number): Int8Array {
  const { rows, cols, packing } = tensor;
  const first = start - (start % ROWS_PER_BLOCK);
  const end = Math.min(rows, Math.ceil((start + count) / ROWS_PER_BLOCK) * ROWS_PER_BLOCK);
  const integers = unpackRows(packing, packedRows(image, tensor, first, end - first), end - first, cols);
  return integers.subarray((start - first) * cols, (start - first + count) * cols);
}

function packedRows({ source }: Image, tensor: Tensor, start: number, count: number): Uint8Array {
  const { packing, offset, cols } = tensor;
  return source.read(offset + packedBytes(packing, start, cols), packedBytes(packing, count, cols));
}

function scales(tensor: Tensor): Float64Array {
  return Float64Array.from({ length: tensor.rows }, (_, row) => scaleValue(rowScale(tensor, row)));
}

function gain(tensor: Tensor): Float32Array {
  return Float32Array.from(unpackGains(tensor.data), (value) => value * 2 ** tensor.scale.e);
}
