/** Neutral model -> image, into a file or into memory. The importers come before this, the command line after. */
import { KIND_EMBED, KIND_HEAD } from "../../spec/image.ts";
import { RESIDUAL_FRAC_DEFAULT } from "../../spec/numerics.ts";
import { throwIfAborted } from "../errors.ts";
import { describeImage, type ImageDescription } from "../image/describe.ts";
import { hex } from "../image/digest.ts";
import { sectionName, tensorSlots } from "../image/layout.ts";
import { readImage } from "../image/reader.ts";
import { packingName } from "../image/sizes.ts";
import { planAssistant } from "./assistant.ts";
import { chooseHeadActMax, choosePacking, chooseResidualFrac, type EmbedPacking, largestValue } from "./choices.ts";
import {
  checkNames,
  imageBytes,
  type SectionPlan,
  type WriteOptions,
  type WriteProgress,
  writeImage,
} from "./image_writer.ts";
import type { Dropped, ModelConfig, ModelSource } from "./model.ts";
import { imageConfig, planSections, refuseFloatOnly } from "./plan.ts";
import { FileSink, type ImageSink, MemorySink } from "./sinks.ts";

export interface BuildOptions {
  /** Name of the model in the image, at most 32 bytes; default: the source's. */
  readonly name?: string;
  /** The one board that takes the image; default: any. */
  readonly board?: string;
  /** Positions of the context; default 0: as many as the board has room for. */
  readonly context?: number;
  /** Of embedding and head; default "auto" (choices.ts says the rule). */
  readonly embedPacking?: EmbedPacking;
  /** 127 or 4095; default 4095 where it fits. */
  readonly headActMax?: number;
  /** 0..24; default 16, more for tiny embeddings (choices.ts says the rule). */
  readonly residualFrac?: number;
  /** Path of a tools.json for an assistant; default: that beside the source, if there is one. */
  readonly tools?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WriteProgress) => void;
}

export interface ConvertReport {
  readonly bytes: number;
  /** SHA-256 of the image, hexadecimal: the sha of an upload. */
  readonly sha256: string;
  readonly image: ImageDescription;
  readonly dropped: readonly Dropped[];
  /** Sentences: what was decided, and by which rule. */
  readonly notes: readonly string[];
  /** Root mean square error of embedding and head after quantising, as a share of their weights. */
  readonly quantised: readonly Quantised[];
}

export interface Quantised {
  readonly tensor: string;
  readonly relativeError: number;
}

/** @throws TritkitError; then nothing is left at `out` but what was there before */
export async function buildImageFile(
  model: ModelSource,
  out: string,
  options: BuildOptions = {},
): Promise<ConvertReport> {
  // First: minutes of reading are no good when the place cannot be written.
  const sink = await FileSink.create(out);
  try {
    return await finish(await prepare(model, options), sink);
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

/** @throws TritkitError */
export async function buildImage(
  model: ModelSource,
  options: BuildOptions = {},
): Promise<{ bytes: Uint8Array; report: ConvertReport }> {
  const work = await prepare(model, options);
  const sink = new MemorySink(imageBytes(work.plans));
  return { report: await finish(work, sink), bytes: sink.bytes };
}

interface Work {
  readonly model: ModelSource;
  readonly plans: SectionPlan[];
  readonly write: WriteOptions;
  readonly notes: string[];
  readonly quantised: Quantised[];
}

/** Makes every choice that is open, before the first byte is written. */
async function prepare(model: ModelSource, options: BuildOptions): Promise<Work> {
  const { config } = model;
  const { signal } = options;
  const write = {
    name: options.name ?? model.name,
    board: options.board ?? "",
    signal,
    onProgress: options.onProgress,
  };
  checkNames(write);
  refuseFloatOnly(config);
  const headActMax = options.headActMax ?? chooseHeadActMax(config.dim);
  imageConfig(config, { context: options.context ?? 0, headActMax, residualFrac: RESIDUAL_FRAC_DEFAULT });
  const assistant = await planAssistant(model, options.tools, write.board);
  const notes = [...model.notes, ...(assistant?.notes ?? [])];
  const quantised: Quantised[] = [];
  const packings = new Map<number, number>();
  const onRead = readingProgress(config, options.onProgress);
  let largest = 0;
  for (const kind of config.tied ? [KIND_EMBED] : [KIND_EMBED, KIND_HEAD]) {
    const name = sectionName(kind, 0);
    const absmax = await largestValue(name, await model.matrix(kind), signal, (values) => onRead(values, name));
    if (kind === KIND_EMBED) largest = absmax;
    const { packing, why } = await choosePacking(options.embedPacking ?? "auto", await model.matrix(kind));
    packings.set(kind, packing);
    if (why !== "") notes.push(`${name} is packed as ${packingName(packing)}: ${why}.`);
  }
  const residualFrac = options.residualFrac ?? chooseResidualFrac(largest);
  if (options.residualFrac === undefined && residualFrac !== RESIDUAL_FRAC_DEFAULT)
    notes.push(
      `residual_frac is ${residualFrac}: no embedding exceeds ${largest.toPrecision(2)}, and its largest keeps 10 bits.`,
    );
  const plans = await planSections(model, {
    context: options.context ?? 0,
    headActMax,
    residualFrac,
    assistant,
    packing: (kind) => packings.get(kind) ?? 0,
    signal,
    onQuantised: (kind, relativeError) => quantised.push({ tensor: sectionName(kind, 0), relativeError }),
    onRead,
  });
  return { model, plans, write, notes, quantised };
}

/** @returns what is told of weights that have been looked at: how many more, of which tensor */
function readingProgress(
  config: ModelConfig,
  onProgress: BuildOptions["onProgress"],
): (weights: number, tensor: string) => void {
  const slots = tensorSlots(config).filter((slot) => slot.role !== "gain");
  const total = slots.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  let done = 0;
  return (weights, tensor) => {
    done += weights;
    // A matrix larger than its configuration says is refused when its shape is looked at.
    onProgress?.({ phase: "read", bytes: Math.min(done, total), total, tensor });
  };
}

async function finish(work: Work, sink: ImageSink): Promise<ConvertReport> {
  const sha = await writeImage(sink, work.plans, work.write);
  const image = checkWritten(sink, sha);
  throwIfAborted(work.write.signal);
  await sink.finish();
  const { notes, quantised, model } = work;
  return { bytes: image.bytes, sha256: hex(sha), image, dropped: model.dropped, notes, quantised };
}

/** Our own reader has the last word, while the file does not have its name yet. Digests were made from the file, and are not looked at again. */
function checkWritten(sink: ImageSink, sha: Uint8Array): ImageDescription {
  const written = sink.open();
  try {
    return describeImage(readImage(written, { verify: false }), sha);
  } finally {
    written.close();
  }
}
