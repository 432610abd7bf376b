/**
 * Board files that are not shipped yet: somebody who brings tritkit to a new board has them checked one by one, with the
 * path of the field that is wrong. boards/board.ts knows the rules; this reads the files.
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Board, BoardError, parseBoard } from "../boards/board.ts";
import { shippedBoardFile } from "./assets.ts";
import { TritkitError } from "./errors.ts";

export type BoardCheck =
  | { readonly file: string; readonly ok: true; readonly board: Board }
  /** `field`: dotted path of the field, empty for the whole file. `problem`: what is wrong with it. */
  | { readonly file: string; readonly ok: false; readonly field: string; readonly problem: string };

const EXTENSION = ".json";

/**
 * @param path a board file, or a folder: every *.json in it, in order of their names
 * @throws TritkitError E_FILE_NOT_FOUND, E_NO_BOARD_FILE
 */
export async function checkBoardFiles(path: string): Promise<BoardCheck[]> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${path}.`, "Check the path.");
  if (!found.isDirectory()) return [await checkBoardFile(path)];
  const names = (await readdir(path)).filter((name) => name.endsWith(EXTENSION)).sort();
  if (names.length === 0) {
    const hint = "A board is one file, NAME.json; copy the nearest of the shipped ones.";
    throw new TritkitError("E_NO_BOARD_FILE", `${path} has no board file (*.json).`, hint);
  }
  const checks: BoardCheck[] = [];
  for (const name of names) checks.push(await checkBoardFile(join(path, name)));
  return checks;
}

/** The board that a variant extends: its file lies in the same folder, or it ships. */
function beside(file: string, board: string): unknown {
  const own = join(dirname(file), `${board}${EXTENSION}`);
  return existsSync(own) ? JSON.parse(readFileSync(own, "utf8")) : shippedBoardFile(board);
}

async function checkBoardFile(file: string): Promise<BoardCheck> {
  const wrong = (field: string, problem: string): BoardCheck => ({ file, ok: false, field, problem });
  if (!file.endsWith(EXTENSION)) return wrong("", `the name of a board file is the board's name and ${EXTENSION}`);
  try {
    const name = basename(file, EXTENSION);
    const board = parseBoard(JSON.parse(await readFile(file, "utf8")), name, (other) => beside(file, other));
    return { file, ok: true, board };
  } catch (error) {
    if (error instanceof BoardError) {
      const problem = error.path === "" ? error.message : error.message.slice(error.path.length + ": ".length);
      return wrong(error.path, problem);
    }
    if (error instanceof SyntaxError) return wrong("", `is no JSON: ${error.message}`);
    return wrong("", `cannot be read: ${(error as Error).message}`);
  }
}
