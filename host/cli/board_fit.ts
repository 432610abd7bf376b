// Whether an image fits the board it was made for, in one line: its share of flash and SRAM, or what stands in the way.
import { readFile } from "node:fs/promises";
import type { Board } from "../../boards/board.ts";
import { arenaParts } from "../engine/arena.ts";
import { bytesText } from "./progress.ts";

export interface BoardFit {
  board: string;
  fits: boolean;
  /** Of the image and of the board's model partition. */
  flash_bytes: number;
  flash_available: number;
  /** With this context; 0 when the image is larger than the flash. */
  sram_bytes: number;
  sram_available: number;
  context: number;
  /** "" when it fits. */
  why: string;
}

/**
 * @param bytes of the image at `path`, which is read only if the board has flash for it
 * @param context positions that were asked for; 0: the board takes what fits
 */
export async function boardFit(path: string, bytes: number, board: Board, context = 0): Promise<BoardFit> {
  const flash = { flash_bytes: bytes, flash_available: board.flash.partition.bytes };
  if (bytes > flash.flash_available) {
    const why = `the image has ${bytesText(bytes)}, the board's flash for models ${bytesText(flash.flash_available)}`;
    return { board: board.name, fits: false, ...flash, sram_bytes: 0, sram_available: 0, context: 0, why };
  }
  const sram = await arenaParts(new Uint8Array(await readFile(path)), board, context);
  const { fits, total, available, why } = sram;
  return {
    board: board.name,
    fits,
    ...flash,
    sram_bytes: total,
    sram_available: available,
    context: sram.context,
    why,
  };
}

export function fitText(fit: BoardFit): string {
  if (!fit.fits) return `does not fit ${fit.board}: ${fit.why}`;
  const share = (bytes: number, of: number) => `${Math.round((100 * bytes) / of)} %`;
  return (
    `fits ${fit.board}: flash ${share(fit.flash_bytes, fit.flash_available)}, ` +
    `SRAM ${share(fit.sram_bytes, fit.sram_available)} with ${fit.context} positions`
  );
}
