/** What makes an image an assistant: its section ASSISTANT, and the table of tools that the deployer gives or that lies beside the source. */
import { readFile, stat } from "node:fs/promises";
import { listBoards } from "../assets.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { checkPins } from "../tools/board_pins.ts";
import { compileTools } from "../tools/compile.ts";
import { toolNotes } from "../tools/notes.ts";
import { FILE_MAX, parseTools } from "../tools/parse.ts";
import type { AssistantSource, ModelSource } from "./model.ts";

export interface AssistantPlan {
  readonly head: AssistantSource;
  /** null: without tools of its own. */
  readonly table: Uint8Array | null;
  /** Sentences. */
  readonly notes: readonly string[];
}

/**
 * @param tools path of a tools.json, undefined: that beside the source
 * @param boardName of an image for one board, whose pins are looked at; "" for any
 * @returns null for a model that is no assistant
 * @throws TritkitError E_OPTION, E_TOOLS*; Node's errors for a file that cannot be read
 */
export async function planAssistant(
  { assistant = null }: ModelSource,
  tools: string | undefined,
  boardName: string,
): Promise<AssistantPlan | null> {
  if (assistant === null) {
    if (tools === undefined) return null;
    const hint = "An assistant's tokenizer has the special tokens of spec/TOOLS.md; leave --tools out.";
    throw new TritkitError("E_OPTION", "The model is no assistant: it has no use for tools.", hint, EXIT_USAGE);
  }
  const path = tools ?? assistant.beside;
  if (path === null) {
    const note =
      "The model is an assistant without tools: --tools gives the image some, or `tritkit tools set` a board.";
    return { head: assistant, table: null, notes: [note] };
  }
  const { size } = await stat(path);
  if (size > FILE_MAX) throw new TritkitError("E_TOOLS", `${path} has ${size} bytes, at most ${FILE_MAX} are read.`);
  const file = parseTools(path, await readFile(path, "utf8"));
  const table = compileTools(file, path);
  const board = (await listBoards()).find(({ name }) => name === boardName);
  if (board !== undefined) checkPins(path, file.tools, board);
  return { head: assistant, table, notes: toolNotes(file.tools) };
}
