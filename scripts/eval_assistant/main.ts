/**
 * npm run eval:assistant: what an assistant makes of words that it never trained on. The held-out sets of examples/assistant/eval go through the device build, as a chip
 * runs it, on a simulated board whose computing takes no time; PyTorch is nowhere near. USAGE below; examples/models/assistant/README.md has the results.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { modelPath } from "../../host/assets.ts";
import { secondsText } from "../../host/cli/progress.ts";
import { readImage } from "../../host/image/reader.ts";
import { SAYS } from "../../host/tools/names.ts";
import { Steps } from "../bench/steps.ts";
import { elsewhere, type PlaceName } from "./elsewhere.ts";
import { type Elsewhere, type Evaluation, evaluationOf } from "./evaluation.ts";
import { type Example, SETS_FOLDER, setNames } from "./examples.ts";
import { baseOf } from "./gate.ts";
import { judge, wantedLabel } from "./judge.ts";
import { latencies } from "./latency.ts";
import { type Answers, askAll, isWorker, readAll } from "./pool.ts";
import { sampled } from "./sample.ts";
import { latencyTable, markdown } from "./tables.ts";
import type { Judged } from "./tally.ts";

const USAGE = `npm run eval:assistant -- [options]: the held-out words of examples/assistant/eval through the device build

  --model M       an image, or the name of a bundled model (default assistant)
  --set NAME      only this set, e.g. hwu64.test; again for more (default: every *.test)
  --file FILE     a set of your own, in the same form; again for more
  --sample N      N examples, drawn with the seed
  --seed S        of every draw (default 1)
  --threads N     boards at a time, 1 or 2 (default 1)
  --engine N      N of them in Node's engine too: the ids have to be the same (default 0)
  --wasi N        the same with the WASI build
  --latency [B..] instead: tokens/s and the time from Enter to a pin on each board, or on the boards named
  --json          {"event":"assistant_evaluation",...} on stdout, or {"event":"assistant_latency",...} a board, instead of tables
  --out DIR       writes evaluation.json and evaluation.md there; with --latency latency.json and latency.md
  --all-mistakes  lists every example that was not understood

  npm run eval:assistant -- --sample 500
  npm run eval:assistant -- --engine 300 --wasi 300 --out examples/models/assistant/results

Exit status: 0, 1 when ids differ elsewhere or something failed, 2 wrong usage.
`;

const MODEL = "assistant";
const LOGIT = 65536;
const THREADS_MAX = 2;

class UsageError extends Error {}

function options() {
  const flag = { type: "boolean" } as const;
  const text = { type: "string" } as const;
  const texts = { type: "string", multiple: true } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...{ model: text, set: texts, file: texts, sample: text, seed: text, threads: text, engine: text, wasi: text },
        ...{ latency: flag, json: flag, out: text, "all-mistakes": flag, help: flag },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

type Values = ReturnType<typeof options>["values"];

/** A whole number from `least` on. */
function count(values: Values, name: "sample" | "seed" | "threads" | "engine" | "wasi", least: number): number | null {
  const value = values[name];
  if (value === undefined) return null;
  const number = Number(value);
  if (!Number.isInteger(number) || number < least)
    throw new UsageError(`--${name} takes a whole number from ${least} on`);
  return number;
}

async function main(): Promise<number> {
  const { values, positionals } = options();
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (positionals.length > 0 && !values.latency)
    throw new UsageError(`what is "${positionals[0]}"? Boards follow --latency`);
  const path = await imagePath(values.model ?? MODEL);
  const image = new Uint8Array(await readFile(path));
  if (readImage(image).assistant == null) throw new UsageError(`${path} is no assistant`);
  return values.latency ? tellLatencies(image, positionals, values) : evaluate(image, values);
}

async function imagePath(model: string): Promise<string> {
  return model.endsWith(".trit") ? model : modelPath(model);
}

