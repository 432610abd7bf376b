/** Why an image is refused: the codes of spec/IMAGE.md as errors for people. */
import {
  IMAGE_BAD_CODE,
  IMAGE_BAD_CONFIG,
  IMAGE_BAD_DIGEST,
  IMAGE_BAD_MAGIC,
  IMAGE_BAD_TENSOR,
  IMAGE_BAD_TOKENIZER,
  IMAGE_BAD_TOOLS,
  IMAGE_BAD_VERSION,
  IMAGE_NO_MEMORY,
  IMAGE_TRUNCATED,
  IMAGE_UNSUPPORTED,
  IMAGE_WRONG_BOARD,
} from "../../spec/image.ts";
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
  E_IMAGE_TOOLS: "Convert the model again, with a tools.json that `tritkit tools check` accepts.",
} as const;

export type ImageErrorCode = keyof typeof REASONS;

export function imageError(code: ImageErrorCode, message: string): TritkitError {
  return new TritkitError(code, message, REASONS[code]);
}

/** What an engine or a device says of an image, by the number of spec/IMAGE.md: code and message. */
const BY_NUMBER: Record<number, [ImageErrorCode | "E_NO_MEMORY", string]> = {
  [IMAGE_BAD_MAGIC]: ["E_IMAGE_MAGIC", "That is no tritkit image."],
  [IMAGE_BAD_VERSION]: ["E_IMAGE_VERSION", "The image has a version that is not known there."],
  [IMAGE_TRUNCATED]: ["E_IMAGE_TRUNCATED", "The image is cut short."],
  [IMAGE_BAD_DIGEST]: ["E_IMAGE_CORRUPT", "The image is damaged."],
  [IMAGE_BAD_CONFIG]: ["E_IMAGE_CONFIG", "The image has a configuration that makes no sense."],
  [IMAGE_BAD_TENSOR]: ["E_IMAGE_TENSOR", "The image has a tensor that makes no sense."],
  [IMAGE_BAD_TOKENIZER]: ["E_IMAGE_TOKENIZER", "The image has a tokenizer that makes no sense."],
  [IMAGE_UNSUPPORTED]: ["E_IMAGE_UNSUPPORTED", "This kind of model cannot be run there yet."],
  [IMAGE_WRONG_BOARD]: ["E_IMAGE_BOARD", "The image was made for another board."],
  [IMAGE_NO_MEMORY]: ["E_NO_MEMORY", "The model does not fit into the memory there."],
  [IMAGE_BAD_CODE]: ["E_IMAGE_CODE", "The image has an illegal packed byte."],
  [IMAGE_BAD_TOOLS]: ["E_IMAGE_TOOLS", "The image has a table of tools that makes no sense."],
};

/** @param exitStatus 3 when a device said so */
export function imageErrorOf(number: number, exitStatus?: number): TritkitError {
  const [code, message] = BY_NUMBER[number] ?? ["E_IMAGE_TENSOR", `The image was refused (error ${number}).`];
  const hint = code === "E_NO_MEMORY" ? "Choose a shorter context or a smaller model." : REASONS[code];
  return new TritkitError(code, message, hint, exitStatus);
}
