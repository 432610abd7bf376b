/**
 * The roofline of a board (Williams, Waterman, Patterson, CACM 2009): how fast work can go that does so many operations on a byte. Sloping lines are
 * memories, level ones what an engine can compute; a point can lie on or under the lowest line of its engine and its memory. Both axes are logarithmic.
 */
import type { Roofline, RoofPoint } from "../roofline.ts";
import { roofOf } from "../roofline.ts";
import { colour, figure, GREY, GRID, heading, INK, label, n, path, percent, quantity, round, widthOf } from "./svg.ts";

const WIDTH = 940;
const LEFT = 92;
const RIGHT = 24;
const TOP = 84;
const PLOT = 400;
const OP = "op/s";
const FAR = 20;
const UNIT_ALONE = ", unit alone";

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function rooflineFigure(roofline: Roofline): string {
  const { title, notes, engines, memories, points } = roofline;
  const x = axis(reach(roofline), LEFT, WIDTH - RIGHT);
  const rates = [
    ...points.map(({ ops, seconds }) => ops / seconds),
    ...engines.map(({ opsPerSecond }) => opsPerSecond),
  ];
  const y = axis(rates, TOP + PLOT, TOP);
  const colours = new Map(engines.map(({ name }, i) => [name, [colour(0), colour(2), colour(6)][i % 3]]));
  const parts = [heading(20, 26, title), ...notes.map((note, i) => label(20, 46 + i * 17, note, "start", "s"))];
  const taken: Box[] = [];

  for (const tick of x.ticks) {
    parts.push(path(`M${n(x.at(tick))} ${TOP} V${TOP + PLOT}`, GRID));
    parts.push(label(x.at(tick), TOP + PLOT + 17, tickText(tick), "middle", "s"));
  }
  for (const tick of y.ticks) {
    parts.push(path(`M${LEFT} ${n(y.at(tick))} H${WIDTH - RIGHT}`, GRID));
    parts.push(label(LEFT - 8, y.at(tick) + 4, round(tick, OP), "end", "s"));
  }
  parts.push(path(`M${LEFT} ${TOP} V${TOP + PLOT} H${WIDTH - RIGHT}`, INK));
  parts.push(label((LEFT + WIDTH - RIGHT) / 2, TOP + PLOT + 37, "operations on each byte read from memory", "middle"));

  const highest = Math.max(...engines.map(({ opsPerSecond }) => opsPerSecond));
  const slope = Math.atan2(y.decade, x.decade);
  // Lines first, then marks, then words: nothing is written under a line.
  const lines: Line[] = memories.flatMap(({ name, bytesPerSecond }) => {
    // From where the line enters the plot to the highest ceiling.
    const from = Math.max(x.low, y.low / bytesPerSecond);
    const until = Math.min(x.high, highest / bytesPerSecond);
    if (from >= until) return [];
    const ends = { x0: x.at(from), y0: y.at(from * bytesPerSecond), x1: x.at(until), y1: y.at(until * bytesPerSecond) };
    parts.push(path(`M${n(ends.x0)} ${n(ends.y0)} L${n(ends.x1)} ${n(ends.y1)}`, GREY, ' stroke-width="1.8"'));
    return [{ ...ends, words: `${name}: ${quantity(bytesPerSecond, "B/s")}` }];
  });
  const fastest = Math.max(...memories.map(({ bytesPerSecond }) => bytesPerSecond));
  for (const { name, opsPerSecond } of engines) {
    const from = x.at(Math.min(Math.max(opsPerSecond / fastest, x.low), x.high));
    const level = y.at(opsPerSecond);
    parts.push(path(`M${n(from)} ${n(level)} H${WIDTH - RIGHT}`, colours.get(name) ?? INK, ' stroke-width="2.4"'));
    const words = `${name}: ${quantity(opsPerSecond, OP)}`;
    const width = widthOf(words, 13);
    taken.push({ x: WIDTH - RIGHT - 6 - width, y: level - 20, width, height: 24 });
  }
  const spots = points
    .map((point) => ({ point, x: x.at(point.ops / point.bytes), y: y.at(point.ops / point.seconds) }))
    .sort((a, b) => a.y - b.y);
  for (const spot of spots) {
    parts.push(mark(spot.point.shape, spot.x, spot.y, colours.get(spot.point.engine) ?? INK));
    taken.push({ x: spot.x - 7, y: spot.y - 7, width: 14, height: 14 });
  }
  for (const { name, opsPerSecond } of engines) {
    const words = `${name}: ${quantity(opsPerSecond, OP)}`;
    parts.push(label(WIDTH - RIGHT - 6, y.at(opsPerSecond) - 7, words, "end", "h"));
  }
  const drawn = [...lines.flatMap(stretches), ...engines.map(({ opsPerSecond }) => level(y.at(opsPerSecond)))];
  // Marks on one place have their names under one another.
  const named = new Set<string>();
  for (const { point, x: px, y: py } of spots) {
    if (named.has(point.name)) continue;
    const here = spots.filter((other) => Math.hypot(other.x - px, other.y - py) < 9).map((other) => other.point.name);
    const fresh = here.filter((name) => !named.has(name));
    for (const name of fresh) named.add(name);
    // The table below has them all; here "head, unit alone" on the place of "head" is no news.
    const names = fresh.filter((name) => !here.includes(name.replace(UNIT_ALONE, "")) || !name.endsWith(UNIT_ALONE));
    if (names.length === 0) continue;
    const at = place(names, px, py, [...taken, ...drawn]);
    taken.push(at);
    parts.push(...[leader(px, py, at)].filter((line) => line !== null));
    names.forEach((name, i) => {
      const isLeft = at.x < px;
      parts.push(label(isLeft ? at.x + at.width : at.x, at.y + 12 + i * 16, name, isLeft ? "end" : "start", "h"));
    });
  }
  for (const line of lines) {
    const { x: lx, y: ly, boxes } = along(line, slope, taken);
    taken.push(...boxes);
    const turn = `translate(${n(lx)} ${n(ly)}) rotate(${n((-slope * 180) / Math.PI)})`;
    parts.push(`<g transform="${turn}">${label(0, -5, line.words, "start", "s h")}</g>`);
  }
  const below = TOP + PLOT + 66;
  parts.push(...pointTable(roofline, points, colours, below));
  return figure(WIDTH, below + 20 + points.length * 19, title, parts);
}

