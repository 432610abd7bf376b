/** A model and the deployer's choices -> the sections of an image: which packing, which scales, in which order. */
import {
  ACTIVATION_RELU2,
  ACTIVATION_SILU,
  KIND_ASSISTANT,
  KIND_CHAT,
  KIND_CONFIG,
  KIND_META,
  KIND_ROUTER,
  KIND_TABLES,
  KIND_TOKENIZER,
  KIND_TOOLS,
  SCALE_NONE,
  SCALE_ROWS,
  SCALE_TENSOR,
} from "../../spec/image.ts";
import { ACT_MAX, RESIDUAL_FRAC_DEFAULT, SCALE_ONE } from "../../spec/numerics.ts";
import { PACK_GAIN, PACK_INT8, PACK_TRITS_1 } from "../../spec/packing.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { encodeAssistant } from "../image/assistant.ts";
import { encodeChat } from "../image/chat.ts";
import { checkConfig, encodeConfig, type ImageConfig } from "../image/config.ts";
import { sectionName, type TensorSlot, tensorSlots } from "../image/layout.ts";
import { exponentOf, type Scale, scaleOf } from "../image/scale.ts";
import { levelsOf, packedBytes } from "../image/sizes.ts";
import { encodeTokenizer } from "../image/tokenizer.ts";
import type { AssistantPlan } from "./assistant.ts";
import type { SectionPlan } from "./image_writer.ts";
import { isTernary, type LinearSource, type MatrixSource, type ModelConfig, type ModelSource } from "./model.ts";
import { packGains, packRows } from "./packing.ts";
import { quantiseRow } from "./quantise_rows.ts";
import { ropeFrequencies, tablesSection } from "./tables.ts";
import { chunkRows } from "./weight_scan.ts";

/** The deployer's choices, all made. */
export interface PlanOptions {
  readonly context: number;
  readonly headActMax: number;
  readonly residualFrac: number;
  /** null: the model is none. */
  readonly assistant: AssistantPlan | null;
  /** Packing code of EMBED and HEAD by kind. */
  readonly packing: (kind: number) => number;
  readonly signal?: AbortSignal;
  /** Error of what was quantised, as a share of the tensor's root mean square. */
  readonly onQuantised?: (kind: number, relativeError: number) => void;
  /** Weights of a ternary tensor that have been looked at for their scale. */
  readonly onRead?: (weights: number, tensor: string) => void;
}

const GAIN_MAX = 32767;
/** Of the numbers of a configuration: far below what any model has. */
const SMALLEST = 1e-38;

/** @throws TritkitError E_UNSUPPORTED for a configuration that no image can hold */
export function imageConfig(
  config: ModelConfig,
  options: Pick<PlanOptions, "context" | "headActMax" | "residualFrac">,
): ImageConfig {
  const image: ImageConfig = {
    ...config,
    activation: config.activation === "silu" ? ACTIVATION_SILU : ACTIVATION_RELU2,
    weights: config.weights === "ternary" ? 0 : 1,
    ropeTheta: configScale("rope_theta", config.ropeTheta),
    normEps: configScale("norm_eps", config.normEps),
    residualFrac: options.residualFrac,
    headActMax: options.headActMax,
    attnScale: configScale("1 / sqrt(head_dim)", 1 / Math.sqrt(config.headDim)),
    defaultContext: options.context,
  };
  if (options.context > config.seqLen) {
    const message = `A default context of ${options.context} positions is longer than the model's ${config.seqLen}.`;
    throw new TritkitError("E_OPTION", message, "Choose a shorter one.", EXIT_USAGE);
  }
  try {
    checkConfig(image);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new TritkitError("E_UNSUPPORTED", message, "tritkit has no room for such a model.", undefined, { cause });
  }
  return image;
}

function configScale(name: string, value: number): Scale {
  if (value === 0 || (value > SMALLEST && value < 1 / SMALLEST)) return scaleOf(value);
  throw new TritkitError("E_UNSUPPORTED", `The model's ${name} is ${value}.`, "tritkit has no room for such a model.");
}

/** @throws TritkitError E_UNSUPPORTED; before anything is done layer by layer */
export function checkModelConfig(config: ModelConfig): void {
  imageConfig(config, { context: 0, headActMax: ACT_MAX, residualFrac: RESIDUAL_FRAC_DEFAULT });
}

/** @throws TritkitError E_UNSUPPORTED for what only the float engine does */
export function refuseFloatOnly(config: ModelConfig): void {
  if (config.inputNorm === "gained")
    throw new TritkitError(
      "E_UNSUPPORTED",
      "The model normalises the input of its linear layers a second time, behind a norm with a gain, which an image cannot express.",
      "`tritkit run --engine float` runs it as it is.",
    );
}

/** The sections in file order. Weights are read and packed when the writer asks for them; latent ones are read here once for their scales. */
export async function planSections(model: ModelSource, options: PlanOptions): Promise<SectionPlan[]> {
  const { config } = model;
  const { assistant } = options;
  const meta = Object.keys(model.meta).length > 0 ? new TextEncoder().encode(JSON.stringify(model.meta)) : null;
  const plans = [
    plainSection(KIND_CONFIG, encodeConfig(imageConfig(config, options))),
    plainSection(KIND_TOKENIZER, encodeTokenizer(model.tokenizer)),
    ...(model.chat ? [plainSection(KIND_CHAT, encodeChat(model.chat))] : []),
    ...(meta ? [plainSection(KIND_META, meta)] : []),
    ...(assistant ? [plainSection(KIND_ASSISTANT, encodeAssistant(assistant.head))] : []),
    ...(assistant?.table ? [plainSection(KIND_TOOLS, assistant.table)] : []),
    plainSection(
      KIND_TABLES,
      tablesSection(config.ropeFrequencies ?? ropeFrequencies(config.ropeTheta, config.headDim)),
    ),
  ];
  for (const slot of tensorSlots(config)) {
    if (slot.role === "gain") plans.push(gainSection(model, slot));
    else if (slot.role === "linear") {
      const at = { expert: slot.expert ?? undefined, signal: options.signal };
      plans.push(linearSection(slot, await model.linear(slot.kind, slot.layer, at)));
      options.onRead?.(slot.rows * slot.cols, sectionName(slot.kind, slot.layer, slot.expert));
    } else plans.push(matrixSection(model, slot, options));
  }
  return plans;
}

