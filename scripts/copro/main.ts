/**
 * npm run copro: what a ternary coprocessor brings, and where the time goes then: tokens a second with the unit and with the same board's unit switched off, the
 * ternary products beside weight bytes / bandwidth, and the rest of a token by part. The tables of docs/coprocessor.md.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadBoard, modelPath } from "../../host/assets.ts";
import { buildImage, type RandomOptions, randomModel } from "../../host/convert/index.ts";
import { ROOT } from "../lib/root.mjs";
import { bandwidth } from "./bandwidth.ts";
import { benchWith, type Cost, type Measured, measure, ternaryBytes } from "./measure.ts";
import { PARTS } from "./parts.ts";

const HELP = `npm run copro -- [options]: a board with a ternary coprocessor beside the same one with the unit switched off

  --only NAME    one of the runs below, e.g. --only 1m
  --json         {"event":"copro_run","model":s,"board":s,"unit":bool,"tok_s":x,"prompt_tok_s":x,...} a line
  --markdown     the tables of docs/coprocessor.md
  --functions    the dearest functions of the device module, too

  npm run copro -- --only 1m
  npm run copro -- --markdown

runs: 1m (stories-1m on rp2040-pico+tgemv), 1m-psram, 15m and 100m (random weights on rp2350-pico2+tgemv)

Exit status: 0, 1 when tokens differ or the products take more than 20 % longer than their bytes, 2 wrong usage.
`;

interface Run {
  readonly name: string;
  readonly model: string;
  readonly board: string;
  /** Random weights; left out: a bundled model. */
  readonly shape?: RandomOptions;
  /** Tokens of the answer before those that are measured. */
  readonly position: number;
}

const SHAPE_15M = {
  dim: 288,
  hiddenDim: 768,
  nLayers: 6,
  nHeads: 6,
  nKvHeads: 6,
  headDim: 48,
  vocabSize: 32000,
  seqLen: 256,
};
const SHAPE_100M = {
  dim: 768,
  hiddenDim: 2048,
  nLayers: 16,
  nHeads: 12,
  nKvHeads: 4,
  headDim: 64,
  vocabSize: 16000,
  seqLen: 512,
};
const RUNS: readonly Run[] = [
  { name: "1m", model: "stories-1m", board: "rp2040-pico+tgemv", position: 64 },
  { name: "1m-psram", model: "stories-1m", board: "rp2350-pico2+tgemv", position: 64 },
  { name: "15m", model: "random-15m", board: "rp2350-pico2+tgemv", shape: SHAPE_15M, position: 32 },
  { name: "100m", model: "random-100m", board: "rp2350-pico2+tgemv", shape: SHAPE_100M, position: 8 },
];
const PROMPT = "once upon a time there was";
/** Above this the ternary products take longer than the memory explains. */
const ALLOWED = 1.2;

interface Result {
  readonly run: Run;
  readonly bytes: number;
  /** Bytes a second that the board's memory brings the unit. */
  readonly bandwidth: number;
  readonly withUnit: Measured;
  readonly without: Measured;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      json: { type: "boolean" },
      markdown: { type: "boolean" },
      functions: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const runs = RUNS.filter(({ name }) => values.only === undefined || values.only === name);
  if (runs.length === 0)
    throw new RangeError(`there is no run ${values.only}; there are ${RUNS.map(({ name }) => name).join(", ")}`);
  let failed = 0;
  const results: Result[] = [];
  for (const run of runs) {
    const result = await resultOf(run);
    results.push(result);
    failed += problems(result).length;
    if (values.json) for (const unit of [true, false]) console.log(JSON.stringify(eventOf(result, unit)));
    else if (!values.markdown) console.log(text(result, values.functions === true));
    for (const problem of problems(result)) console.error(`copro: ${run.name}: ${problem}`);
  }
  if (values.markdown) console.log(markdown(results));
  return failed === 0 ? 0 : 1;
}

async function resultOf(run: Run): Promise<Result> {
  const image = await imageOf(run);
  const board = await loadBoard(run.board);
  const bench = await benchWith(run.board, image);
  const withUnit = await measure(bench, PROMPT, run.position, false);
  const without = await measure(bench, PROMPT, run.position, true);
  return { run, bytes: ternaryBytes(image), bandwidth: bandwidth(board), withUnit, without };
}

/** Random models are made once: a minute for the largest. */
async function imageOf({ model, shape }: Run): Promise<Uint8Array> {
  if (shape === undefined) return new Uint8Array(await readFile(await modelPath(model)));
  const file = join(ROOT, "build/copro", `${model}.trit`);
  const made = await readFile(file).catch(() => null);
  if (made !== null) return new Uint8Array(made);
  const { bytes } = await buildImage(randomModel({ ...shape, name: model }), { embedPacking: "t3" });
  await mkdir(join(ROOT, "build/copro"), { recursive: true });
  await writeFile(file, bytes);
  return bytes;
}