/** A line as boxes that words must not stand on. */
function stretches({ x0, y0, x1, y1 }: Line): Box[] {
  const pieces = 60;
  const [width, height] = [(x1 - x0) / pieces, (y0 - y1) / pieces];
  return Array.from({ length: pieces }, (_, i) => ({ x: x0 + i * width, y: y0 - (i + 1) * height, width, height }));
}

function level(y: number): Box {
  return { x: LEFT, y: y - 2, width: WIDTH - RIGHT - LEFT, height: 4 };
}

interface Line {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly words: string;
}

/** Where words stand along a sloping line: from its upper end down, the first stretch that is free. */
function along(
  { x0, y0, x1, y1, words }: Line,
  slope: number,
  taken: readonly Box[],
): { x: number; y: number; boxes: Box[] } {
  const width = widthOf(words) + 4;
  const room = Math.hypot(x1 - x0, y1 - y0);
  const at = (start: number) => {
    const x = x0 + (start / room) * (x1 - x0);
    const y = y0 + (start / room) * (y1 - y0);
    const pieces = 8;
    const step = width / pieces;
    const boxes = Array.from({ length: pieces }, (_, i) => ({
      x: x + i * step * Math.cos(slope),
      y: y - (i + 1) * step * Math.sin(slope) - 16,
      width: step * Math.cos(slope),
      height: 18,
    }));
    return { x, y, boxes };
  };
  for (let start = Math.max(room - width - 14, 0); start > 0; start -= 8) {
    const found = at(start);
    if (!found.boxes.some((box) => taken.some((other) => overlap(box, other)))) return found;
  }
  return at(0);
}

/** What the plot reaches to: the points, and the ridges (from where on a memory keeps an engine busy) that are not far from them. */
function reach({ engines, memories, points }: Roofline): number[] {
  const found = points.map(({ ops, bytes }) => ops / bytes);
  const [least, most] = [Math.min(...found), Math.max(...found)];
  const ridges = engines.flatMap(({ opsPerSecond }) =>
    memories.map(({ bytesPerSecond }) => opsPerSecond / bytesPerSecond),
  );
  return [...found, ...ridges.filter((ridge) => ridge > least / FAR && ridge < most * FAR)];
}

/** Where names stand beside a point: the nearest place that nothing has taken. */
function place(names: readonly string[], x: number, y: number, taken: readonly Box[]): Box {
  const width = Math.max(...names.map((name) => widthOf(name, 13)));
  const height = 16 * names.length;
  const far = [0, 12, 24, 36, 50, 80, 120, 170];
  const places = far
    .flatMap((dx) =>
      far.flatMap((dy) =>
        [dy, -dy].flatMap((up) => [
          { dx, up, right: true },
          { dx, up, right: false },
        ]),
      ),
    )
    .sort((a, b) => Math.hypot(a.dx, a.up) - Math.hypot(b.dx, b.up))
    .map(({ dx, up, right }) => ({
      ...{ x: right ? x + 11 + dx : x - 11 - dx - width, y: y - height / 2 - up },
      ...{ width, height },
    }));
  const inside = places.filter(
    (at) => at.x > LEFT && at.x + width < WIDTH - RIGHT && at.y > TOP && at.y + height < TOP + PLOT,
  );
  return inside.find((at) => !taken.some((box) => overlap(at, box))) ?? inside[0] ?? places[0];
}

