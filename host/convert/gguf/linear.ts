/** A linear layer or a matrix of a GGUF file: exact trits and their scale where it holds them, numbers where it holds numbers. */
import { TritkitError } from "../../errors.ts";
import { absmean } from "../absmean.ts";
import type { LinearSource, MatrixSource, OpenOptions } from "../model.ts";
import { oneIfEqual, rowScales } from "./block_scales.ts";
import { badGguf, unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { scaleName } from "./names.ts";
import { floatRows, i2sRows, type RowReader, type Rows, ropeRow, tritRows, unpermuted } from "./row_readers.ts";
import { isTernaryType, TYPE_I2_S, typeName } from "./types.ts";

export interface LinearPlace {
  /** "blk.3.attn_q". */
  readonly base: string;
  /** Which of the tensor's stacked matrices; undefined: it is one. */
  readonly expert?: number;
  /** Rows are in llama.cpp's order of RoPE pairs, heads of this many rows; 0: they are not. */
  readonly permutedHeadDim: number;
  /** Float weights are latent and may be rounded: the architecture is BitNet's. */
  readonly latent: boolean;
}

/** @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED, E_QUANTIZE, E_I2S_LAYOUT */
export async function openLinear(
  file: GgufFile,
  place: LinearPlace,
  options: OpenOptions,
  signal?: AbortSignal,
): Promise<LinearSource | MatrixSource> {
  const rows = rowsOf(file, `${place.base}.weight`, place.expert);
  const factor = await readFactor(file, place);
  const { type, name } = rows.tensor;
  if (type === TYPE_I2_S) {
    const scale = await readI2sScale(rows);
    return ternary(rows, place, i2sRows(rows, layoutOf(file, options)), scale * factor);
  }
  if (isTernaryType(type)) {
    const scales = await rowScales(rows, signal);
    if (scales) return ternary(rows, place, tritRows(rows), oneIfEqual(scales.map((scale) => scale * factor)));
    if (!options.float && options.quantize === undefined)
      throw unsupportedGguf(
        file.name,
        `has ${name} in ${typeName(type)} with different scales inside a row: it is not one ternary matrix`,
        "Round it with --quantize absmean, which costs quality.",
      );
  }
  const real = scaled(floatMatrix(rows, place), factor);
  if (options.float && !(place.latent && !isTernaryType(type))) return real;
  const linear = await absmean(real, signal);
  if (!place.latent && options.quantize === undefined && !linear.wasTernary)
    throw new TritkitError(
      "E_QUANTIZE",
      `${name} of ${file.name} holds ${typeName(type)} weights that are not ternary, and its architecture is not BitNet's.`,
      "Allow it with --quantize absmean; a model that was not trained for it will talk nonsense.",
    );
  return linear;
}

/** Embedding, head or router, of whatever type. */
export function openMatrix(file: GgufFile, name: string, options: OpenOptions): MatrixSource {
  const rows = rowsOf(file, name);
  const { cols, tensor } = rows;
  if (tensor.type !== TYPE_I2_S) return floatMatrix(rows, { permutedHeadDim: 0 });
  const trits = i2sRows(rows, layoutOf(file, options));
  return {
    rows: rows.rows,
    cols,
    async values(start, count) {
      const scale = await readI2sScale(rows);
      return Float32Array.from(await trits(start, count), (trit) => trit * scale);
    },
  };
}

/** @throws TritkitError E_SOURCE_FORMAT for a vector that is none */
export async function readVector(file: GgufFile, name: string): Promise<Float32Array> {
  const tensor = file.get(name);
  if (tensor.shape.length !== 1) throw badShape(file, name, "one dimension");
  const rows = { file, tensor, first: 0, rows: 1, cols: tensor.shape[0] };
  if (isTernaryType(tensor.type)) throw badGguf(file.name, `has ${name} in ${typeName(tensor.type)}`);
  return floatRows(rows)(0, 1);
}

function rowsOf(file: GgufFile, name: string, expert?: number): Rows {
  const tensor = file.get(name);
  const dimensions = expert === undefined ? 2 : 3;
  if (tensor.shape.length !== dimensions) throw badShape(file, name, `${dimensions} dimensions`);
  const [rows, cols] = tensor.shape.slice(-2);
  return { file, tensor, first: (expert ?? 0) * rows, rows, cols };
}

function badShape(file: GgufFile, name: string, wanted: string): TritkitError {
  return badGguf(file.name, `has ${name} in the shape (${file.get(name).shape.join(", ")}), it should have ${wanted}`);
}

function ternary(
  { rows, cols }: Rows,
  { permutedHeadDim }: LinearPlace,
  read: RowReader<Int8Array>,
  scale: number | Float64Array,
): LinearSource {
  if (permutedHeadDim === 0) return { rows, cols, scale, trits: read };
  return {
    rows,
    cols,
    scale: typeof scale === "number" ? scale : scale.map((_, row) => scale[ropeRow(row, permutedHeadDim)]),
    trits: unpermuted(read, cols, permutedHeadDim),
  };
}

function floatMatrix(rows: Rows, { permutedHeadDim }: Pick<LinearPlace, "permutedHeadDim">): MatrixSource {
  const read = floatRows(rows);
  return {
    rows: rows.rows,
    cols: rows.cols,
    values: permutedHeadDim === 0 ? read : unpermuted(read, rows.cols, permutedHeadDim),
  };
}

function scaled(matrix: MatrixSource, factor: number): MatrixSource {
  if (factor === 1) return matrix;
  return {
    ...matrix,
    values: async (start, count) => (await matrix.values(start, count)).map((value) => value * factor),
  };
}

/** llama.cpp multiplies a product with the tensor "scale" of its layer, when there is one. */
async function readFactor(file: GgufFile, { base, expert }: LinearPlace): Promise<number> {
  const name = scaleName(base);
  if (!file.has(name)) return 1;
  const factor = (await readVector(file, name))[expert ?? 0];
  if (!(factor > 0 && factor < Infinity)) throw badGguf(file.name, `has ${factor} in ${name}, which is no scale`);
  return factor;
}

async function readI2sScale({ file, tensor }: Rows): Promise<number> {
  const bytes = await file.bytes(tensor, tensor.count / 4, 4);
  const scale = new DataView(bytes.buffer).getFloat32(0, true);
  // An all-zero tensor has the scale 0.
  if (!(scale >= 0 && scale < Infinity)) throw badGguf(file.name, `has the scale ${scale} in ${tensor.name}`);
  return scale;
}

function layoutOf(file: GgufFile, { i2s }: OpenOptions) {
  if (i2s !== undefined) return i2s;
  throw new TritkitError(
    "E_I2S_LAYOUT",
    `${file.name} holds I2_S weights, whose order it does not tell.`,
    "Say --i2s x86 for Microsoft's published files and those of bitnet.cpp's converters, --i2s arm for what it quantised on an Arm machine.",
  );
}
