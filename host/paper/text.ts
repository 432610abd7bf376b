/** The report in words: numbers as the paper prints them, and the same tables for a terminal and for Markdown. */
import type { HonestRow, PaperReport, PaperRow } from "./report.ts";

export function amount(value: number, unit: PaperRow["unit"]): string {
  if (unit === "GB" || unit === "ms") return value.toFixed(2);
  if (unit === "x") return `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}x`;
  return String(Math.round(value));
}

export function differenceText(difference: number | null): string {
  if (difference === null) return "";
  const percent = (100 * difference).toFixed(1);
  return `${difference >= 0.0005 ? "+" : ""}${percent === "-0.0" ? "0.0" : percent} %`;
}

export const HEAD = ["", "published", "here", "difference", "fitted", "without a fit", "assumes"];

export function cells(row: PaperRow): string[] {
  const published = row.published === null ? "not at hand" : amount(row.published, row.unit);
  return [
    row.what,
    row.where === "memory" ? `${published} (from memory)` : published,
    amount(row.reproduced, row.unit),
    differenceText(row.difference),
    row.fitted,
    row.unfitted === null ? "" : amount(row.unfitted, row.unit),
    row.assumptions.join(", "),
  ];
}

/** Above a column of numbers, with its unit where the numbers have none. */
export function sectionTitle(title: string, rows: readonly PaperRow[]): string {
  const units = [...new Set(rows.map(({ unit }) => unit))].filter((unit) => unit !== "x");
  return units.length === 0 ? title : `${title} (${units.join(", ")})`;
}

export const HONEST_HEAD = [
  "512 tokens",
  "as in the paper",
  "+ float16 head",
  "+ a whole ternary lane",
  "+ weights read once",
  "weights read for every token",
];

export function honestCells(row: HonestRow): string[] {
  const { size, ...ratios } = row;
  return [size, ...Object.values(ratios).map((ratio: number) => amount(ratio, "x"))];
}

const line = (each: readonly string[]): string => `| ${each.join(" | ")} |`;
const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");

/** @param chart file name of the drawing beside it */
export function paperMarkdown(report: PaperReport, chart: string): string {
  const sections = report.sections.map(
    ({ title, rows, remark }) =>
      `## ${sectionTitle(title, rows)}\n\n${markdownTable(HEAD, rows.map(cells))}\n\n${remark}\n`,
  );
  const assumptions = Object.entries(report.assumptions).map(([key, text]) => `- **${key}**: ${text}`);
  return [
    "# The paper's tables, reproduced\n",
    `${report.paper}: its figures of memory, time, throughput and energy beside what comes out when they are calculated from the models' shapes, a card's datasheet and ` +
      "cited energies of operations. Written by `tritkit report paper --out docs`; `tritkit report paper` prints the same tables.\n",
    "Fitted: *no*, nothing was; *held out*, constants were fitted to other numbers and this one is a prediction; *yes*, to this number among others. A published number " +
      "marked *from memory* is printed in a picture of the paper and was not read again.\n",
    `![Differences between published and reproduced numbers, and energy as more of it is counted](${chart})\n`,
    ...sections,
    "## Beside it: energy with what the paper leaves out, LLaMA / b1.58\n",
    `${markdownTable(HONEST_HEAD, report.honest.rows.map(honestCells))}\n\n${report.honest.remark}\n`,
    "## What is assumed\n",
    `${assumptions.join("\n")}\n`,
  ].join("\n");
}
