// The engine that runs the model a command is given: an image by any engine, a source as it is by the float engine.
import { openModel } from "../convert/convert.ts";
import type { ModelSource } from "../convert/model.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../engine/engine.ts";
import { THREADS_MAX } from "../engine/team.ts";
import { TritkitError } from "../errors.ts";
import { FloatEngine, type FloatOptions } from "../float/float_engine.ts";
import { imageSource } from "../float/image_source.ts";
import { FilePositions } from "../image/positions.ts";
import { readImage } from "../image/reader.ts";
import { type Arguments, type Context, type OptionSpec, usage } from "./command.ts";
import { CONTEXT_OPTION, contextFrom, existing, explained, holdsSource } from "./model_file.ts";
import type { Output } from "./output.ts";
import { ProgressLine } from "./progress.ts";
import { SOURCE_OPTIONS, sourceOptions } from "./source_options.ts";
import { readToolsFile } from "./tools_file.ts";

const ENGINE_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  help: "simd (default), scalar (the board's table kernel) or ref: all give the same answer; float: as published, in float64",
};

/** Of the SIMD engine alone. */
const SIMD_OPTIONS: Record<string, OptionSpec> = {
  threads: {
    type: "string",
    value: "N",
    help: "threads that compute (default: the cores, at most 4; 1 for models below 64 MiB)",
  },
  cache: {
    type: "boolean",
    help: "keep the weights as the engine wants them in a file beside the model: the next start is faster",
  },
};

/** What `run` and `eval` take to open a model. */
export const RUNNER_OPTIONS: Record<string, OptionSpec> = {
  context: CONTEXT_OPTION,
  engine: ENGINE_OPTION,
  ...SIMD_OPTIONS,
  quantize: {
    ...SOURCE_OPTIONS.quantize,
    help: "engine float, not converted: round float weights as `tritkit convert` does (default: they stay floats)",
  },
  i2s: { ...SOURCE_OPTIONS.i2s, help: `engine float, not converted: ${SOURCE_OPTIONS.i2s.help}` },
  tokenizer: { ...SOURCE_OPTIONS.tokenizer, help: `engine float, not converted: ${SOURCE_OPTIONS.tokenizer.help}` },
};

/** An engine that runs a model, whichever it is. */
export interface Runner {
  readonly engine: Engine | FloatEngine;
  /** "stories-1m  engine simd  context 256 positions" */
  readonly label: string;
  /** Decisions that a source left open; none of an image, which was told of when it was made. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** @throws TritkitError */
export async function openRunner(context: Context): Promise<Runner> {
  const { args } = context;
  const file = await existing(args.positionals[0]);
  const kind = engineKind(args.text("engine"));
  if (kind !== "simd") refuse(args, SIMD_OPTIONS, "simd, the default");
  if (kind === "float" && args.given("tools"))
    throw usage("--tools is for engines that run images: float makes no calls.");
  if (kind === "float") return openFloat(file, context);
  refuse(args, SOURCE_OPTIONS, "float, which runs models that were not converted");
  if (await holdsSource(file))
    throw new TritkitError(
      "E_NOT_CONVERTED",
      `${file} is a model that was not converted.`,
      "Make an image of it with `tritkit convert`, or run it as it is with --engine float.",
    );
  return openInteger(file, kind, context);
}

/** Options that belong to another engine than the one that was chosen. */
function refuse(args: Arguments, options: Record<string, OptionSpec>, engine: string): void {
  const given = Object.keys(options).find((name) => args.given(name));
  if (given !== undefined) throw usage(`--${given} is for the engine ${engine}.`);
}

async function openInteger(file: string, kind: EngineKind, { args, out, signal }: Context): Promise<Runner> {
  const path = args.text("tools");
  const tools = path === undefined ? undefined : (await readToolsFile(path)).file;
  const progress = slowly(new ProgressLine(out, "load"));
  const engine = await Engine.openFile(file, {
    context: ({ seqLen }) => contextFrom(args, seqLen),
    engine: kind,
    threads: args.given("threads") ? args.integer("threads", 1, 1, THREADS_MAX) : undefined,
    cache: args.flag("cache"),
    tools,
    signal,
    onProgress: (done, total) => progress.update(done, total),
    onNote: (note) => out.info(note),
  }).catch((error: unknown) => explained(error, file));
  out.clearStatus();
  return { engine, label: labelOf(engine, engine.label), notes: [], close: () => engine.close() };
}

async function openFloat(file: string, { args, out, signal }: Context): Promise<Runner> {
  const isSource = await holdsSource(file);
  if (!isSource) refuse(args, SOURCE_OPTIONS, "float on models that were not converted");
  const source = isSource
    ? await openModel(file, { ...sourceOptions(args), float: !args.given("quantize"), signal })
    : await openImage(file);
  try {
    const options = { context: contextFrom(args, source.config.seqLen), onLoad: loadProgress(out) };
    const engine = await FloatEngine.open(source, options);
    const label = labelOf(engine, `float, ${engine.arithmetic}`);
    const notes = source.assistant ? [...source.notes, NO_CALLS] : source.notes;
    return { engine, label, notes, close: () => engine.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

const NO_CALLS = "The model is an assistant; the float engine knows no tools, and continues the text as it is.";

/** An image whose weights are read when they are needed. */
async function openImage(file: string): Promise<ModelSource> {
  try {
    const positions = new FilePositions(file);
    try {
      return { ...imageSource(readImage(positions)), close: async () => positions.close() };
    } catch (error) {
      positions.close();
      throw error;
    }
  } catch (error) {
    return explained(error, file);
  }
}

/** @throws TritkitError E_USAGE */
function engineKind(name = "simd"): EngineKind | "float" {
  if (name === "float" || Object.hasOwn(ENGINE_KINDS, name)) return name as EngineKind | "float";
  throw usage(`There is no engine "${name}"; there are ${Object.keys(ENGINE_KINDS).join(", ")} and float.`);
}

/** A line of progress that is not drawn for what takes less than a second. */
function slowly(line: ProgressLine): Pick<ProgressLine, "update"> {
  const started = performance.now();
  return {
    update: (done, total) => {
      if (performance.now() - started > 1000) line.update(done, total);
    },
  };
}

function labelOf({ name, context }: Engine | FloatEngine, engine: string): string {
  return `${name}  engine ${engine}  context ${context} positions`;
}

/** Reading the weights for the first time takes seconds to minutes, and happens within the first token. */
export function loadProgress(out: Output): NonNullable<FloatOptions["onLoad"]> {
  const started = performance.now();
  return (done, total) => {
    if (performance.now() - started < 1000) return;
    if (done === total) out.clearStatus();
    else out.status(`reading the weights, layer ${done} of ${total}`);
  };
}
