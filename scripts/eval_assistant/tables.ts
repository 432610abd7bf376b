/** An evaluation as Markdown: for the model card, and, as it is, for people at a terminal. */
import type { Evaluation } from "./evaluation.ts";
import { OUTCOMES } from "./judge.ts";
import type { Latency } from "./latency.ts";
import { type Matrix, type Row, shares } from "./tally.ts";

const percent = (part: number, whole: number): string => (whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`);

/** Columns are padded, so that it reads without a browser too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join("\n");
}

export function claimsTable({ claims }: Evaluation): string {
  const head = ["claim", "examples", "right", "share", "asked for", "understood", "asked back", "done wrong"];
  return table(
    head,
    claims.map(({ what, wanted, row, share, met }) => [
      what,
      String(row.examples),
      String(row.right),
      `${(100 * share).toFixed(1)} %${met ? "" : " (missed)"}`,
      wanted === null ? "" : `${(100 * wanted).toFixed(0)} %`,
      percent(row.exact, row.examples),
      String(row.asked),
      String(row.wrong),
    ]),
  );
}

export function rowsTable(what: string, rows: readonly Row[]): string {
  return table(
    [what, "examples", "understood", "right", "asked back", "missed", "done wrong"],
    rows.map((row) => [
      row.name,
      String(row.examples),
      percent(row.exact, row.examples),
      percent(row.right, row.examples),
      ...(["asked", "missed", "wrong"] as const).map((name) => String(row[name])),
    ]),
  );
}

export function matrixTable({ names, counts }: Matrix): string {
  return table(
    ["wanted, and said", ...names],
    counts
      .map((row, i) => [names[i], ...row.map((count) => (count === 0 ? "" : String(count)))])
      .filter((row) => row.slice(1).some(Boolean)),
  );
}

export function confusionsTable({ confusions }: Evaluation, most: number): string {
  return table(
    ["wanted", "said", "times", "for example"],
    confusions
      .slice(0, most)
      .map(({ wanted, got, times, texts }) => [wanted, got, String(times), texts[0].slice(0, 80)]),
  );
}

export function gatesTable({ gates, model }: Evaluation): string {
  return table(
    ["gate, logits", "right", "asked back", "missed", "done wrong"],
    gates.map((row) => {
      const share = shares(row);
      const mark = row.gate === model.gate ? " (the image's)" : "";
      return [`${row.gate}${mark}`, ...OUTCOMES.map((name) => `${row[name]}, ${(100 * share[name]).toFixed(1)} %`)].map(
        String,
      );
    }),
  );
}

export function latencyTable(latencies: readonly Latency[]): string {
  const ms = (seconds: number | null): string => (seconds === null ? "-" : `${Math.round(seconds * 1000)} ms`);
  return table(
    ["board", "core", "prompt tok/s", "answer tok/s", "first turn", "later turns", "cycles"],
    latencies.map((one) => [
      one.board,
      one.core,
      one.promptRate.toFixed(1),
      one.answerRate.toFixed(1),
      ms(one.first),
      ms(one.later),
      one.origin,
    ]),
  );
}

const SECTIONS: readonly [title: string, of: (evaluation: Evaluation) => string][] = [
  ["What is claimed", claimsTable],
  ["By set", ({ sets, all }) => rowsTable("set", [...sets, all])],
  ["By set and what is meant", ({ says }) => rowsTable("set: meant", says)],
  ["By tag", ({ tags }) => rowsTable("tag", tags)],
  ["By what is meant", ({ classes }) => rowsTable("meant", classes)],
  ["By kind of tool", ({ kinds }) => rowsTable("kind", kinds)],
  ["What is taken for what", ({ matrix }) => matrixTable(matrix)],
  ["Most frequent mistakes", (evaluation) => confusionsTable(evaluation, 15)],
  ["What other gates would do", gatesTable],
];

/** All of it. */
export function markdown(evaluation: Evaluation): string {
  const { model, sample, board, elsewhere } = evaluation;
  const asked = sample === null ? "all examples" : `${sample.asked} of ${sample.of} examples, seed ${sample.seed}`;
  const head = `${model.name}, ${model.bytes} bytes, sha256 ${model.sha256.slice(0, 8)}, gate ${model.gate} logits; the device build for ${board}; ${asked}.`;
  const same = elsewhere.map(({ place, asked: n, same: k }) => `- ${place}: the same ids for ${k} of ${n} examples`);
  const sections = SECTIONS.map(([title, of]) => `### ${title}\n\n${of(evaluation)}`);
  if (same.length > 0) sections.push(`### The same words elsewhere\n\n${same.join("\n")}`);
  return `${[head, ...sections].join("\n\n")}\n`;
}