function plainSection(kind: number, bytes: Uint8Array): SectionPlan {
  return {
    ...{ kind, layer: 0, packing: 0, scaleKind: SCALE_NONE, rows: 0, cols: 0, bytes: bytes.length },
    async produce(write) {
      await write(bytes);
      return {};
    },
  };
}

function linearSection(slot: TensorSlot, source: LinearSource | MatrixSource): SectionPlan {
  const { kind, layer, expert, rows, cols } = slot;
  if (!isTernary(source))
    throw new Error(`${sectionName(kind, layer, expert)} was opened as float: an image takes trits`);
  checkShape(slot, source);
  const { scale } = source;
  const packing = PACK_TRITS_1;
  return {
    ...{ kind, layer, expert, packing, rows, cols, bytes: packedBytes(packing, rows, cols) },
    scaleKind: typeof scale === "number" ? SCALE_TENSOR : SCALE_ROWS,
    async produce(write) {
      for (let start = 0; start < rows; start += chunkRows(cols)) {
        const count = Math.min(chunkRows(cols), rows - start);
        await write(packRows(packing, await source.trits(start, count), count, cols));
      }
      return typeof scale === "number" ? { scale: scaleOf(scale) } : { rows: Array.from(scale, scaleOf) };
    },
  };
}

/** Embedding, head or router: every row on its own grid. */
function matrixSection(model: ModelSource, slot: TensorSlot, options: PlanOptions): SectionPlan {
  const { kind, layer, rows, cols } = slot;
  const packing = kind === KIND_ROUTER ? PACK_INT8 : options.packing(kind);
  const levels = levelsOf(packing);
  return {
    ...{ kind, layer, packing, rows, cols, bytes: packedBytes(packing, rows, cols), scaleKind: SCALE_ROWS },
    async produce(write) {
      const source = await model.matrix(kind, layer);
      checkShape(slot, source);
      const scales: Scale[] = [];
      let error = 0;
      let energy = 0;
      for (let start = 0; start < rows; start += chunkRows(cols)) {
        const count = Math.min(chunkRows(cols), rows - start);
        const values = await source.values(start, count);
        const weights = new Int8Array(count * cols);
        for (let row = 0; row < count; row++) {
          const quantised = quantiseRow(
            values.subarray(row * cols, (row + 1) * cols),
            levels,
            weights.subarray(row * cols, (row + 1) * cols),
          );
          scales.push(scaleOf(quantised.scale));
          error += quantised.error;
          energy += quantised.energy;
        }
        if (!Number.isFinite(energy))
          throw new TritkitError(
            "E_SOURCE_FORMAT",
            `${sectionName(kind, layer)} holds a value that is no number.`,
            "Download the model again.",
          );
        await write(packRows(packing, weights, count, cols));
      }
      if (kind !== KIND_ROUTER) options.onQuantised?.(kind, energy > 0 ? Math.sqrt(error / energy) : 0);
      return { rows: scales };
    },
  };
}

/** int16 with one exponent for the vector: the largest gain takes all 15 bits. */
function gainSection(model: ModelSource, slot: TensorSlot): SectionPlan {
  const { kind, layer, expert, rows, cols } = slot;
  return {
    ...{
      kind,
      layer,
      expert,
      packing: PACK_GAIN,
      rows,
      cols,
      bytes: packedBytes(PACK_GAIN, rows, cols),
      scaleKind: SCALE_NONE,
    },
    async produce(write) {
      const gains = await model.gain(kind, layer, expert ?? undefined);
      checkShape(slot, { rows: 1, cols: gains.length });
      const { values, exponent } = quantiseGains(gains);
      await write(packGains(values));
      return { scale: { m: SCALE_ONE, e: exponent } };
    },
  };
}

/**
 * gain[i] = values[i] * 2^exponent within half a unit of 2^exponent.
 * @throws TritkitError E_SOURCE_FORMAT for a gain that is no number
 */
export function quantiseGains(gains: Float32Array): { values: Int16Array; exponent: number } {
  const largest = gains.reduce((max, gain) => Math.max(max, Math.abs(gain)), 0);
  if (!Number.isFinite(largest))
    throw new TritkitError("E_SOURCE_FORMAT", "A gain is no number.", "Download the model again.");
  if (largest === 0) return { values: new Int16Array(gains.length), exponent: 0 };
  let exponent = exponentOf(largest) - 14;
  if (Math.round(largest * 2 ** -exponent) > GAIN_MAX) exponent++;
  return { values: Int16Array.from(gains, (gain) => Math.round(gain * 2 ** -exponent)), exponent };
}

/** @throws TritkitError E_SOURCE_FORMAT */
function checkShape(slot: TensorSlot, source: { readonly rows: number; readonly cols: number }): void {
  if (source.rows === slot.rows && source.cols === slot.cols) return;
  const shape = `(${source.rows}, ${source.cols}) instead of (${slot.rows}, ${slot.cols})`;
  throw new TritkitError(
    "E_SOURCE_FORMAT",
    `${sectionName(slot.kind, slot.layer, slot.expert)} has shape ${shape}.`,
    "The model's files contradict its config.json.",
  );
}
