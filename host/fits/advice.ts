/** What would make an image fit: a smaller context, another packing of embedding and head, another board. Sentences, the cheapest change first. */
import { KIND_EMBED, KIND_HEAD } from "../../spec/image.ts";
import { EMBED_PACKINGS } from "../convert/index.ts";
import type { Image } from "../image/reader.ts";
import { packedBytes, packingName } from "../image/sizes.ts";
import { bytesText } from "./bytes_text.ts";
import type { BoardFit } from "./fit.ts";

/** By what they keep of the weights, the best first (examples/train/HEAD.md, EMBEDDINGS.md). */
const PACKINGS = ["int8", "t5", "t4", "t3", "int4", "t2"] as const;
/** Other boards that are named. */
const NAMED = 3;

/** @param others names of boards that it fits, those that come first in question first */
export function adviceFor(image: Image, fit: BoardFit, others: readonly string[]): string[] {
  if (fit.fits) return [];
  const flashFits = fit.flash_bytes <= fit.flash_available;
  const sramFits = fit.max_context > 0;
  const advice: string[] = [];
  if (!isFor(image, fit.board)) advice.push("the image converted anew without --board, or for this one");
  if (flashFits && sramFits)
    advice.push(`a context of at most ${fit.max_context} positions (--context ${fit.max_context})`);
  if (!flashFits && sramFits) advice.push(...packingAdvice(image, fit));
  if (others.length > 0) advice.push(`another board: ${others.slice(0, NAMED).join(", ")}`);
  if (advice.length === 0) advice.push("a smaller model");
  return advice;
}

function isFor({ header }: Image, board: string): boolean {
  return header.board === "" || header.board === board;
}

function packingAdvice(image: Image, { flash_bytes, flash_available }: BoardFit): string[] {
  const tensors = image.tensors.filter(({ kind }) => kind === KIND_EMBED || kind === KIND_HEAD);
  const now = tensors.reduce((sum, { packing, rows, cols }) => sum + packedBytes(packing, rows, cols), 0);
  for (const name of PACKINGS) {
    const packing = EMBED_PACKINGS[name];
    const then = tensors.reduce((sum, { rows, cols }) => sum + packedBytes(packing, rows, cols), 0);
    const bytes = flash_bytes - now + then;
    if (then < now && bytes <= flash_available)
      return [
        `embedding and head in ${packingName(packing)}: about ${bytesText(bytes)}, converted anew with --embed ${name}`,
      ];
  }
  return [];
}
