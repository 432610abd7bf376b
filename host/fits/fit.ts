/** Whether an image fits a board: bytes of flash and SRAM by the device's own layout, and in one sentence what stands in the way. */
import type { Board } from "../../boards/board.ts";
import { arenaParts } from "../engine/arena.ts";
import { bytesText } from "./bytes_text.ts";

export interface BoardFit {
  board: string;
  fits: boolean;
  /** Of the image and of the board's model partition. */
  flash_bytes: number;
  flash_available: number;
  /** With this context; 0 when the image is too large for anybody to plan its SRAM. */
  sram_bytes: number;
  sram_available: number;
  /** Keys and values of the context, with their scales; part of sram_bytes. */
  kv_bytes: number;
  /** Positions; 0 when not even the smallest context fits. */
  context: number;
  max_context: number;
  /** "" when it fits. */
  why: string;
}

/** Larger images fit no board's flash, and are not read to plan SRAM for. */
export const PLANNED_BYTES = 2 ** 28;
const CACHE_PARTS = ["keys", "values", "key scales", "value scales"];

/**
 * @param read gives the image of `bytes` bytes; asked only when its SRAM is planned
 * @param context positions that were asked for; 0: the board takes what fits
 */
export async function boardFit(
  read: () => Promise<Uint8Array>,
  bytes: number,
  board: Board,
  context = 0,
): Promise<BoardFit> {
  const flash = { flash_bytes: bytes, flash_available: board.flash.partition.bytes };
  const isTooLarge = bytes > flash.flash_available;
  const tooLarge = `the image has ${bytesText(bytes)}, the board's flash for models ${bytesText(flash.flash_available)}`;
  if (bytes > PLANNED_BYTES) {
    const sram = { sram_bytes: 0, sram_available: 0, kv_bytes: 0, context: 0, max_context: 0 };
    return { board: board.name, fits: false, ...flash, ...sram, why: tooLarge };
  }
  const plan = await arenaParts(await read(), board, context);
  const cache = plan.parts.filter(({ name }) => CACHE_PARTS.includes(name));
  return {
    board: board.name,
    fits: plan.fits && !isTooLarge,
    ...flash,
    sram_bytes: plan.total,
    sram_available: plan.available,
    kv_bytes: cache.reduce((sum, part) => sum + part.bytes, 0),
    context: plan.context,
    max_context: plan.maxContext,
    why: [isTooLarge ? tooLarge : "", plan.why].filter(Boolean).join("; "),
  };
}

/** What a user could do about it, behind `fitText`. */
export function adviceText({ advice }: { readonly advice: readonly string[] }): string {
  return advice.length === 0 ? "" : `. It takes ${advice.join(", or ")}`;
}

export function fitText(fit: BoardFit): string {
  if (!fit.fits) return `does not fit ${fit.board}: ${fit.why}`;
  const share = (bytes: number, of: number) => `${Math.round((100 * bytes) / of)} %`;
  return (
    `fits ${fit.board}: flash ${share(fit.flash_bytes, fit.flash_available)}, ` +
    `SRAM ${share(fit.sram_bytes, fit.sram_available)} with ${fit.context} positions`
  );
}
