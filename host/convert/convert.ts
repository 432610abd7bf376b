/** `tritkit convert`: whatever holds a model -> image. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { type BuildOptions, buildImageFile, type ConvertReport } from "./build.ts";
import { hasGgufMagic } from "./gguf/file.ts";
import { openGguf } from "./gguf/open_gguf.ts";
import { openHf } from "./hf.ts";
import { openLlama2c } from "./llama2c.ts";
import type { ModelSource, OpenOptions } from "./model.ts";

export type ConvertOptions = BuildOptions & OpenOptions;

/**
 * @param source a Hugging Face directory, the .safetensors file in one, a .gguf or a llama2.c .bin file
 * @param out the image; replaced only when the new one is whole
 * @throws TritkitError
 */
export async function convert(source: string, out: string, options: ConvertOptions = {}): Promise<ConvertReport> {
  if (resolve(source) === resolve(out))
    throw new TritkitError(
      "E_OPTION",
      `The image would replace its source ${source}.`,
      "Choose another place with -o.",
      EXIT_USAGE,
    );
  const model = await openModel(source, options);
  try {
    return await buildImageFile(model, out, options);
  } finally {
    await model.close();
  }
}

/** @throws TritkitError E_SOURCE_MISSING, E_UNSUPPORTED, and what the importer throws */
export async function openModel(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const found = await stat(source).catch(() => null);
  if (!found) throw new TritkitError("E_SOURCE_MISSING", `${source} is not there.`, SOURCES);
  if (found.isDirectory() || source.endsWith(".safetensors")) return openHf(source, options);
  if (source.endsWith(".bin")) return openLlama2c(source, options);
  if (source.toLowerCase().endsWith(".gguf") || (await hasGgufMagic(source))) return openGguf(source, options);
  throw new TritkitError("E_UNSUPPORTED", `${source} is of a format that tritkit does not convert.`, SOURCES);
}

const SOURCES = "Give a Hugging Face directory, or a .safetensors, .gguf or llama2.c .bin file.";
