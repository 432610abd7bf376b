/** Predicted against emulated, for people: as text, and as the tables of docs/simulator.md. */
import type { CostTable } from "../../../firmware-sim/index.ts";
import { cyclesOrigin } from "../../../firmware-sim/meter/cost_table.ts";
import type { Calibrated, Unit } from "./emulated.ts";
import { errorOf, type Judged, type Pair, sum } from "./judge.ts";
import { WIRE } from "./parts.ts";
import type { Prediction } from "./predictions.ts";

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
  const wait = judged[unit].reduce((all, { of }) => all + of.flash.wait, 0);
  row("XIP and cache, on top (cycles, derived)", "", "not modelled", whole(wait), "");
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
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const partCells = (judged: readonly Judged[]) => {
    const parts = partsOf(judged);
    return COLUMNS.map(([, pattern]) => {
      const found = parts.find(([name]) => pattern.test(name));
      return found === undefined ? "" : percent(errorOf(found[1]));
    });
  };
  const heads = [
    "board",
    "core",
    "counted",
    "a token",
    "predicted",
    "error",
    "worst phase",
    ...COLUMNS.map(([head]) => head),
  ];
  const rows = results.map((result) => {
    const { unit, board } = result.calibrated;
    const judged = result.judged[unit];
    const total = sum(judged.map((of) => of.total));
    const decode = judged.filter(({ of }) => of.phase === "decode");
    const tokens = decode.reduce((all, { of }) => all + of.tokens, 0);
    const each = sum(decode.map((of) => of.total));
    return line([
      ...[board, result.core, unit, whole(each.counted / tokens), whole(each.predicted / tokens)],
      ...[`**${percent(errorOf(total))}**`, percent(worstSigned(judged)), ...partCells(judged)],
    ]);
  });
  const waits = results.map((result) => {
    const decode = result.judged.cycles.filter(({ of }) => of.phase === "decode");
    const tokens = decode.reduce((all, { of }) => all + of.tokens, 0);
    const { counted, predicted } = sum(decode.map((of) => of.total));
    const instructions = sum(
      result.judged.instructions.filter(({ of }) => of.phase === "decode").map((of) => of.total),
    );
    const wait = decode.reduce((all, { of }) => all + of.flash.wait, 0);
    return line([
      ...[result.calibrated.board, whole(predicted / tokens), (predicted / instructions.predicted).toFixed(2)],
      ...[percent(predicted / counted - 1), cyclesOrigin(result.table), whole(wait / tokens)],
    ]);
  });
  const second = [
    "board",
    "cycles a token",
    "cycles an instruction",
    "against what they were fitted to",
    "origin",
    "waiting for flash, derived",
  ];
  return [
    ...[line(heads), line(heads.map((_, i) => (i < 3 ? "---" : "---:"))), ...rows, ""],
    ...[line(second), line(second.map((_, i) => (i === 0 || i === 4 ? "---" : "---:"))), ...waits],
  ].join("\n");
}

function worstSigned(judged: readonly Judged[]): number {
  return judged.map(({ total }) => errorOf(total)).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
}

/** Tokens a second of every board, as the tables and the boards' flash have it. */
export function predictionsMarkdown(predictions: readonly Prediction[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const heads = [
    "board",
    "core",
    "MHz",
    "cycles",
    "origin",
    "bytes from flash",
    "waiting for it (derived)",
    "tokens/s",
  ];
  return [
    line(heads),
    line(heads.map((_, i) => ([0, 1, 4].includes(i) ? "---" : "---:"))),
    ...predictions.map(({ board, core, hz, cycles, origin, flashBytes, flashWait }) =>
      line([
        ...[board, core, whole(hz / 1e6), whole(cycles), origin, whole(flashBytes), whole(flashWait)],
        (hz / (cycles + flashWait)).toFixed(1),
      ]),
    ),
  ].join("\n");
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
    flash: { bytes: of.flash.bytes, wait: Math.round(of.flash.wait), wait_origin: "derived" },
  };
}
