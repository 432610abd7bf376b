import { readFile } from "node:fs/promises";
import { type EvalOptions, evaluate } from "../../engine/eval.ts";
import { type Command, type Context, usage } from "../command.ts";
import { NpyRows } from "../npy.ts";
import { secondsText } from "../progress.ts";
import { openRunner, RUNNER_OPTIONS, type Runner } from "../runner.ts";
import { growWhole } from "../whole_file.ts";

export const evaluateCommand: Command = {
  name: "eval",
  summary: "loss, perplexity and bits per byte of a model on a text",
  usage: "MODEL",
  options: {
    text: { type: "string", value: "FILE", help: "the text" },
    tokens: { type: "string", value: "FILE", help: "a JSON list of token ids instead of a text" },
    window: {
      type: "string",
      value: "N",
      help: "tokens read at a time, the begin-of-text token included (default: the context)",
    },
    logits: { type: "string", value: "FILE.npy", help: "write the logits for NumPy: float32, positions x vocabulary" },
    ...RUNNER_OPTIONS,
  },
  examples: [
    "tritkit eval stories-1m --text story.txt",
    "tritkit eval stories-1m --tokens ids.json --logits out.npy --json",
    "tritkit eval examples/models/stories-1m/hf --engine float --text story.txt",
  ],
  positionals: [1, 1],
  async run(context) {
    const { args } = context;
    if ((args.text("text") === undefined) === (args.text("tokens") === undefined))
      throw usage("eval needs either --text or --tokens.");
    const runner = await openRunner(context);
    try {
      await evaluateWith(runner, context);
    } finally {
      await runner.close();
    }
    return 0;
  },
};

async function evaluateWith({ engine }: Runner, { args, out, signal }: Context): Promise<void> {
  const text = args.text("text");
  const ids = text === undefined ? await readIds(args.required("tokens")) : engine.encode(await readFile(text));
  const window = args.integer("window", engine.context, 2, engine.context);
  const logitsPath = args.text("logits");
  const target = logitsPath === undefined ? null : await growWhole(logitsPath);
  try {
    const npy = target && (await NpyRows.create(target.file, engine.config.vocabSize));
    const started = performance.now();
    const options: EvalOptions = {
      window,
      signal,
      onProgress: (done, total) => {
        const seconds = (performance.now() - started) / 1000;
        const left = secondsText((seconds / done) * (total - done));
        out.status(`eval   ${done} of ${total} tokens  ${Math.round(done / seconds)} tok/s  ETA ${left}`);
      },
      onToken: npy
        ? ({ logits }) => npy.add(Float32Array.from(logits, (value) => value * engine.logitUnit))
        : undefined,
    };
    const result = await evaluate(engine, ids, options);
    await npy?.finish();
    await target?.finish();
    out.clearStatus();
    out.event({
      event: "eval",
      tokens: result.tokens,
      loss_nats: result.lossNats,
      ppl: result.perplexity,
      bits_per_byte: result.bitsPerByte,
      windows: result.windows,
      window,
      bytes: result.bytes,
      engine: engine.kind,
    });
    out.text(
      `loss ${result.lossNats.toFixed(4)} nats  perplexity ${result.perplexity.toFixed(3)}  ` +
        `${result.bitsPerByte.toFixed(4)} bits/byte\n`,
    );
    const { bos, addBos } = engine.config;
    const withBos = addBos && bos >= 0;
    const start = withBos ? "each begins with the begin-of-text token" : "no begin-of-text token";
    out.info(
      `${result.tokens} tokens, ${result.bytes} bytes, in ${result.windows} ${result.windows === 1 ? "window" : "windows"} of ${window}, not overlapping (stride ${withBos ? window - 1 : window}), ${start}`,
    );
  } finally {
    await target?.close();
  }
}

async function readIds(path: string): Promise<number[]> {
  const text = await readFile(path, "utf8");
  try {
    const ids: unknown = JSON.parse(text);
    if (Array.isArray(ids) && ids.every((id) => typeof id === "number")) return ids;
  } catch {
    // said below
  }
  throw usage(`${path} is no JSON list of token ids.`);
}
