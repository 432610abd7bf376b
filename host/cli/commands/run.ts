import { readFile } from "node:fs/promises";
import { modelPath } from "../../assets.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../../engine/engine.ts";
import { SAMPLING_OPTIONS, talk } from "../chat_view.ts";
import { type Command, type OptionSpec, usage } from "../command.ts";

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

export const run: Command = {
  name: "run",
  summary: "talk with a model in Node, without a board",
  usage: "FILE",
  options: {
    ...SAMPLING_OPTIONS,
    context: { type: "string", value: "N", help: "positions of the context (default: the model's longest)" },
    engine: ENGINE_OPTION,
  },
  examples: ['tritkit run stories-1m -p "Once upon a time"', "tritkit run my-model.trit --temp 0"],
  positionals: [1, 1],
  async run(context) {
    const { args, out } = context;
    const bytes = await readModel(args.positionals[0]);
    const engine = await Engine.open(bytes, {
      context: args.integer("context", 0),
      engine: engineKind(args.text("engine")),
    });
    out.info(`${engine.image.header.name}  engine ${engine.kind}  context ${engine.context} positions`);
    return talk(context, { label: "model", generate: (prompt, options) => engine.generate(prompt, options) });
  },
};
