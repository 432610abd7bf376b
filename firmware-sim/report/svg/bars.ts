/**
 * Horizontal bars in rows, each bar a stack: what a token costs by part of the network (cycles.svg), the same in energy (energy.svg), and how
 * many bytes it reads by tensor (bytes.svg).
 */
import { figure, GRID, heading, INK, label, path, rect, round, ticks, widthOf } from "./svg.ts";

export interface Bar {
  readonly label: string;
  /** Values of the series, in their order. */
  readonly values: readonly number[];
  /** What stands behind the bar. */
  readonly text: string;
}

export interface Series {
  readonly name: string;
  readonly colour: string;
}

export interface Bars {
  readonly title: string;
  /** Lines under the title: what is shown, and how it is known. */
  readonly notes: readonly string[];
  /** Of the values, e.g. "cycles". */
  readonly unit: string;
  /** What the values of a bar are; empty: they need no names. */
  readonly series: readonly Series[];
  /** The values of a bar are of one kind: two shades by turns, so that one sees how many there are. */
  readonly shades?: boolean;
  readonly bars: readonly Bar[];
}

const WIDTH = 940;
const ROW = 24;
const BAR = 15;
const SIDE = 20;
const LINE = 17;
const SHADES = ["#2456c9", "#6d92e6"];

export function barFigure({ title, notes, unit, series, shades = false, bars }: Bars): string {
  const left = SIDE + 12 + Math.max(...bars.map((bar) => widthOf(bar.label, 13)));
  const behind = 16 + Math.max(...bars.map((bar) => widthOf(bar.text)));
  const totals = bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const most = Math.max(...totals, Number.MIN_VALUE);
  const scale = (WIDTH - left - behind - SIDE) / most;
  const parts = [heading(SIDE, 26, title)];
  let y = 44;
  for (const note of notes) {
    parts.push(label(SIDE, y, note, "start", "s"));
    y += LINE;
  }
  if (series.length > 1) {
    y += 4;
    parts.push(...legend(series, y));
    y += LINE;
  }
  const top = y + 4;
  const bottom = top + bars.length * ROW + 4;
  for (const tick of ticks(most)) {
    const x = left + tick * scale;
    parts.push(path(`M${x.toFixed(1)} ${top} V${bottom}`, tick === 0 ? INK : GRID));
    parts.push(label(x, bottom + 16, tick === 0 ? "0" : round(tick, unit), "middle", "s"));
  }
  bars.forEach((bar, row) => {
    const middle = top + row * ROW + ROW / 2;
    parts.push(label(left - 12, middle + 4.5, bar.label, "end"));
    let x = left;
    bar.values.forEach((value, i) => {
      if (value <= 0) return;
      parts.push(rect(x, middle - BAR / 2, value * scale, BAR, shades ? SHADES[i % 2] : series[i].colour));
      x += value * scale;
    });
    parts.push(label(x + 8, middle + 4, bar.text, "start", "s h"));
  });
  return figure(WIDTH, Math.round(bottom + 30), title, parts);
}

function legend(series: readonly Series[], y: number): string[] {
  let x = SIDE;
  return series.flatMap(({ name, colour }) => {
    const item = [rect(x, y - 10, 12, 12, colour), label(x + 17, y, name, "start", "s")];
    x += 17 + widthOf(name) + 22;
    return item;
  });
}
