/** The ratios as bars, one SVG: what is right of the line is faster than llama.cpp on the same cores. */

import { type Column, isKernel, isModel, rowsOf } from "./report.ts";
import type { BenchEvent } from "./runs.ts";

const LEFT = 330;
const WIDTH = 940;
const BAR = 15;
const GAP = 5;
const TOP = 64;
/** Ratios beyond it are cut off. */
const MOST = 2;
const COLOURS = ["#2456c9", "#1b7f3b", "#b45309", "#7c3aed"];

interface Group {
  readonly label: string;
  readonly bars: { readonly colour: string; readonly ratio: number; readonly text: string }[];
}

export function figure(columns: readonly Column[]): string {
  const colourOf = new Map(columns.map(({ node }, i) => [node, COLOURS[i % COLOURS.length]]));
  const groups = new Map<string, Group>();
  const enter = (label: string, column: string, event: BenchEvent, text: string) => {
    const group = groups.get(label) ?? { label, bars: [] };
    groups.set(label, group);
    group.bars.push({ colour: colourOf.get(column) ?? COLOURS[0], ratio: Number(event.ratio), text });
  };
  for (const { what, column, event } of rowsOf(columns, isModel)) {
    const batches = String(event.peer).replace("llama.cpp, ", "peer in ").replace("llama.cpp", "");
    enter([`model: ${what}`, batches].filter(Boolean).join(", "), column, event, Number(event.ratio).toFixed(2));
  }
  for (const { column, event } of fastestKernels(columns)) {
    const count = event.threads === 1 ? "1 thread" : `${event.threads} threads`;
    enter(
      `kernel ${event.shape}: ${event.mode}, ${count}`,
      column,
      event,
      `${Number(event.ratio).toFixed(2)}  ${String(event.name).replace("ternary ", "")}`,
    );
  }
  return draw([...groups.values()], columns, colourOf);
}

/** Of each shape, mode and number of threads the kernel with the highest rate, beside ggml. */
function fastestKernels(columns: readonly Column[]): { column: string; event: BenchEvent }[] {
  const best = new Map<string, { column: string; event: BenchEvent }>();
  const rows = rowsOf(
    columns,
    (event) => isKernel(event) && /ggml|llama/.test(String(event.peer)) && !/int8/.test(String(event.name)),
  );
  for (const { column, event } of rows) {
    const key = JSON.stringify([event.shape, event.mode, event.threads, column]);
    const other = best.get(key);
    if (!other || Number(event.gweights_s) > Number(other.event.gweights_s)) best.set(key, { column, event });
  }
  return [...best.values()];
}

function draw(groups: readonly Group[], columns: readonly Column[], colourOf: ReadonlyMap<string, string>): string {
  const scale = (WIDTH - LEFT - 120) / MOST;
  const parts: string[] = [];
  let y = TOP;
  for (const { label, bars } of groups) {
    const height = bars.length * BAR;
    parts.push(text(LEFT - 12, y + height / 2, label, 'text-anchor="end"'));
    for (const { colour, ratio, text: words } of bars) {
      const width = Math.max(1, Math.min(ratio, MOST) * scale);
      parts.push(`<rect x="${LEFT}" y="${y + 1}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${colour}"/>`);
      parts.push(text(LEFT + width + 6, y + BAR / 2, words, 'class="s"'));
      y += BAR;
    }
    y += GAP + 4;
  }
  const bottom = y;
  const ticks = [0.5, 1, 1.5, 2].map((ratio) => {
    const x = LEFT + ratio * scale;
    const line = ratio === 1 ? 'stroke="#1f2430" stroke-width="1.4"' : 'stroke="#d1d5db"';
    return `<path d="M${x} ${TOP - 8} V${bottom}" ${line}/>${text(x, bottom + 14, ratio.toFixed(1), 'text-anchor="middle" class="s"')}`;
  });
  let x = LEFT;
  const legend = columns.map(({ node }) => {
    const item = `<rect x="${x}" y="32" width="12" height="12" fill="${colourOf.get(node)}"/>${text(x + 18, 38, node, 'class="s"')}`;
    x += 40 + node.length * 7;
    return item;
  });
  const height = bottom + 44;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="#1f2430">`,
    "<style>.s{font-size:11.5px;fill:#4b5563;stroke:#ffffff;stroke-width:3px;paint-order:stroke}</style>",
    "<title>tritkit beside llama.cpp on the same cores: ratio of speeds</title>",
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(20, 20, "speed of tritkit, llama.cpp = 1", 'font-weight="700" font-size="15"'),
    ...legend,
    ...ticks,
    ...parts,
    text(LEFT + scale, bottom + 30, "llama.cpp", 'text-anchor="middle" class="s"'),
    "</svg>",
    "",
  ].join("\n");
}

function text(x: number, y: number, words: string, attributes = ""): string {
  // A line of text stands on its y; a third of its height centres it, which not every viewer's dominant-baseline does.
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${(y + 4).toFixed(1)}" ${attributes}>${escaped}</text>`;
}
