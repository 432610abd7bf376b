/**
 * Drawing: the few elements that the figures are made of, as text. Colours and fonts are those of docs/*.svg: dark on a white ground that the figure
 * brings along, so that it reads the same on a light and on a dark page.
 */

export const INK = "#1f2430";
export const GREY = "#4b5563";
export const GRID = "#d1d5db";
/** Told apart by lightness too, for those who see colours otherwise and for paper. */
export const COLOURS = [
  "#2456c9",
  "#e0912f",
  "#1b7f3b",
  "#9b8fd6",
  "#b3261e",
  "#5fb0c9",
  "#7c3aed",
  "#8a8f98",
  "#d9c24a",
];

export function colour(i: number): string {
  return COLOURS[i % COLOURS.length];
}

export type Anchor = "start" | "middle" | "end";

/** A finished figure. @param title what a screen reader says, and a browser shows */
export function figure(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="${INK}">`,
    `<style>.s{font-size:11.5px;fill:${GREY}}.b{font-weight:700}.h{stroke:#ffffff;stroke-width:3px;paint-order:stroke;stroke-linejoin:round}</style>`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

/** @param kind classes: s small and grey, b bold, h with a white rim */
export function label(x: number, y: number, words: string, anchor: Anchor = "start", kind = ""): string {
  const at = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  const of = kind === "" ? "" : ` class="${kind}"`;
  return `<text x="${n(x)}" y="${n(y)}"${at}${of}>${escaped(words)}</text>`;
}

export function heading(x: number, y: number, words: string): string {
  return `<text x="${n(x)}" y="${n(y)}" class="b" font-size="15">${escaped(words)}</text>`;
}

export function rect(x: number, y: number, width: number, height: number, fill: string, more = ""): string {
  return `<rect x="${n(x)}" y="${n(y)}" width="${n(Math.max(width, 0))}" height="${n(height)}" fill="${fill}"${more}/>`;
}

export function path(d: string, stroke: string, more = ""): string {
  return `<path d="${d}" stroke="${stroke}" fill="none"${more}/>`;
}

/** Coordinates end after a tenth of a pixel. */
export function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Width of words in the figures' font, px: near enough to lay them out. Digits and capitals are wider than the mean letter. */
export function widthOf(words: string, size = 11.5): number {
  let units = 0;
  for (const letter of words) {
    if (/[ilj.,:;|'!()[\]ft]/.test(letter)) units += 0.33;
    else if (/[mwMW%@]/.test(letter)) units += 0.9;
    else if (/[A-Z0-9]/.test(letter)) units += 0.64;
    else units += 0.55;
  }
  return units * size;
}

/** 1234567 -> "1.23 M", with the unit behind it: "1.23 Mop/s". */
export function quantity(value: number, unit: string): string {
  const steps: [number, string][] = [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
    [1, ""],
    [1e-3, "m"],
    [1e-6, "µ"],
    [1e-9, "n"],
    [1e-12, "p"],
  ];
  if (value === 0) return `0 ${unit}`;
  // Three digits: 999.6 k is 1.00 M.
  const rounded = Number(value.toPrecision(3));
  const [scale, prefix] = steps.find(([step]) => Math.abs(rounded) >= step) ?? [1e-12, "p"];
  return `${digits(rounded / scale)} ${prefix}${unit}`.trimEnd();
}

/** The same for the lines of an axis: "2 Mop/s". */
export function round(value: number, unit: string): string {
  return quantity(value, unit).replace(/\.?0+(?= )/, (zeros) => (zeros.startsWith(".") ? "" : zeros));
}

/** Three significant digits, without an exponent. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** 42.3 %, 0.4 %, "< 0.1 %". */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(share * 100).toFixed(1)} %`;
}

/** Round steps of an axis that begins at 0: 3 to 6 of them up to `most`. */
export function ticks(most: number): number[] {
  if (!(most > 0)) return [0];
  const raw = most / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw) ?? raw;
  const found: number[] = [];
  for (let i = 0; i * step <= most * (1 + 1e-9); i++) found.push(i * step);
  return found;
}
