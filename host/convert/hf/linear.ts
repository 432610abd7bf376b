/**
 * Weights of the linear layers of a Hugging Face directory: packed, latent, floats that are ternary already, or floats to be rounded.
 *
 *     packed weight   U8 (out/4, in); bits 2i..2i+1 of byte row r hold trit + 1 of output row i*(out/4) + r; weight_scale (1)
 *     latent weight   F32, F16 or BF16 (out, in): absmean at load for BitNet checkpoints, on request for others
 */
import { KIND_ATTN_O } from "../../../spec/image.ts";
import { EXIT_USAGE, TritkitError, throwIfAborted } from "../../errors.ts";
import { absmeanLinear, signLinear, ternaryLinear } from "../absmean.ts";
import { givesColumns, leadingLevel, scaleRows, TAKES_COLUMNS_OF, upFactors, valueFactors } from "../column_scales.ts";
import type { LinearAt, LinearSource, MatrixSource, OpenOptions } from "../model.ts";
import { oneLevel, scanWeights, type WeightScan } from "../weight_scan.ts";
import type { FamilyConfig, HfFamily, ScaleMeaning, TensorPlace, WeightRule } from "./family.ts";
import type { TensorInfo } from "./safetensors.ts";
import type { HfTensors } from "./tensors.ts";

const PACKED_ROWS = 4;

export class HfLinears {
  private readonly tensors: HfTensors;
  private readonly family: HfFamily;
  private readonly shape: FamilyConfig;
  private readonly rule: WeightRule;
  private readonly options: OpenOptions;
  /** By tensor: fused ones are asked for several times, o and down by v and up too. */
  private readonly scans = new Map<string, Promise<WeightScan>>();

  constructor(tensors: HfTensors, family: HfFamily, shape: FamilyConfig, rule: WeightRule, options: OpenOptions) {
    this.tensors = tensors;
    this.family = family;
    this.shape = shape;
    this.rule = rule;
    this.options = options;
  }

  /** @throws TritkitError E_QUANTIZE for float weights that nobody allowed to round, E_SOURCE_FORMAT, E_UNSUPPORTED */
  async open(kind: number, layer: number, at: LinearAt = {}): Promise<LinearSource | MatrixSource> {
    const { signal, expert } = at;
    throwIfAborted(signal);
    const place = this.placeOf(kind, layer, expert);
    const info = this.tensors.info(this.tensors.nameOf(place));
    if (info.dtype === "U8") {
      if (this.options.quantize === "sign")
        throw new TritkitError(
          "E_OPTION",
          `${info.name} holds packed trits, which --quantize sign does not make binary.`,
          "Leave it out.",
          EXIT_USAGE,
        );
      return sliceLinear(await this.openPacked(kind, layer, expert), place);
    }
    const real = floatMatrix(this.tensors, info);
    if (this.options.float && !this.rule.latent) return sliceMatrix(real, place);
    const linear = await this.ternary(kind, real, info, signal);
    const factors = this.rule.latent ? null : await this.columnFactors(kind, layer, at);
    return sliceLinear(factors ? scaleRows(linear, factors) : linear, place);
  }

  /** The whole tensor, which holds packed trits. */
  async openPacked(kind: number, layer: number, expert?: number): Promise<LinearSource> {
    const info = this.tensors.info(this.tensors.nameOf(this.placeOf(kind, layer, expert)));
    return packedLinear(this.tensors, info, await readScale(this.tensors, info.name, this.rule.scale));
  }

  private async ternary(
    kind: number,
    real: MatrixSource,
    info: TensorInfo,
    signal?: AbortSignal,
  ): Promise<LinearSource> {
    const { quantize } = this.options;
    const scan = await this.scan(info, real, signal);
    if (quantize === "sign") return signLinear(real, scan);
    const hasScale = this.tensors.has(scaleName(info.name));
    if (this.rule.online && !hasScale) return absmeanLinear(real, scan);
    if (scan.rowLevels) {
      const linear = ternaryLinear(real, oneLevel(scan.rowLevels));
      if (!hasScale) return linear;
      const scale = await readScale(this.tensors, info.name, this.rule.scale);
      return scaleRows(linear, new Float64Array(real.rows).fill(scale));
    }
    if (hasScale)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${info.name} has a weight_scale, but holds more than -s, 0 and s.`,
        "Download the model again.",
      );
    if (this.rule.latent) return absmeanLinear(real, scan);
    if (scan.columnLevels && givesColumns(kind)) return ternaryLinear(real, leadingLevel(scan.columnLevels));
    if (quantize === "absmean") return absmeanLinear(real, scan);
    throw new TritkitError(
      "E_QUANTIZE",
      `${info.name} holds float weights, and config.json does not call the model BitNet's.`,
      "Allow it with --quantize absmean; a model that was not trained for it will talk nonsense. `tritkit run --engine float` runs it as it is.",
    );
  }

  /** Factors of the rows of v or up, where the columns of o or down have scales of their own. */
  private async columnFactors(kind: number, layer: number, at: LinearAt): Promise<Float64Array | null> {
    const giver = TAKES_COLUMNS_OF.get(kind);
    if (giver === undefined || this.options.quantize === "sign") return null;
    const info = this.tensors.info(this.tensors.nameOf(this.placeOf(giver, layer, at.expert)));
    if (info.dtype === "U8") return null;
    const { rowLevels, columnLevels } = await this.scan(info, floatMatrix(this.tensors, info), at.signal);
    if (rowLevels || !columnLevels) return null;
    const wanted = giver === KIND_ATTN_O ? this.shape.nHeads * this.shape.headDim : this.shape.hiddenDim;
    // The shape is checked, and refused, when its own turn comes.
    if (columnLevels.length !== wanted) return null;
    return giver === KIND_ATTN_O ? valueFactors(info.name, columnLevels, this.shape) : upFactors(columnLevels);
  }

  private scan(info: TensorInfo, real: MatrixSource, signal?: AbortSignal): Promise<WeightScan> {
    const known = this.scans.get(info.name) ?? scanWeights(info.name, real, signal);
    this.scans.set(info.name, known);
    return known;
  }

  private placeOf(kind: number, layer: number, expert?: number): TensorPlace {
    const place = this.family.place(kind, layer, this.shape, expert);
    if (!place) throw new RangeError(`${this.family.name} has no linear layer ${kind}`);
    return place;
  }
}

