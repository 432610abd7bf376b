/** Models in, images out: the public part of this room. */
export { type BuildOptions, buildImage, buildImageFile, type ConvertReport, type Quantised } from "./build.ts";
export { EMBED_PACKINGS, type EmbedPacking } from "./choices.ts";
export { type ConvertOptions, convert, openModel } from "./convert.ts";
export type { WriteProgress } from "./image_writer.ts";
export type {
  Dropped,
  LinearAt,
  LinearSource,
  MatrixSource,
  ModelConfig,
  ModelSource,
  OpenOptions,
} from "./model.ts";
export { packRows, unpackRows } from "./packing.ts";
export { type RandomOptions, randomModel, randomTokenizer } from "./random.ts";
