import { Engine } from "../../engine/engine.ts";
import { readImage } from "../../image/reader.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import type { Command } from "../command.ts";
import { CONTEXT_OPTION, contextFrom, ENGINE_OPTION, engineKind, readModel } from "../model_file.ts";

export const run: Command = {
  name: "run",
  summary: "talk with a model in Node, without a board",
  usage: "MODEL",
  options: {
    ...SAMPLING_OPTIONS,
    context: CONTEXT_OPTION,
    engine: ENGINE_OPTION,
  },
  examples: ['tritkit run stories-1m -p "Once upon a time"', "tritkit run my-model.trit --temp 0"],
  positionals: [1, 1],
  async run(context) {
    const { args, out } = context;
    const sampling = samplingFrom(context);
    const bytes = await readModel(args.positionals[0]);
    const engine = await Engine.open(bytes, {
      context: contextFrom(args, readImage(bytes).config.seqLen),
      engine: engineKind(args.text("engine")),
    });
    out.info(`${engine.image.header.name}  engine ${engine.kind}  context ${engine.context} positions`);
    return talk(context, { label: "model", generate: (prompt, options) => engine.generate(prompt, options) }, sampling);
  },
};