async function evaluate(image: Uint8Array, values: Values): Promise<number> {
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => abort.abort());
  const steps = new Steps(process.stderr);
  const seed = count(values, "seed", 0) ?? 1;
  const files = await filesOf(values);
  const examples = await readAll(files);
  const all = examples.map((_, i) => i);
  const wanted = sampled(all, count(values, "sample", 1) ?? all.length, seed);
  if (wanted.length === 0) throw new UsageError(`there is no example in ${SETS_FOLDER}`);

  let answers: Answers = new Map();
  await steps.run(`${wanted.length} examples`, async (progress) => {
    const started = performance.now();
    const rate = (done: number): string => `${(done / ((performance.now() - started) / 1000)).toFixed(0)} a second`;
    answers = await askAll(examples, {
      ...{ image, files, wanted, signal: abort.signal },
      threads: Math.min(THREADS_MAX, count(values, "threads", 1) ?? 1),
      onProgress: (done) => progress(done / wanted.length, `${done} of ${wanted.length}, ${rate(done)}`),
    });
    return rate(wanted.length);
  });
  const places: Elsewhere[] = [];
  for (const place of ["engine", "wasi"] as const satisfies readonly PlaceName[]) {
    const n = count(values, place, 0) ?? 0;
    if (n === 0) continue;
    await steps.run(`${place}`, async (progress) => {
      const onProgress = (done: number, of: number): void => progress(done / of, `${done} of ${of}`);
      const found = await elsewhere(place, image, examples, answers, { n, seed, onProgress });
      places.push(found);
      return `${found.same} of ${found.asked} the same`;
    });
  }

  const judged = wanted.map((i) => judgedOf(examples[i], answers.get(i) ?? null, baseOf(image)));
  const { header, assistant } = readImage(image);
  const evaluation = evaluationOf(judged, {
    model: {
      name: header.name,
      bytes: image.length,
      sha256: createHash("sha256").update(image).digest("hex"),
      gate: assistant?.gate ?? 0,
    },
    board: "rp2040-pico",
    sample: wanted.length === all.length ? null : { asked: wanted.length, of: all.length, seed },
    elsewhere: places,
  });
  if (values.json) process.stdout.write(`${JSON.stringify(evaluation)}\n`);
  else process.stdout.write(markdown(evaluation));
  if (values["all-mistakes"]) process.stdout.write(mistakes(judged));
  if (values.out !== undefined) await keep(values.out, "evaluation", evaluation, markdown(evaluation));
  for (const { place, differing } of places)
    for (const text of differing) steps.line(`${place} answers otherwise: ${JSON.stringify(text)}`);
  return places.every(({ differing }) => differing.length === 0) ? 0 : 1;
}

async function filesOf({ set: sets, file: own = [] }: Values): Promise<string[]> {
  const known = await setNames();
  const names = sets ?? (own.length > 0 ? [] : known.filter((name) => name.endsWith(".test.jsonl")));
  return [
    ...names.map((name) => {
      const file = name.endsWith(".jsonl") ? name : `${name}.jsonl`;
      if (!known.includes(file)) throw new UsageError(`there is no set ${name}; there are ${known.join(", ")}`);
      return join(SETS_FOLDER, file);
    }),
    ...own,
  ];
}

function judgedOf(example: Example, asked: ReturnType<Answers["get"]> | null, base: number): Judged {
  if (asked == null) return { example, verdict: null, said: "" };
  const { say } = asked.turn;
  return {
    example,
    verdict: judge(example, asked.turn, base, asked.values),
    said: say === null ? "nothing" : SAYS[say],
  };
}

function mistakes(judged: readonly Judged[]): string {
  const lines = judged
    .filter(({ verdict }) => verdict?.exact !== true)
    .map(({ example, verdict }) => {
      const { set, line, text } = example;
      const margin = Math.min(...(verdict?.calls ?? []).map((call) => call.margin / LOGIT));
      const sure = Number.isFinite(margin) ? `, margin ${margin.toFixed(2)}` : "";
      return `${set}:${line}  ${JSON.stringify(text)}  wanted ${wantedLabel(example)}, got ${verdict?.got ?? "no turn before"}${sure}\n`;
    });
  return `\n${lines.join("")}`;
}

async function tellLatencies(image: Uint8Array, boards: readonly string[], values: Values): Promise<number> {
  const steps = new Steps(process.stderr);
  const started = performance.now();
  const found = await latencies(image, boards, (one) => {
    if (values.json) process.stdout.write(`${JSON.stringify({ event: "assistant_latency", ...one })}\n`);
    steps.line("why" in one ? `${one.board}: ${one.why}` : one.board);
  });
  steps.line(`latency  ${secondsText((performance.now() - started) / 1000)}`);
  const page = `${latencyTable(found.flatMap((one) => ("why" in one ? [] : [one])))}\n`;
  if (!values.json) process.stdout.write(page);
  if (values.out !== undefined) await keep(values.out, "latency", found, page);
  return 0;
}

async function keep(folder: string, name: string, data: Evaluation | object, page: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(data, null, 1)}\n`);
  await writeFile(join(folder, `${name}.md`), page);
}

if (!isWorker) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`eval:assistant: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
