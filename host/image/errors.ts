/** Why an image is refused: the codes of spec/IMAGE.md as errors for people. */
import { TritkitError } from "../errors.ts";

const REASONS = {
  E_IMAGE_MAGIC: "Give a .trit file, or make one with `tritkit convert`.",
  E_IMAGE_VERSION: "Update tritkit, or convert the model again with this version.",
  E_IMAGE_TRUNCATED: "Copy or convert the file again: its end is missing.",
  E_IMAGE_CORRUPT: "Copy or convert the file again.",
  E_IMAGE_CONFIG: "Convert the model again.",
  E_IMAGE_TENSOR: "Convert the model again.",
  E_IMAGE_TOKENIZER: "Convert the model again.",
  E_IMAGE_UNSUPPORTED: "Update tritkit, or choose another model.",
  E_IMAGE_BOARD: "Convert the model for this board, or without a board name.",
  E_IMAGE_CODE: "Convert the model again.",
} as const;

export type ImageErrorCode = keyof typeof REASONS;

export function imageError(code: ImageErrorCode, message: string): TritkitError {
  return new TritkitError(code, message, REASONS[code]);
}
