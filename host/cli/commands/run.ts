import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import type { Command } from "../command.ts";
import { openRunner, RUNNER_OPTIONS } from "../runner.ts";

export const run: Command = {
  name: "run",
  summary: "talk with a model in Node, without a board",
  usage: "MODEL",
  options: { ...SAMPLING_OPTIONS, ...RUNNER_OPTIONS },
  examples: [
    'tritkit run stories-1m -p "Once upon a time"',
    "tritkit run bitnet.trit --temp 0 --threads 2 --cache",
    'tritkit run stories15M.bin --engine float -p "Once upon a time"',
  ],
  positionals: [1, 1],
  async run(context) {
    const sampling = samplingFrom(context);
    const { engine, label, notes, close } = await openRunner(context);
    try {
      context.out.info(label);
      for (const note of notes) context.out.info(`note  ${note}`);
      const talker = { label: "model", generate: engine.generate.bind(engine) };
      return await talk(context, talker, sampling);
    } finally {
      await close();
    }
  },
};
