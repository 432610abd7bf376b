/** Predicted against emulated, for people: as text, and as the tables of docs/simulator.md. */
import type { CostTable } from "../../../firmware-sim/index.ts";
import { cyclesOrigin } from "../../../firmware-sim/meter/cost_table.ts";
import type { Calibrated, Unit } from "./emulated.ts";
import { errorOf, type Judged, type Pair, sum } from "./judge.ts";
import { WIRE } from "./parts.ts";
import type { Prediction } from "./predictions.ts";
import type { FlashUse } from "./simulated.ts";

/** What became of one board. */
export interface Result {
  readonly calibrated: Calibrated;
  readonly core: string;
  /** Name and version of the emulator. */
  readonly emulator: string;
  readonly table: CostTable;
  /** Held-out phases, by what is counted. */
  readonly judged: Readonly<Record<Unit, readonly Judged[]>>;
}

/** Largest error of a phase's total, of what the emulator counts. */
export function worst({ judged, calibrated }: Result): number {
  return Math.max(...judged[calibrated.unit].map(({ total }) => Math.abs(errorOf(total))));
}

export function percent(error: number): string {
  return `${error < 0 ? "-" : "+"}${Math.abs(100 * error).toFixed(1)} %`;
}

/** Parts of all phases together, the dearest first, the wire last. */
function partsOf(judged: readonly Judged[]): [string, Pair][] {
  const names = new Set(judged.flatMap(({ parts }) => [...parts.keys()]));
  const pairs = [...names].map((name): [string, Pair] => [
    name,
    sum(judged.flatMap(({ parts }) => parts.get(name) ?? [])),
  ]);
  return pairs.sort((a, b) => Number(a[0] === WIRE) - Number(b[0] === WIRE) || b[1].counted - a[1].counted);
}

const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

export function text(result: Result): string {
  const { calibrated, core, emulator, judged } = result;
  const { unit, board } = calibrated;
  const lines = [`${board} (${core}): ${unit} counted by ${emulator}, held-out runs`];
  const row = (...[run, tokens, counted, predicted, error]: string[]) =>
    lines.push(
      `  ${run.padEnd(44)} ${tokens.padStart(7)} ${counted.padStart(13)} ${predicted.padStart(13)} ${error.padStart(9)}`,
    );
  row("", "tokens", "counted", "predicted", "error");
  for (const { of, total } of judged[unit])
    row(
      `${of.run.name}, ${of.phase}`,
      String(of.tokens),
      whole(total.counted),
      whole(total.predicted),
      percent(errorOf(total)),
    );
  for (const [part, pair] of partsOf(judged[unit]))
    row(`  ${part}`, "", whole(pair.counted), whole(pair.predicted), percent(errorOf(pair)));
  if (unit === "instructions") {
    const cycles = sum(judged.cycles.map(({ total }) => total));
    row(
      `cycles (${cyclesOrigin(result.table)})`,
      "",
      whole(cycles.counted),
      whole(cycles.predicted),
      percent(errorOf(cycles)),
    );
  }
  const [data, code] = waits(judged[unit]);
  row("XIP and cache: data, on top (cycles, derived)", "", "not modelled", whole(data), "");
  row("XIP and cache: code, on top (cycles, derived)", "", "not modelled", whole(code), "");
  row("contention on the bus", "", "not modelled", "not modelled", "");
  return lines.join("\n");
}

const COLUMNS: [head: string, part: RegExp][] = [
  ["products", /^ternary/],
  ["tables", /^their/],
  ["attention", /^attention/],
  ["norms, logits", /^norms/],
  ["sampler", /^sampler/],
  ["wire", /^wire/],
];

export function markdown(results: readonly Result[]): string {
  return `${errorsTable(results)}\n\n${cyclesTable(results)}`;
}

