import { Engine } from "../../engine/engine.ts";
import { SAMPLING_OPTIONS, talk } from "../chat_view.ts";
import type { Command } from "../command.ts";
import { ENGINE_OPTION, engineKind, readModel } from "../model_file.ts";

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
