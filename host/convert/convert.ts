/** `tritkit convert`: whatever holds a model -> image. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { type BuildOptions, buildImageFile, type ConvertReport } from "./build.ts";
import { hasGgufMagic } from "./gguf/file.ts";
import { openGguf } from "./gguf/open_gguf.ts";
import { openHf } from "./hf/open_hf.ts";
import { openLlama2c } from "./llama2c/open_llama2c.ts";
import type { ModelSource, OpenOptions } from "./model.ts";

export type ConvertOptions = BuildOptions & OpenOptions;

/**
 * @param source a Hugging Face directory, the .safetensors file in one, a .gguf or a llama2.c .bin file
 * @param out the image; replaced only when the new one is whole
 * @throws TritkitError
 */
export async function convert(source: string, out: string, options: ConvertOptions = {}): Promise<ConvertReport> {
  await refuseOverSource(source, out);
  const model = await openModel(source, options);
  try {
    return await buildImageFile(model, out, options);
  } finally {
    await model.close();
  }
}

/** An image that took the place of its source, or of a part of it, would be the end of a download of hours. */
async function refuseOverSource(source: string, out: string): Promise<void> {
  const files = await Promise.all([source, out, dirname(out)].map((path) => stat(path).catch(() => null)));
  const [from, to, folder] = files;
  if (!from || !to) return;
  const isSame = from.dev === to.dev && from.ino === to.ino;
  const isPart = from.isDirectory() && from.dev === folder?.dev && from.ino === folder.ino && !/\.trit$/i.test(out);
  if (isSame || (isPart && to.isFile()))
    throw new TritkitError(
      "E_OPTION",
      `The image would replace ${out} of its source.`,
      "Choose another place with -o.",
      EXIT_USAGE,
    );
}

/** @throws TritkitError E_SOURCE_MISSING, E_UNSUPPORTED, and what the importer throws */
export async function openModel(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const found = await stat(source).catch(() => null);
  if (!found) throw new TritkitError("E_SOURCE_MISSING", `${source} is not there.`, SOURCES);
  const isPlace = (ending: string) => source.toLowerCase().endsWith(ending);
  if (found.isDirectory()) return openHf(source, withoutI2s(options));
  // A pipe has neither size nor places to read from, and opening one may wait for ever.
  if (!found.isFile()) throw new TritkitError("E_UNSUPPORTED", `${source} is no file and no folder.`, SOURCES);
  // Files of a store by digest have no ending, and a name may lie.
  if (isPlace(".gguf") || (await hasGgufMagic(source))) return openGguf(source, options);
  if (isPlace(".safetensors")) return openHf(source, withoutI2s(options));
  if (isPlace(".bin")) return openLlama2c(source, withoutI2s(options));
  throw new TritkitError("E_UNSUPPORTED", `${source} is of a format that tritkit does not convert.`, SOURCES);
}

/** @throws TritkitError E_OPTION for an option that says nothing about such a source: its user means another one */
function withoutI2s(options: OpenOptions): OpenOptions {
  if (options.i2s === undefined) return options;
  throw new TritkitError("E_OPTION", "--i2s is for GGUF files, and this is none.", "Leave it out.", EXIT_USAGE);
}

const SOURCES = "Give a Hugging Face directory, or a .safetensors, .gguf or llama2.c .bin file.";
