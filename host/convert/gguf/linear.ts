/** Weights of the linear layers of a GGUF file: exact trits and their scales where it holds them, numbers where it holds numbers. */
import { KIND_ATTN_K, KIND_ATTN_O, KIND_ATTN_Q } from "../../../spec/image.ts";
import { EXIT_USAGE, TritkitError, throwIfAborted } from "../../errors.ts";
import { absmeanLinear, signLinear, ternaryLinear } from "../absmean.ts";
import { givesColumns, leadingLevel, scaleRows, TAKES_COLUMNS_OF, upFactors, valueFactors } from "../column_scales.ts";
import {
  isTernary,
  type LinearAt,
  type LinearSource,
  type MatrixSource,
  type ModelConfig,
  type OpenOptions,
} from "../model.ts";
import { oneLevel, scanWeights, type WeightScan } from "../weight_scan.ts";
import { blockLevels, type Levels } from "./block_scales.ts";
import type { Architecture } from "./config.ts";
import { badGguf, printable, unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { scaleName, tensorBase } from "./names.ts";
import { i2sRows, type RowReader, type Rows, ropeRow, tritRows, unpermuted } from "./row_readers.ts";
import { floatMatrix, i2sLayout, readI2sScale, readVector, rowsOf } from "./tensor_rows.ts";
import { isTernaryType, TYPE_I2_S, typeName } from "./types.ts";

/** A layer's weights and where they lie. */
interface Place {
  readonly kind: number;
  readonly layer: number;
  readonly expert?: number;
  readonly rows: Rows;
  /** Rows of a head in llama.cpp's order of RoPE pairs; 0: they are not. */
  readonly permutedHeadDim: number;
}

export class GgufLinears {
  private readonly file: GgufFile;
  private readonly architecture: Architecture;
  private readonly config: ModelConfig;
  private readonly options: OpenOptions;
  /** By tensor and expert: o and down are asked for by v and up too. */
  private readonly scans = new Map<string, Promise<WeightScan>>();
  private readonly levels = new Map<string, Promise<Levels>>();

  constructor(file: GgufFile, architecture: Architecture, config: ModelConfig, options: OpenOptions) {
    this.file = file;
    this.architecture = architecture;
    this.config = config;
    this.options = options;
  }

  /** @throws TritkitError E_SOURCE_FORMAT, E_UNSUPPORTED, E_QUANTIZE, E_I2S_LAYOUT */
  async open(kind: number, layer: number, { expert, signal }: LinearAt = {}): Promise<LinearSource | MatrixSource> {
    throwIfAborted(signal);
    const place = this.place(kind, layer, expert);
    const found = isTernaryType(place.rows.tensor.type)
      ? await this.openTernary(place, signal)
      : await this.openFloat(place, signal);
    const factors = await this.rowFactors(place, signal);
    if (!factors) return found;
    return isTernary(found) ? scaleRows(found, factors) : scaleMatrix(found, factors);
  }

  private async openTernary(place: Place, signal?: AbortSignal): Promise<LinearSource | MatrixSource> {
    const { rows, kind } = place;
    const { type, name } = rows.tensor;
    if (this.options.quantize === "sign")
      throw new TritkitError(
        "E_OPTION",
        `${name} holds trits, which --quantize sign does not make binary.`,
        "Leave it out.",
        EXIT_USAGE,
      );
    if (type === TYPE_I2_S)
      return ordered(place, i2sRows(rows, i2sLayout(this.file, this.options)), await readI2sScale(rows));
    const { rowLevels, columnLevels } = await this.levelsOf(place, signal);
    if (rowLevels) return ordered(place, tritRows(rows), oneLevel(rowLevels));
    if (columnLevels && givesColumns(kind)) return ordered(place, tritRows(rows), leadingLevel(columnLevels));
    const real = floatMatrix(rows, place.permutedHeadDim);
    if (this.options.float) return real;
    if (this.options.quantize === "absmean") return absmeanLinear(real, await this.scan(place, signal));
    throw unsupportedGguf(
      this.file.name,
      `has ${name} in ${typeName(type)} with different scales inside a row: it is not one ternary matrix`,
      "Round it with --quantize absmean, which costs quality.",
    );
  }

  private async openFloat(place: Place, signal?: AbortSignal): Promise<LinearSource | MatrixSource> {
    const { rows, kind, permutedHeadDim } = place;
    const { quantize, float } = this.options;
    const real = floatMatrix(rows, permutedHeadDim);
    if (float && !this.architecture.bitnet) return real;
    const scan = await this.scan(place, signal);
    if (quantize === "sign") return signLinear(real, scan);
    if (scan.rowLevels) return ternaryLinear(real, oneLevel(scan.rowLevels));
    if (this.architecture.bitnet) return absmeanLinear(real, scan);
    if (scan.columnLevels && givesColumns(kind)) return ternaryLinear(real, leadingLevel(scan.columnLevels));
    if (quantize === "absmean") return absmeanLinear(real, scan);
    throw new TritkitError(
      "E_QUANTIZE",
      `${printable(this.file.name)} has ${rows.tensor.name} in ${typeName(rows.tensor.type)} with weights that are not ternary, in an architecture that is not BitNet's.`,
      "Allow it with --quantize absmean; a model that was not trained for it will talk nonsense. `tritkit run --engine float` runs it as it is.",
    );
  }

  /** What the rows are multiplied with: llama.cpp's "scale" of the layer, and the scales that the columns of o or down have. */
  private async rowFactors(place: Place, signal?: AbortSignal): Promise<Float64Array | null> {
    const columns = await this.columnFactors(place, signal);
    const name = scaleName(this.base(place));
    if (!this.file.has(name)) return columns;
    const { count } = this.file.get(name);
    if (count !== 1 && count !== this.config.nExperts)
      throw badGguf(this.file.name, `has ${count} values in ${name}, where one is meant`);
    const factor = (await readVector(this.file, name))[count === 1 ? 0 : (place.expert ?? 0)];
    if (!(factor > 0 && factor < Infinity))
      throw badGguf(this.file.name, `has ${factor} in ${name}, which is no scale`);
    return (columns ?? new Float64Array(place.rows.rows).fill(1)).map((column) => column * factor);
  }

  private async columnFactors(place: Place, signal?: AbortSignal): Promise<Float64Array | null> {
    const giver = TAKES_COLUMNS_OF.get(place.kind);
    const { quantize, float } = this.options;
    if (giver === undefined || quantize === "sign") return null;
    const from = this.place(giver, place.layer, place.expert);
    const { type, name } = from.rows.tensor;
    if (type === TYPE_I2_S || (!isTernaryType(type) && (this.architecture.bitnet || float))) return null;
    const levels = isTernaryType(type) ? await this.levelsOf(from, signal) : await this.scan(from, signal);
    if (levels.rowLevels || !levels.columnLevels) return null;
    return giver === KIND_ATTN_O
      ? valueFactors(name, levels.columnLevels, this.config)
      : upFactors(levels.columnLevels);
  }

  private levelsOf({ rows }: Place, signal?: AbortSignal): Promise<Levels> {
    const key = `${rows.tensor.name} ${rows.first}`;
    const known = this.levels.get(key) ?? blockLevels(rows, signal);
    this.levels.set(key, known);
    return known;
  }

  private scan({ rows, permutedHeadDim }: Place, signal?: AbortSignal): Promise<WeightScan> {
    const key = `${rows.tensor.name} ${rows.first}`;
    const known = this.scans.get(key) ?? scanWeights(rows.tensor.name, floatMatrix(rows, permutedHeadDim), signal);
    this.scans.set(key, known);
    return known;
  }

  private place(kind: number, layer: number, expert: number | undefined): Place {
    const isRotated = kind === KIND_ATTN_Q || kind === KIND_ATTN_K;
    return {
      ...{ kind, layer, expert },
      rows: rowsOf(this.file, `${this.base({ kind, layer })}.weight`, expert),
      permutedHeadDim: this.architecture.permuted && isRotated ? this.config.headDim : 0,
    };
  }

  private base({ kind, layer }: Pick<Place, "kind" | "layer">): string {
    return tensorBase(kind, layer, this.config.nExperts > 0);
  }
}

/** In the model's order of rows. */
function ordered(
  { rows: { rows, cols }, permutedHeadDim }: Place,
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

function scaleMatrix(matrix: MatrixSource, factors: Float64Array): MatrixSource {
  return {
    ...matrix,
    async values(start, count) {
      const values = await matrix.values(start, count);
      return values.map((value, i) => value * factors[start + Math.floor(i / matrix.cols)]);
    },
  };
}
