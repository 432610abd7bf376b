// The tools.json that a command is given.
import { readFile, stat } from "node:fs/promises";
import { TritkitError } from "../errors.ts";
import { compileTools } from "../tools/compile.ts";
import { FILE_MAX, parseTools, type ToolsFile } from "../tools/parse.ts";

/** Of an image that was given tools, or asked for some. */
export function notAssistant(name: string): TritkitError {
  const hint =
    "An assistant is `assistant`, or what `tritkit convert` makes of a model with the tokens of spec/TOOLS.md.";
  return new TritkitError("E_NOT_ASSISTANT", `${name} is no assistant: it has no use for tools.`, hint);
}

/** @throws TritkitError E_TOOLS for what cannot be one; Node's errors for a file that cannot be read */
export async function readToolsText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > FILE_MAX)
    throw new TritkitError("E_TOOLS", `${path} has ${size} bytes, a tools.json has at most ${FILE_MAX}.`);
  return readFile(path, "utf8");
}

/** @throws TritkitError E_TOOLS, E_TOOLS_TOO_LARGE */
export async function readToolsFile(path: string): Promise<{ file: ToolsFile; bytes: Uint8Array }> {
  const file = parseTools(path, await readToolsText(path));
  return { file, bytes: compileTools(file, path) };
}
