// The model that a command is given, and the engine that runs it: an image by any engine, a source as it is by the float engine.
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CONTEXT_MIN, IMAGE_MAGIC } from "../../spec/image.ts";
import { listModels, modelPath } from "../assets.ts";
import { openModel } from "../convert/convert.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../engine/engine.ts";
import { THREADS_MAX } from "../engine/team.ts";
import { TritkitError } from "../errors.ts";
import { FloatEngine, type FloatOptions } from "../float/float_engine.ts";
import { imageSource } from "../float/image_source.ts";
import { readImage } from "../image/reader.ts";
import { type Arguments, type Context, type OptionSpec, usage } from "./command.ts";
import type { Output } from "./output.ts";
import { ProgressLine } from "./progress.ts";
import { SOURCE_OPTIONS, sourceOptions } from "./source_options.ts";

export const ENGINE_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  help: "simd (default), scalar (the board's table kernel) or ref: all give the same answer; float: as published, in float64, also models that were not converted",
};

export const CONTEXT_OPTION: OptionSpec = {
  type: "string",
  value: "N",
  help: "positions of the context, one a token (default: the model's longest)",
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
  ...SOURCE_OPTIONS,
};

/** An engine that runs a model, whichever it is. */
export interface Runner {
  readonly engine: Engine | FloatEngine;
  /** "stories-1m  engine simd  context 256 positions" */
  readonly label: string;
  close(): Promise<void>;
}

/** @throws TritkitError */
export async function openRunner({ args, out, signal }: Context): Promise<Runner> {
  const file = await existing(args.positionals[0]);
  const kind = engineKind(args.text("engine"));
  const isSource = await holdsSource(file);
  if (kind !== "float") {
    for (const name of Object.keys(SOURCE_OPTIONS))
      if (args.given(name)) throw usage(`--${name} is for --engine float, which runs models that were not converted.`);
    if (isSource)
      throw new TritkitError(
        "E_NOT_CONVERTED",
        `${file} is a model that was not converted.`,
        "Make an image of it with `tritkit convert`, or run it as it is with --engine float.",
      );
    const given = Object.keys(SIMD_OPTIONS).find((name) => args.given(name));
    if (kind !== "simd" && given !== undefined) throw usage(`--${given} is for the engine simd.`);
    const progress = slowly(new ProgressLine(out, "load"));
    const engine = await Engine.openFile(file, {
      context: ({ seqLen }) => contextFrom(args, seqLen),
      engine: kind,
      threads: args.given("threads") ? args.integer("threads", 1, 1, THREADS_MAX) : undefined,
      cache: args.flag("cache"),
      signal,
      onProgress: (done, total) => progress.update(done, total),
      onNote: (note) => out.info(note),
    }).catch((error: unknown) => explained(error, file));
    out.clearStatus();
    return { engine, label: labelOf(engine, engine.label), close: () => engine.close() };
  }
  const source = isSource
    ? await openModel(file, { ...sourceOptions(args), float: !args.given("quantize"), signal })
    : imageSource(readImage(await readModel(file)));
  try {
    const options = { context: contextFrom(args, source.config.seqLen), onLoad: loadProgress(out) };
    const engine = await FloatEngine.open(source, options);
    return { engine, label: labelOf(engine, `float, ${engine.arithmetic}`), close: () => engine.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
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

/** --context, 0 without it. @throws TritkitError E_USAGE for one that the model does not have */
export function contextFrom(args: Arguments, seqLen: number): number {
  if (args.text("context") === undefined) return 0;
  const positions = args.integer("context", 0, Math.min(CONTEXT_MIN, seqLen));
  if (positions > seqLen) throw usage(`--context is larger than the model's ${seqLen} positions.`);
  return positions;
}

/** @throws TritkitError E_USAGE */
function engineKind(name = "simd"): EngineKind | "float" {
  if (name === "float" || Object.hasOwn(ENGINE_KINDS, name)) return name as EngineKind | "float";
  throw usage(`There is no engine "${name}"; there are ${Object.keys(ENGINE_KINDS).join(", ")} and float.`);
}

/** Whether the path holds what `tritkit convert` takes rather than an image. A file that nobody knows counts as a damaged image. */
async function holdsSource(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) return false;
  if (found.isDirectory()) return true;
  if (!/\.(gguf|safetensors|bin)$/.test(path)) return false;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead < 4 || buffer.readUInt32LE(0) !== IMAGE_MAGIC;
  } finally {
    await file.close();
  }
}

/** A path, or that of the bundled model of this name. @throws TritkitError E_UNKNOWN_MODEL */
async function existing(file: string): Promise<string> {
  if (/[./\\]/.test(file)) return file;
  // A folder of the user's may have a plain name too.
  const isFolder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder && !(await listModels()).includes(file) ? file : modelPath(file);
}

/** A file, or the name of a bundled model. @throws TritkitError E_UNKNOWN_MODEL, E_FILE_NOT_FOUND, E_FILE_IS_FOLDER */
export async function readModel(file: string): Promise<Uint8Array> {
  const path = /[./\\]/.test(file) ? file : await modelPath(file);
  return readFile(path).then(
    (bytes) => new Uint8Array(bytes),
    (error: unknown) => explained(error, file),
  );
}

/** Throws the error, in the words of somebody who was given a model's name. */
async function explained(cause: unknown, file: string): Promise<never> {
  const { code } = cause as NodeJS.ErrnoException;
  const name = basename(file, ".trit");
  if (code === "ENOENT" && (await listModels()).includes(name)) {
    const hint = `${name} is bundled: give the name alone.`;
    throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${file}.`, hint, 1, { cause });
  }
  if (code === "EISDIR") {
    const hint = "`tritkit convert` makes a .trit file from a Hugging Face folder.";
    throw new TritkitError("E_FILE_IS_FOLDER", `${file} is a folder, not a .trit file.`, hint, 1, { cause });
  }
  throw cause;
}
