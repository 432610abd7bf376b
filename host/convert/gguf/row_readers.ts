/** Rows of a tensor in a GGUF file -> trits or numbers, read in ranges, in the order of our images. */
import { badGguf } from "./errors.ts";
import type { GgufFile, GgufTensor } from "./file.ts";
import { decodeFloats } from "./float_blocks.ts";
import { decodeI2s, type I2sLayout, i2sBlock } from "./i2s_blocks.ts";
import { BLOCK_WEIGHTS, blockScales, decodeTrits } from "./ternary_blocks.ts";
import { blockType, TYPE_I2_S } from "./types.ts";

/** @returns (count, cols) values of the rows from `start` */
export type RowReader<T> = (start: number, count: number) => Promise<T>;

/** Rows of a matrix that lie together in a tensor: all of it, or one expert's. */
export interface Rows {
  readonly file: GgufFile;
  readonly tensor: GgufTensor;
  /** First row in the tensor. */
  readonly first: number;
  readonly rows: number;
  readonly cols: number;
}

/** The bytes of some rows; not for I2_S, whose rows may share a block. */
export async function readBlocks({ file, tensor, first, cols }: Rows, start: number, count: number) {
  const block = blockType(tensor.type);
  const rowBytes = block ? (cols / block.weights) * block.bytes : 0;
  return file.bytes(tensor, (first + start) * rowBytes, count * rowBytes);
}

export function floatRows(rows: Rows): RowReader<Float32Array> {
  return async (start, count) =>
    decodeFloats(rows.tensor.type, await readBlocks(rows, start, count), count * rows.cols);
}

/** Of TQ1_0 or TQ2_0. */
export function tritRows(rows: Rows): RowReader<Int8Array> {
  const { type } = rows.tensor;
  return async (start, count) => {
    const bytes = await readBlocks(rows, start, count);
    const trits = new Int8Array(count * rows.cols);
    if (!decodeTrits(type, bytes, trits)) throw noTrit(rows);
    // A block of scale 0 is zero, whatever its codes are.
    for (const [block, scale] of blockScales(type, bytes).entries())
      if (scale === 0) trits.fill(0, block * BLOCK_WEIGHTS, (block + 1) * BLOCK_WEIGHTS);
    return trits;
  };
}

/** Blocks run through the tensor without regard to its rows. */
export function i2sRows(rows: Rows, layout: I2sLayout): RowReader<Int8Array> {
  const { file, tensor, first, cols } = rows;
  const block = i2sBlock(layout);
  if (tensor.type !== TYPE_I2_S || tensor.count % block !== 0)
    throw badGguf(file.name, `has ${tensor.name} in ${tensor.count} weights, which are no blocks of I2_S`);
  return async (start, count) => {
    const from = (first + start) * cols;
    const blockStart = Math.floor(from / block) * block;
    const blockEnd = Math.ceil((from + count * cols) / block) * block;
    const bytes = await file.bytes(tensor, blockStart / 4, (blockEnd - blockStart) / 4);
    const trits = decodeI2s(bytes, layout).subarray(from - blockStart, from - blockStart + count * cols);
    if (trits.includes(2)) throw noTrit(rows);
    return trits;
  };
}

function noTrit({ file, tensor }: Rows) {
  return badGguf(file.name, `has the code 3 in ${tensor.name}, which is no trit`);
}

/**
 * RoPE turns pairs of a head's values. Our images and most architectures of llama.cpp pair value j with j + head_dim / 2 (its type "neox"); its
 * architecture `llama` pairs 2j with 2j + 1 (type "norm"), and its converters lay the rows of Q and K out accordingly (conversion/llama.py, permute):
 *
 *     row h * head_dim + 2 j + p of the file  =  row h * head_dim + p * head_dim / 2 + j of the model          p = 0, 1
 *
 * @returns the reader of the model's rows
 */
export function unpermuted<T extends Int8Array | Float32Array>(
  read: RowReader<T>,
  cols: number,
  headDim: number,
): RowReader<T> {
  return async (start, count) => {
    // Rows of a range come from all over their heads: whole heads are read.
    const from = Math.floor(start / headDim) * headDim;
    const end = Math.ceil((start + count) / headDim) * headDim;
    const file = await read(from, end - from);
    const out = file.slice(0, count * cols) as T;
    for (let row = 0; row < count; row++) {
      const at = ropeRow(start + row, headDim) - from;
      out.set(file.subarray(at * cols, (at + 1) * cols), row * cols);
    }
    return out;
  };
}

/** The row of the file that is `row` of the model. */
export function ropeRow(row: number, headDim: number): number {
  const inHead = row % headDim;
  const half = headDim / 2;
  return row - inHead + 2 * (inHead % half) + Math.floor(inHead / half);
}