/** From a mark to names that do not stand right beside it; null: they do. */
function leader(x: number, y: number, box: Box): string | null {
  const ends = { x: box.x > x ? box.x - 4 : box.x + box.width + 4, y: box.y + box.height / 2 };
  const length = Math.hypot(ends.x - x, ends.y - y);
  if (length < 24) return null;
  const from = { x: x + (9 * (ends.x - x)) / length, y: y + (9 * (ends.y - y)) / length };
  return path(
    `M${n(from.x)} ${n(from.y)} L${n(ends.x)} ${n(ends.y)}`,
    GREY,
    ' stroke-width="1" stroke-dasharray="2 2"',
  );
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function mark(shape: RoofPoint["shape"], x: number, y: number, fill: string): string {
  // Hollow, so that two marks on one place are both seen.
  const rim = ` fill="#ffffff" fill-opacity="0.6" stroke="${fill}" stroke-width="2.6"`;
  if (shape === "circle") return `<circle cx="${n(x)}" cy="${n(y)}" r="6.5"${rim}/>`;
  if (shape === "square") return `<rect x="${n(x - 5.5)}" y="${n(y - 5.5)}" width="11" height="11"${rim}/>`;
  if (shape === "diamond") return `<path d="M${n(x)} ${n(y - 7)} l7 7 l-7 7 l-7 -7 z"${rim}/>`;
  return `<path d="M${n(x)} ${n(y - 7)} l6.5 12 h-13 z"${rim}/>`;
}

/** The points again, in figures. */
function pointTable(
  roofline: Roofline,
  points: readonly RoofPoint[],
  colours: ReadonlyMap<string, string>,
  top: number,
): string[] {
  const columns = [190, 430, 530, 590, 680, 920];
  const head = [
    "engine",
    "operations a token",
    "bytes a token",
    "op/B",
    "speed",
    "of what its engine and memory allow",
  ];
  const rows = points.map((point) => {
    const { engine, memory, ops, bytes, seconds } = point;
    const roof = roofOf(roofline, point);
    return [
      engine,
      quantity(ops, "op"),
      `${quantity(bytes, "B")}`,
      (ops / bytes).toPrecision(3),
      quantity(ops / seconds, OP),
      roof === null
        ? ""
        : `${percent(ops / seconds / roof.opsPerSecond)} (limit: ${roof.limit === "memory" ? memory : "arithmetic"})`,
    ];
  });
  const parts = columns.map((x, i) => label(x, top, head[i], i === 0 ? "start" : "end", "s"));
  parts.push(path(`M20 ${top + 6} H${WIDTH - 20}`, GRID));
  rows.forEach((cells, row) => {
    const y = top + 22 + row * 19;
    parts.push(mark(points[row].shape, 28, y - 4, colours.get(points[row].engine) ?? INK));
    parts.push(label(44, y, points[row].name));
    cells.forEach((cell, i) => {
      parts.push(label(columns[i], y, cell, i === 0 ? "start" : "end", "s"));
    });
  });
  return parts;
}

interface Axis {
  readonly low: number;
  readonly high: number;
  /** Pixels. */
  readonly decade: number;
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** A logarithmic axis around the values, with some room, from one line of 1, 2, 5, 10 .. to another. */
function axis(values: readonly number[], from: number, until: number): Axis {
  const low = Math.floor(step(Math.min(...values) / 1.6));
  const high = Math.max(Math.ceil(step(Math.max(...values) * 1.6)), low + 5);
  const [bottom, top] = [line(low), line(high)];
  const decade = (until - from) / Math.log10(top / bottom);
  const found: number[] = [];
  // Of many decades only the tens.
  const every = high - low > 12 ? 3 : 1;
  for (let i = low; i <= high; i++) if (every === 1 || i % 3 === 0) found.push(line(i));
  const at = (value: number) => from + Math.log10(value / bottom) * decade;
  return { low: bottom, high: top, decade: Math.abs(decade), ticks: found, at };
}

/** Lines are numbered: ..., -1: 0.5, 0: 1, 1: 2, 2: 5, 3: 10, ... */
function line(i: number): number {
  return [1, 2, 5][((i % 3) + 3) % 3] * 10 ** Math.floor(i / 3);
}

/** Where a value lies between the lines. */
function step(value: number): number {
  return 3 * Math.log10(value);
}

function tickText(value: number): string {
  return String(Number(value.toPrecision(3)));
}
