// The model that a command is given, and the engine that runs it.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { CONTEXT_MIN } from "../../spec/image.ts";
import { listModels, modelPath } from "../assets.ts";
import { ENGINE_KINDS, type EngineKind } from "../engine/engine.ts";
import { TritkitError } from "../errors.ts";
import { type Arguments, type OptionSpec, usage } from "./command.ts";

export const ENGINE_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  help: "simd (default), scalar (the board's table kernel) or ref; all give the same answer",
};

export const CONTEXT_OPTION: OptionSpec = {
  type: "string",
  value: "N",
  help: "positions of the context, one a token (default: the model's longest)",
};

/** --context, 0 without it. @throws TritkitError E_USAGE for one that the model does not have */
export function contextFrom(args: Arguments, seqLen: number): number {
  if (args.text("context") === undefined) return 0;
  const positions = args.integer("context", 0, Math.min(CONTEXT_MIN, seqLen));
  if (positions > seqLen) throw usage(`--context is larger than the model's ${seqLen} positions.`);
  return positions;
}

/** @throws TritkitError E_USAGE */
export function engineKind(name = "simd"): EngineKind {
  if (name in ENGINE_KINDS) return name as EngineKind;
  throw usage(`There is no engine "${name}"; there are ${Object.keys(ENGINE_KINDS).join(", ")}.`);
}

/** A file, or the name of a bundled model. @throws TritkitError E_UNKNOWN_MODEL, E_FILE_NOT_FOUND, E_FILE_IS_FOLDER */
export async function readModel(file: string): Promise<Uint8Array> {
  const path = /[./\\]/.test(file) ? file : await modelPath(file);
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const name = basename(file, ".trit");
    if (code === "ENOENT" && (await listModels()).includes(name)) {
      const hint = `${name} is bundled: give the name alone.`;
      throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${file}.`, hint, 1, { cause });
    }
    if (code === "EISDIR") {
      const hint = "`tritkit convert` makes a .trit file from a Hugging Face folder.";
      throw new TritkitError("E_FILE_IS_FOLDER", `${file} is a folder, not a .trit file.`, hint, 1, { cause });
    }
    throw cause;
  }
}
