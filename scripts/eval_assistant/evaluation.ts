/** Everything that an evaluation finds, as plain data: what `--json` and evaluation.json hold, and what the tables are made of. */
import { type Claim, claimsOf } from "./claims.ts";
import { outcome } from "./judge.ts";
import {
  type Confusion,
  confusionsOf,
  type GateRow,
  gateRows,
  type Judged,
  type Matrix,
  matrixOf,
  type Row,
  rowOf,
  rowsBy,
  wantedClass,
} from "./tally.ts";

export interface Model {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Logits. */
  readonly gate: number;
}

export interface Evaluation {
  readonly event: "assistant_evaluation";
  readonly model: Model;
  readonly board: string;
  /** Of all examples so many were asked, drawn with the seed. */
  readonly sample: { readonly asked: number; readonly of: number; readonly seed: number } | null;
  readonly all: Row;
  readonly claims: readonly Claim[];
  readonly sets: readonly Row[];
  /** By set and what was wanted: call, none, decline, ... */
  readonly says: readonly Row[];
  readonly tags: readonly Row[];
  /** By what was wanted, in a word. */
  readonly classes: readonly Row[];
  readonly kinds: readonly Row[];
  readonly matrix: Matrix;
  readonly confusions: readonly Confusion[];
  readonly gates: readonly GateRow[];
  /** Of each set, in the order of its lines: how each example ended at the image's gate, by its first letter; "-": it was not asked. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** The same words elsewhere. */
  readonly elsewhere: readonly Elsewhere[];
}

/** @param gate 1/65536 */
function outcomesOf(judged: readonly Judged[], gate: number): Record<string, string> {
  const letters: Record<string, string[]> = {};
  for (const { example, verdict } of judged) {
    letters[example.set] ??= [];
    letters[example.set][example.line - 1] = letterOf(verdict, gate);
  }
  const joined = Object.entries(letters).map(([set, of]) => [set, Array.from(of, (letter) => letter ?? "-").join("")]);
  return Object.fromEntries(joined);
}

/** @param gate 1/65536 */
export function letterOf(verdict: Judged["verdict"], gate: number): string {
  return verdict === null ? "m" : outcome(verdict, gate)[0];
}

/** Whether another build gave the same ids. */
export interface Elsewhere {
  readonly place: string;
  readonly asked: number;
  readonly same: number;
  readonly differing: readonly string[];
}

const LOGIT = 65536;
/** Logits. */
const GATES = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6];
const CONFUSIONS = 30;

export function evaluationOf(
  judged: readonly Judged[],
  rest: Pick<Evaluation, "model" | "board" | "sample" | "elsewhere">,
): Evaluation {
  const gate = rest.model.gate * LOGIT;
  const by = (namesOf: (one: Judged) => readonly string[]): Row[] => rowsBy(judged, gate, namesOf);
  const shortSet = ({ example }: Judged): string => example.set.replace(/\.jsonl$/, "");
  return {
    event: "assistant_evaluation",
    ...rest,
    all: rowOf("all", judged, gate),
    claims: claimsOf(judged, gate),
    sets: by((one) => [shortSet(one)]),
    says: by((one) => [`${shortSet(one)}: ${one.example.say}`]),
    tags: by(({ example }) => example.tags),
    classes: by(({ example }) => [wantedClass(example)]),
    kinds: by(({ example: { calls, tools } }) => [
      ...new Set(calls.map(({ tool }) => tools.tools.find(({ name }) => name === tool)?.kind ?? "all")),
    ]),
    matrix: matrixOf(judged),
    confusions: confusionsOf(judged).slice(0, CONFUSIONS),
    gates: gateRows(judged, GATES),
    outcomes: outcomesOf(judged, gate),
  };
}
