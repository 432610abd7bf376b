import { Engine } from "../../engine/engine.ts";
import { NO_TOOLS } from "../../tools/tool.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import type { Command } from "../command.ts";
import { openRunner, RUNNER_OPTIONS } from "../runner.ts";
import { toolNames } from "../tools_view.ts";

export const run: Command = {
  name: "run",
  summary: "talk with a model in Node, without a board",
  usage: "MODEL",
  options: {
    ...SAMPLING_OPTIONS,
    ...RUNNER_OPTIONS,
    tools: { type: "string", value: "FILE", help: "tools.json for an assistant instead of its own; calls are dry" },
  },
  examples: [
    'tritkit run stories-1m -p "Once upon a time"',
    "tritkit run bitnet.trit --temp 0 --threads 2 --cache",
    'tritkit run assistant --tools tools.json -p "turn on the lamp"',
    'tritkit run stories15M.bin --engine float -p "Once upon a time"',
  ],
  positionals: [1, 1],
  async run(context) {
    const sampling = samplingFrom(context);
    const { engine, label, notes, close } = await openRunner(context);
    try {
      context.out.info(label);
      for (const note of notes) context.out.info(`note  ${note}`);
      const found = engine instanceof Engine ? engine.tools : null;
      if (found !== null) context.out.info(`tools  ${toolNames(found)}   nothing is driven: there is no board`);
      const talker = {
        label: "model",
        generate: engine.generate.bind(engine),
        tools: async () => found ?? NO_TOOLS,
      };
      return await talk(context, talker, sampling);
    } finally {
      await close();
    }
  },
};
