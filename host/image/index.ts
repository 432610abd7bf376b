/** Model images: the public part of this room. */
export type { ImageConfig } from "./config.ts";
export { describeImage, type ImageDescription, type PartDescription, type TensorDescription } from "./describe.ts";
export { hex, sha256, uploadSha } from "./digest.ts";
export { sectionName } from "./layout.ts";
export {
  type Chat,
  type Image,
  type ImageHeader,
  type ReadOptions,
  readImage,
} from "./reader.ts";
export { type Scale, scaleValue } from "./scale.ts";
export type { Section, Tensor } from "./section.ts";
export { levelsOf, packedBytes, packingName, planesOf } from "./sizes.ts";
export { rowScale } from "./tensor.ts";
export type { Merge, Tokenizer } from "./tokenizer.ts";
export { verifyCodes } from "./verify_codes.ts";