/** What must hold; sentences. */
function problems({ withUnit, without, bytes, bandwidth: speed }: Result): string[] {
  const found: string[] = [];
  const n = Math.min(withUnit.tokenIds.length, without.tokenIds.length);
  const same = withUnit.tokenIds.slice(0, n).every((id, i) => id === without.tokenIds[i]);
  if (!same || n === 0) found.push("the tokens of unit and CPU differ");
  if (withUnit.errors > 0) found.push(`the unit failed ${withUnit.errors} times`);
  if (withUnit.token.weightBytes !== bytes)
    found.push(`the unit took ${withUnit.token.weightBytes} bytes of weights, not ${bytes}`);
  const share = (withUnit.token.unit * speed) / bytes;
  if (share > ALLOWED) found.push(`the ternary products take ${share.toFixed(2)} times what their bytes take`);
  return found;
}

function eventOf({ run, bytes, bandwidth: speed, withUnit, without }: Result, unit: boolean): object {
  const { token, promptToken, context } = unit ? withUnit : without;
  return {
    event: "copro_run",
    model: run.model,
    board: run.board,
    unit,
    context,
    position: run.position,
    tok_s: figure(1 / token.seconds),
    prompt_tok_s: figure(1 / promptToken.seconds),
    seconds: token.seconds,
    unit_seconds: token.unit,
    slept_seconds: token.slept,
    ternary_bytes: bytes,
    memory_seconds: bytes / speed,
    waiting_seconds: token.waiting,
    mj_per_token: token.mj === null ? null : figure(token.mj),
    cpu_seconds: Object.fromEntries(token.cpu),
  };
}

function text(result: Result, functions: boolean): string {
  const { run, bytes, bandwidth: speed, withUnit, without } = result;
  const { token } = withUnit;
  const lines = [
    `${run.model} on ${run.board}: ${rate(token)} tokens/s with the unit, ${rate(without.token)} without; prompt ${rate(withUnit.promptToken)} and ${rate(without.promptToken)} (${withUnit.context} positions, measured after ${run.position} tokens)`,
    `  ternary products  ${ms(token.unit)} ms for ${bytes} bytes, ${ms(bytes / speed)} ms at ${(speed / 1e6).toFixed(1)} MB/s: ${((token.unit * speed) / bytes).toFixed(3)}`,
    ...shares(token).map(
      ([part, seconds]) => `  ${part.padEnd(34)} ${ms(seconds).padStart(9)} ms ${percent(seconds, token).padStart(5)}`,
    ),
  ];
  if (token.mj !== null && without.token.mj !== null)
    lines.splice(
      1,
      0,
      `  energy            ${token.mj.toPrecision(3)} mJ a token with the unit, ${without.token.mj.toPrecision(3)} without (assumed and derived: docs/energy.md)`,
    );
  if (functions)
    for (const [name, seconds] of [...token.functions].slice(0, 12))
      lines.push(`      ${ms(seconds).padStart(9)} ms ${name}`);
  return `${lines.join("\n")}\n`;
}

/** A whole token: asleep, the CPU's parts, and waiting for memory. */
function shares(token: Cost): [string, number][] {
  return [
    ["sleeping while the unit works", token.slept],
    ...PARTS.map((part): [string, number] => [part, token.cpu.get(part) ?? 0]),
    ["waiting for memory", token.waiting],
  ];
}

function energy({ mj }: Cost): string {
  return mj === null ? "unknown" : mj.toPrecision(3);
}

function markdown(results: readonly Result[]): string {
  const speed = results.map(({ run, withUnit, without, bytes, bandwidth: each }) => {
    const { token, promptToken } = withUnit;
    const cells = [
      ...[run.model, run.board, `${rate(without.token)} / ${rate(token)}`],
      `${energy(without.token)} / ${energy(token)}`,
      ...[`${rate(without.promptToken)} / ${rate(promptToken)}`, `${(bytes / 1e6).toFixed(2)} MB`],
      ...[`${(each / 1e6).toFixed(1)} MB/s`, `${ms(bytes / each)} ms`, `${ms(token.unit)} ms`],
      `${(((token.unit * each) / bytes - 1) * 100).toFixed(1)} %`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const columns = results.map(({ run }) => `${run.name}, after ${run.position} tokens`);
  const rows = shares(results[0].withUnit.token).map(([part], i) => {
    const cells = results.map(({ withUnit: { token } }) => {
      const [, seconds] = shares(token)[i];
      return `${ms(seconds)} ms, ${percent(seconds, token)}`;
    });
    return `| ${part} | ${cells.join(" | ")} |`;
  });
  return [
    "| model | board | tokens/s, CPU / unit | mJ/token, CPU / unit | prompt tokens/s, CPU / unit | ternary weights | memory | bytes / bandwidth | products | above it |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...speed,
    "",
    `| part of a token | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows,
    `| whole token | ${results.map(({ withUnit }) => `${ms(withUnit.token.seconds)} ms`).join(" | ")} |`,
  ].join("\n");
}

const figure = (n: number): number => Number(n.toPrecision(4));
const rate = ({ seconds }: Cost): string => String(figure(1 / seconds));
const ms = (seconds: number): string => (seconds * 1000).toFixed(seconds < 0.1 ? 2 : 1);
const percent = (seconds: number, token: Cost): string => `${((100 * seconds) / token.seconds).toFixed(1)} %`;

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  console.error(`copro: ${error.message}`);
  process.exitCode = usage ? 2 : 1;
}