function scaleName(name: string): string {
  return `${name}_scale`;
}

async function readScale(tensors: HfTensors, weight: string, meaning: ScaleMeaning): Promise<number> {
  const name = scaleName(weight);
  const { shape } = tensors.info(name);
  if (shape.reduce((product, length) => product * length, 1) !== 1)
    throw new TritkitError(
      "E_SOURCE_FORMAT",
      `${name} has the shape (${shape.join(", ")}), a tensor has one scale.`,
      "Download the model again.",
    );
  const [scale] = await tensors.floats(name, 0, 1);
  if (!(scale > 0 && Number.isFinite(scale))) {
    const what = Number.isFinite(scale) ? `is ${scale}, which is no scale` : "holds no number";
    throw new TritkitError("E_SOURCE_FORMAT", `${name} ${what}.`, "Download the model again.");
  }
  return meaning === "multiply" ? scale : 1 / scale;
}

function packedLinear(tensors: HfTensors, info: TensorInfo, scale: number): LinearSource {
  const [byteRows, cols] = shapeOf(info, 2);
  return {
    rows: byteRows * PACKED_ROWS,
    cols,
    scale,
    async trits(start, count) {
      const trits = new Int8Array(count * cols);
      // Rows of one quarter of the matrix share a bit pair and lie together.
      for (let row = start; row < start + count; ) {
        const quarter = Math.floor(row / byteRows);
        const run = Math.min(start + count, (quarter + 1) * byteRows) - row;
        const bytes = await tensors.bytes(info.name, (row - quarter * byteRows) * cols, run * cols);
        const out = trits.subarray((row - start) * cols);
        for (let i = 0; i < bytes.length; i++) out[i] = ((bytes[i] >> (2 * quarter)) & 3) - 1;
        row += run;
      }
      if (trits.includes(2))
        throw new TritkitError(
          "E_SOURCE_FORMAT",
          `${info.name} holds the code 3, which is no trit.`,
          "Download the model again.",
        );
      return trits;
    },
  };
}

export function floatMatrix(tensors: HfTensors, info: TensorInfo): MatrixSource {
  const [rows, cols] = shapeOf(info, 2);
  return { rows, cols, values: (start, count) => tensors.floats(info.name, start * cols, count * cols) };
}

function sliceLinear(linear: LinearSource, place: TensorPlace): LinearSource {
  if (!place.rows) return linear;
  const { start, count } = fit(linear, place.rows);
  return {
    rows: count,
    cols: linear.cols,
    scale: typeof linear.scale === "number" ? linear.scale : linear.scale.slice(start, start + count),
    trits: (first, rows) => linear.trits(start + first, rows),
  };
}

function sliceMatrix(matrix: MatrixSource, place: TensorPlace): MatrixSource {
  if (!place.rows) return matrix;
  const { start, count } = fit(matrix, place.rows);
  return { rows: count, cols: matrix.cols, values: (first, rows) => matrix.values(start + first, rows) };
}

/** Rows that are there; a part that is not whole has a wrong shape, which is refused as such. */
function fit(whole: { readonly rows: number }, part: { readonly start: number; readonly count: number }) {
  const start = Math.min(part.start, whole.rows);
  return { start, count: Math.min(part.count, whole.rows - start) };
}

/** @throws TritkitError E_SOURCE_FORMAT */
export function shapeOf(info: TensorInfo, dimensions: number): readonly number[] {
  if (info.shape.length !== dimensions)
    throw new TritkitError(
      "E_SOURCE_FORMAT",
      `${info.name} has the shape (${info.shape.join(", ")}).`,
      `It should have ${dimensions} dimension${dimensions === 1 ? "" : "s"}.`,
    );
  return info.shape;
}
