/** A tensor of a GGUF file as rows and columns, and as numbers. */

import { TritkitError } from "../../errors.ts";
import type { MatrixSource, OpenOptions } from "../model.ts";
import { badGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { floatRows, i2sRows, type Rows, unpermuted } from "./row_readers.ts";
import { isTernaryType, TYPE_I2_S, typeName } from "./types.ts";

/**
 * @param expert which of the stacked matrices; undefined: the tensor is one
 * @throws TritkitError E_SOURCE_FORMAT
 */
export function rowsOf(file: GgufFile, name: string, expert?: number): Rows {
  const tensor = file.get(name);
  const dimensions = expert === undefined ? 2 : 3;
  if (tensor.shape.length !== dimensions) throw badShape(file, name, `${dimensions} dimensions`);
  const [rows, cols] = tensor.shape.slice(-2);
  return { file, tensor, first: (expert ?? 0) * rows, rows, cols };
}

/** Embedding, head or router, of whatever type. */
export function openMatrix(file: GgufFile, name: string, options: OpenOptions): MatrixSource {
  const rows = rowsOf(file, name);
  if (rows.tensor.type !== TYPE_I2_S) return floatMatrix(rows, 0);
  const trits = i2sRows(rows, i2sLayout(file, options));
  return {
    rows: rows.rows,
    cols: rows.cols,
    async values(start, count) {
      const scale = await readI2sScale(rows);
      return Float32Array.from(await trits(start, count), (trit) => trit * scale);
    },
  };
}

/** @param permutedHeadDim rows of a head in llama.cpp's order of RoPE pairs, 0: they are not */
export function floatMatrix(rows: Rows, permutedHeadDim: number): MatrixSource {
  const read = floatRows(rows);
  return {
    rows: rows.rows,
    cols: rows.cols,
    values: permutedHeadDim === 0 ? read : unpermuted(read, rows.cols, permutedHeadDim),
  };
}

/** @throws TritkitError E_SOURCE_FORMAT for a vector that is none */
export async function readVector(file: GgufFile, name: string): Promise<Float32Array> {
  const tensor = file.get(name);
  if (tensor.shape.length !== 1) throw badShape(file, name, "one dimension");
  if (isTernaryType(tensor.type)) throw badGguf(file.name, `has ${name} in ${typeName(tensor.type)}`);
  return floatRows({ file, tensor, first: 0, rows: 1, cols: tensor.shape[0] })(0, 1);
}

/** @throws TritkitError E_SOURCE_FORMAT */
export async function readI2sScale({ file, tensor }: Rows): Promise<number> {
  const bytes = await file.bytes(tensor, tensor.count / 4, 4);
  const scale = new DataView(bytes.buffer).getFloat32(0, true);
  // A tensor of zeros has the scale 0.
  if (!(scale >= 0 && scale < Infinity)) throw badGguf(file.name, `has the scale ${scale} in ${tensor.name}`);
  return scale;
}

/** @throws TritkitError E_I2S_LAYOUT when nobody has said it */
export function i2sLayout(file: GgufFile, { i2s }: OpenOptions): "x86" | "arm" {
  if (i2s !== undefined) return i2s;
  throw new TritkitError(
    "E_I2S_LAYOUT",
    `${file.name} holds I2_S weights, in an order that no file tells.`,
    "Say --i2s x86 for Microsoft's published files and those of bitnet.cpp's converters, --i2s arm for what was quantised on an Arm machine.",
  );
}

function badShape(file: GgufFile, name: string, wanted: string): TritkitError {
  return badGguf(file.name, `has ${name} in the shape (${file.get(name).shape.join(", ")}), it should have ${wanted}`);
}
