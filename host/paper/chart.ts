/** Two drawings in one SVG: how far every reproduced number is from the published one, and the energy ratio as more of it is counted. */
import type { HonestRow, PaperReport, PaperRow } from "./report.ts";
import { amount, differenceText, HONEST_HEAD } from "./text.ts";

const WIDTH = 940;
const LEFT = 290;
const RIGHT = 690;
const LINE = 17;
/** Differences at the ends of the axis. */
const REACH = 0.15;
const INK = "#1f2430";
const MARKS = {
  no: { colour: "#1b7f3b", words: "nothing fitted" },
  "held out": { colour: "#2456c9", words: "prediction, constants fitted elsewhere" },
  yes: { colour: "#9ca3af", words: "constants fitted to this table" },
} as const;
const BARS = ["#2456c9", "#7c9ce0", "#1b7f3b", "#b45309", "#7c2d12"];

export function paperChart(report: PaperReport): string {
  const differences = drawDifferences(report, 44);
  const energy = drawEnergy(report.honest.rows, differences.bottom + 50);
  const height = energy.bottom + 16;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12.5" fill="${INK}">`,
    "<style>.s{font-size:11.5px;fill:#4b5563}.b{font-weight:700;font-size:15px}.h{font-weight:600}</style>",
    "<title>The Era of 1-bit LLMs: published numbers and reproduced ones</title>",
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...differences.parts,
    ...energy.parts,
    "</svg>",
    "",
  ].join("\n");
}

interface Drawing {
  readonly parts: string[];
  readonly bottom: number;
}

function drawDifferences({ sections }: PaperReport, top: number): Drawing {
  const x = (difference: number): number =>
    (LEFT + RIGHT) / 2 + (Math.max(-REACH, Math.min(REACH, difference)) / REACH) * ((RIGHT - LEFT) / 2);
  const lines: string[] = [];
  let y = top + 34;
  for (const { title, rows } of sections) {
    lines.push(text(20, y, title.replace(", LLaMA / b1.58", ""), 'class="h"'));
    y += LINE + 1;
    for (const row of rows.filter(({ difference }) => difference !== null)) {
      lines.push(...differenceLine(row, x, y));
      y += LINE;
    }
    y += 6;
  }
  const bottom = y - 6;
  const from = top + 24;
  const band = (share: number, colour: string): string =>
    `<rect x="${x(-share).toFixed(1)}" y="${from}" width="${(x(share) - x(-share)).toFixed(1)}" height="${bottom - from}" fill="${colour}"/>`;
  const ticks = [-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15].map(
    (share) =>
      `<path d="M${x(share).toFixed(1)} ${from} V${bottom}" stroke="${share === 0 ? INK : "#d1d5db"}"/>` +
      text(
        x(share),
        bottom + 12,
        share === 0 ? "as published" : differenceText(share).replace(".0", ""),
        'text-anchor="middle" class="s"',
      ),
  );
  const legend = Object.values(MARKS).map(({ colour, words }, i) => {
    const at = [20, 150, 420][i];
    return `<circle cx="${at + 6}" cy="${top}" r="4.5" fill="${colour}"/>${text(at + 17, top, words, 'class="s"')}`;
  });
  const title = text(
    20,
    20,
    "reproduced against published: the paper's tables and figures, number by number",
    'class="b"',
  );
  const head = text(RIGHT + 20, top + 14, "published, reproduced", 'class="s"');
  return {
    parts: [title, ...legend, head, band(0.1, "#f5f7fb"), band(0.03, "#e6ecf8"), ...ticks, ...lines],
    bottom: bottom + 20,
  };
}

function differenceLine(row: PaperRow, x: (difference: number) => number, y: number): string[] {
  const { colour } = MARKS[row.fitted];
  const at = x(row.difference ?? 0).toFixed(1);
  const numbers = `${amount(row.published ?? 0, row.unit)}${row.where === "memory" ? " (from memory)" : ""}, ${amount(row.reproduced, row.unit)}`;
  const unit = row.unit === "x" ? "" : ` ${row.unit}`;
  return [
    text(LEFT - 12, y, row.what, 'text-anchor="end" class="s"'),
    `<path d="M${x(0).toFixed(1)} ${y} H${at}" stroke="${colour}" stroke-width="2"/><circle cx="${at}" cy="${y}" r="4.5" fill="${colour}"/>`,
    text(RIGHT + 20, y, `${numbers}${unit}`, 'class="s"'),
  ];
}

function drawEnergy(rows: readonly HonestRow[], top: number): Drawing {
  const height = 190;
  const base = top + 52 + height;
  const most = 45;
  const y = (ratio: number): number => base - (ratio / most) * height;
  const group = (WIDTH - 80) / rows.length;
  const bar = (group - 26) / BARS.length;
  const bars = rows.flatMap(({ size, ...ratios }, i) => {
    const left = 60 + i * group;
    const each = Object.values(ratios).map((ratio: number, j) => {
      const at = left + j * bar;
      return (
        `<rect x="${(at + 1).toFixed(1)}" y="${y(ratio).toFixed(1)}" width="${(bar - 2).toFixed(1)}" height="${(base - y(ratio)).toFixed(1)}" fill="${BARS[j]}"/>` +
        text(at + bar / 2, y(ratio) - 8, ratio.toFixed(ratio < 10 ? 1 : 0), 'text-anchor="middle" class="s"')
      );
    });
    return [...each, text(left + (BARS.length * bar) / 2, base + 14, size, 'text-anchor="middle"')];
  });
  const grid = [10, 20, 30, 40].map(
    (ratio) =>
      `<path d="M56 ${y(ratio)} H${WIDTH - 20}" stroke="#e5e7eb"/>${text(50, y(ratio), `${ratio}x`, 'text-anchor="end" class="s"')}`,
  );
  const legend = HONEST_HEAD.slice(1).map((words, j) => {
    const at = [20, 150, 270, 430, 580][j];
    return `<rect x="${at}" y="${top + 15}" width="12" height="12" fill="${BARS[j]}"/>${text(at + 17, top + 21, words, 'class="s"')}`;
  });
  const title = text(20, top, "energy of 512 tokens, LLaMA / b1.58 at 7 nm, as more of it is counted", 'class="b"');
  const axis = `<path d="M56 ${base} H${WIDTH - 20}" stroke="${INK}"/>`;
  return { parts: [title, ...legend, ...grid, ...bars, axis], bottom: base + 24 };
}

function text(x: number, y: number, words: string, attributes = ""): string {
  // A line of text stands on its y; a third of its height centres it, which not every viewer's dominant-baseline does.
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${(y + 4).toFixed(1)}" ${attributes}>${escaped}</text>`;
}
