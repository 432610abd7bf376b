/**
 * What `tritkit fits` tells, as an API: for every board whether an image fits, how fast it would be and what it would take, and what would make it fit.
 *
 *     for (const each of await fits(image, { boards: await listBoards() })) console.log(each.board, each.fits, each.tok_s);
 */
import { readFile } from "node:fs/promises";
import type { Board } from "../../boards/board.ts";
import { throwIfAborted } from "../errors.ts";
import { readImage } from "../image/reader.ts";
import { adviceFor } from "./advice.ts";
import { type BoardFit, boardFit, PLANNED_BYTES } from "./fit.ts";
import { type BoardSpeed, boardSpeed } from "./speed.ts";

/** Speed and energy are null where the image does not fit, or nobody asked for them. */
export type Fits = BoardFit &
  (BoardSpeed | { readonly [K in keyof BoardSpeed]: null }) & {
    /** "" for what fits; else what would make it fit. */
    readonly advice: readonly string[];
  };

export interface FitsOptions {
  readonly boards: readonly Board[];
  /** Positions; left out: the image's default, else the most that fits. */
  readonly context?: number;
  /** false: sizes only, nothing is simulated (default true). */
  readonly speed?: boolean;
  /** Boards that advice may name; left out: `boards`. */
  readonly others?: readonly Board[];
  readonly signal?: AbortSignal;
  /** Which board is simulated, and how much of all the work is done, 0 to 1. */
  readonly onProgress?: (board: string, share: number) => void;
}

const UNKNOWN = {
  ...{ tok_s: null, tok_s_first: null, tok_s_last: null, tok_s_kind: null, wait_share: null },
  ...{ mj_per_token: null, mj_kind: null, measured_at: null },
} as const;

/**
 * @returns what fits first, the fastest first; then what does not
 * @throws TritkitError E_IMAGE_*, E_INTERRUPTED
 */
export async function fits(bytes: Uint8Array, options: FitsOptions): Promise<Fits[]> {
  const { boards, context = 0, speed = true, signal, onProgress = () => {} } = options;
  const image = readImage(bytes);
  const plan = async (board: Board): Promise<BoardFit> => {
    throwIfAborted(signal);
    return boardFit(async () => image.bytes, image.bytes.length, board, context);
  };
  const planned = new Map<string, BoardFit>();
  for (const board of [...boards, ...(options.others ?? [])])
    if (!planned.has(board.name)) planned.set(board.name, forBoard(image.header.board, board, await plan(board)));

  const others = fitting([...boards, ...(options.others ?? [])], planned);
  const found: Fits[] = [];
  for (const [i, board] of boards.entries()) {
    const fit = planned.get(board.name);
    if (fit === undefined) continue;
    const progress = (share: number): void => onProgress(board.name, (i + share) / boards.length);
    progress(0);
    const measured =
      fit.fits && speed
        ? await boardSpeed(image.bytes, board, { context: fit.context, signal, onProgress: progress })
        : UNKNOWN;
    found.push({ ...fit, ...measured, advice: adviceFor(image, fit, others) });
  }
  return found.sort(
    (a, b) =>
      Number(b.fits) - Number(a.fits) || (b.tok_s ?? 0) - (a.tok_s ?? 0) || a.board.localeCompare(b.board, "en"),
  );
}

/** Names of the boards that it fits, the smallest flash first; of those that exist in emulators only when there is no other. */
function fitting(boards: readonly Board[], planned: ReadonlyMap<string, BoardFit>): string[] {
  const all = boards.filter(({ name }) => planned.get(name)?.fits === true);
  const real = all.filter(({ rom }) => rom !== null);
  const sorted = (real.length > 0 ? real : all).sort((a, b) => a.flash.partition.bytes - b.flash.partition.bytes);
  return [...new Set(sorted.map(({ name }) => name))];
}

/** The same of a file, which is not read when no board could hold it. @param bytes that it has */
export async function fitsFile(path: string, bytes: number, options: FitsOptions): Promise<Fits[]> {
  if (bytes <= PLANNED_BYTES) return fits(new Uint8Array(await readFile(path)), options);
  const planned = options.boards.map((board) => boardFit(() => Promise.reject(new Error("not read")), bytes, board));
  return (await Promise.all(planned)).map((fit) => ({ ...fit, ...UNKNOWN, advice: ["a smaller model"] }));
}

/** An image that was made for one board is refused by the others. */
function forBoard(wanted: string, board: Board, fit: BoardFit): BoardFit {
  if (wanted === "" || wanted === board.name) return fit;
  return { ...fit, fits: false, why: [`the image was made for ${wanted}`, fit.why].filter(Boolean).join("; ") };
}