/** `left`: columns of words. */
function table(heads: readonly string[], left: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = heads.map((head) => (left.includes(head) ? "---" : "---:"));
  return [heads, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Answers, without their prompts, and the tokens in them. */
function answersOf(judged: readonly Judged[]): { decode: Judged[]; tokens: number } {
  const decode = judged.filter(({ of }) => of.phase === "decode");
  return { decode, tokens: decode.reduce((all, { of }) => all + of.tokens, 0) };
}

function errorsTable(results: readonly Result[]): string {
  const rows = results.map(({ calibrated: { unit, board }, core, judged: { [unit]: judged } }) => {
    const total = sum(judged.map((of) => of.total));
    const { decode, tokens } = answersOf(judged);
    const each = sum(decode.map((of) => of.total));
    const parts = partsOf(judged);
    const errors = COLUMNS.map(([, pattern]) => parts.find(([name]) => pattern.test(name)));
    return [
      ...[board, core, unit, whole(each.counted / tokens), whole(each.predicted / tokens)],
      ...[`**${percent(errorOf(total))}**`, percent(worstSigned(judged))],
      ...errors.map((found) => (found === undefined ? "" : percent(errorOf(found[1])))),
    ];
  });
  const heads = ["board", "core", "counted", "a token", "predicted", "error", "worst phase"];
  return table([...heads, ...COLUMNS.map(([head]) => head)], heads.slice(0, 3), rows);
}

function cyclesTable(results: readonly Result[]): string {
  const rows = results.map(({ calibrated: { board }, judged, table: of }) => {
    const { decode, tokens } = answersOf(judged.cycles);
    const cycles = sum(decode.map(({ total }) => total));
    const instructions = sum(answersOf(judged.instructions).decode.map(({ total }) => total));
    const [data, code] = waits(decode);
    return [
      ...[board, whole(cycles.predicted / tokens), (cycles.predicted / instructions.predicted).toFixed(2)],
      ...[percent(errorOf(cycles)), cyclesOrigin(of), whole(data / tokens), whole(code / tokens)],
    ];
  });
  const heads = ["board", "cycles a token", "cycles an instruction", "against what they were fitted to", "origin"];
  const waiting = ["waiting for data in flash (derived)", "for code (derived)"];
  return table([...heads, ...waiting], ["board", "origin"], rows);
}

/** Cycles of waiting for data and for code. */
function waits(judged: readonly Judged[]): [data: number, code: number] {
  const all = (of: "dataWait" | "codeWait") => judged.reduce((sum, { of: { flash } }) => sum + flash[of], 0);
  return [all("dataWait"), all("codeWait")];
}

function worstSigned(judged: readonly Judged[]): number {
  return judged.map(({ total }) => errorOf(total)).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
}

function flashEvent({ bytes, dataWait, codeWait }: FlashUse): object {
  return { bytes, data_wait: Math.round(dataWait), code_wait: Math.round(codeWait) };
}

/** Tokens a second of every board, as the tables and the boards' flash have it. */
export function predictionsMarkdown(predictions: readonly Prediction[]): string {
  const heads = ["board", "core", "MHz", "cycles", "origin", "bytes from flash"];
  const more = ["waiting for them (derived)", "for code (derived)", "tokens/s"];
  const rows = predictions.map(({ board, core, hz, cycles, origin, flash }) => [
    ...[board, core, whole(hz / 1e6), whole(cycles), origin, whole(flash.bytes)],
    ...[whole(flash.dataWait), whole(flash.codeWait)],
    (hz / (cycles + flash.dataWait + flash.codeWait)).toFixed(1),
  ]);
  return table([...heads, ...more], ["board", "core", "origin"], rows);
}

export function event(result: Result, { of, total, parts }: Judged): object {
  const { board, unit } = result.calibrated;
  const pair = (of: Pair) => ({
    counted: Math.round(of.counted),
    predicted: Math.round(of.predicted),
    error: Number(errorOf(of).toFixed(5)),
  });
  return {
    event: "calibration",
    ...{
      board,
      core: result.core,
      emulator: result.emulator,
      unit,
      run: of.run.name,
      phase: of.phase,
      tokens: of.tokens,
    },
    ...pair(total),
    parts: Object.fromEntries([...parts].map(([name, each]) => [name, pair(each)])),
    flash: { ...flashEvent(of.flash), wait_origin: "derived" },
  };
}
