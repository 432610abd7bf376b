/** Verdicts counted: by set, by tag, by what was wanted; what was taken for what; what other gates would do. */
import type { Example } from "./examples.ts";
import { OUTCOMES, type Outcome, outcome, type Verdict, wantedLabel } from "./judge.ts";

/** An example and what became of it; verdict null: the turn before could not be brought about, which counts as wrong understanding. */
export interface Judged {
  readonly example: Example;
  readonly verdict: Verdict | null;
  /** The answer began in this way: a name of spec/tools.ts TOK_*. */
  readonly said: string;
}

export type Outcomes = Record<Outcome, number>;

export interface Row extends Outcomes {
  readonly name: string;
  readonly examples: number;
  /** Understood, whatever the gate. */
  readonly exact: number;
}

export interface GateRow extends Outcomes {
  /** Logits. */
  readonly gate: number;
}

export interface Confusion {
  readonly wanted: string;
  readonly got: string;
  readonly times: number;
  /** The first few of them. */
  readonly texts: readonly string[];
}

const LOGIT = 65536;
const TEXTS = 3;

/** @param gate 1/65536 */
export function rowOf(name: string, judged: readonly Judged[], gate: number): Row {
  return {
    name,
    examples: judged.length,
    exact: judged.filter(({ verdict }) => verdict?.exact).length,
    ...outcomes(judged, gate),
  };
}

/** A row for each name, in the order of the names. */
export function rowsBy(judged: readonly Judged[], gate: number, namesOf: (one: Judged) => readonly string[]): Row[] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) for (const name of namesOf(one)) groups.set(name, [...(groups.get(name) ?? []), one]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, group]) => rowOf(name, group, gate));
}

function outcomes(judged: readonly Judged[], gate: number): Outcomes {
  const counts: Outcomes = { right: 0, asked: 0, missed: 0, wrong: 0 };
  for (const { verdict } of judged) counts[verdict === null ? "missed" : outcome(verdict, gate)]++;
  return counts;
}

/** What was wanted, in a word: "set", "two", "decline". */
export function wantedClass({ say, calls }: Example): string {
  if (say !== "call") return say;
  return calls.length === 1 ? calls[0].verb : calls.length === 2 ? "two" : "more";
}

function gotClass({ verdict, said }: Judged): string {
  if (verdict === null) return "lost";
  if (said !== "call") return said;
  const calls = verdict.got.split(" + ");
  return calls.length === 1 ? calls[0].split(" ")[0] : calls.length === 2 ? "two" : "more";
}

/** Rows and columns of a table: how often the one was wanted and the other said. */
export interface Matrix {
  readonly names: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

const CLASSES = ["on", "off", "set", "up", "down", "get", "two", "more", "confirm", "none", "decline", "ask", "say"];

export function matrixOf(judged: readonly Judged[]): Matrix {
  const pairs = judged.map((one) => [wantedClass(one.example), gotClass(one)] as const);
  const seen = new Set(pairs.flat());
  const names = [...CLASSES, ...[...seen].filter((name) => !CLASSES.includes(name)).sort()].filter((name) =>
    seen.has(name),
  );
  const counts = names.map(() => names.map(() => 0));
  for (const [wanted, got] of pairs) counts[names.indexOf(wanted)][names.indexOf(got)]++;
  return { names, counts };
}

/** What was taken for what, the most frequent first. */
export function confusionsOf(judged: readonly Judged[]): Confusion[] {
  const found = new Map<string, { wanted: string; got: string; texts: string[] }>();
  for (const { example, verdict } of judged) {
    if (verdict?.exact) continue;
    const wanted = verdict?.wanted ?? wantedLabel(example);
    const got =
      verdict === null ? "(the turn before failed)" : verdict.got === wanted ? `${wanted}, otherwise` : verdict.got;
    const key = `${wanted} > ${got}`;
    const entry = found.get(key) ?? { wanted, got, texts: [] };
    entry.texts.push(example.text);
    found.set(key, entry);
  }
  return [...found.values()]
    .map(({ texts, ...pair }) => ({ ...pair, times: texts.length, texts: texts.slice(0, TEXTS) }))
    .sort((a, b) => b.times - a.times || (a.wanted < b.wanted ? -1 : 1));
}

/** @param gates logits */
export function gateRows(judged: readonly Judged[], gates: readonly number[]): GateRow[] {
  return gates.map((gate) => ({ gate, ...outcomes(judged, gate * LOGIT) }));
}

/** Of every outcome its share. */
export function shares(counts: Outcomes): Outcomes {
  const all = OUTCOMES.reduce((sum, name) => sum + counts[name], 0);
  return Object.fromEntries(OUTCOMES.map((name) => [name, all === 0 ? 0 : counts[name] / all])) as Outcomes;
}
