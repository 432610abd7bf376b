// The model that a command is given, and the engine that runs it.
import { readFile } from "node:fs/promises";
import { modelPath } from "../assets.ts";
import { ENGINE_KINDS, type EngineKind } from "../engine/engine.ts";
import { type OptionSpec, usage } from "./command.ts";

export const ENGINE_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  help: "simd (default), scalar (the board's table kernel) or ref; all give the same answer",
};

/** @throws TritkitError E_USAGE */
export function engineKind(name = "simd"): EngineKind {
  if (name in ENGINE_KINDS) return name as EngineKind;
  throw usage(`There is no engine "${name}"; there are ${Object.keys(ENGINE_KINDS).join(", ")}.`);
}

/** A file, or the name of a bundled model. */
export async function readModel(file: string): Promise<Uint8Array> {
  const path = /[./\\]/.test(file) ? file : await modelPath(file);
  return new Uint8Array(await readFile(path));
}
