/** index.html: the figures together, in one file that needs nothing else and runs nothing. */

import type { Report } from "./report.ts";
import { summaryRows } from "./summary.ts";
import { escaped } from "./svg/svg.ts";

const STYLE = `
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,Helvetica,Arial,sans-serif;max-width:980px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}
th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}
td.n{text-align:right;white-space:nowrap}
svg{max-width:100%;height:auto;border:1px solid #8884;border-radius:6px;margin:.5rem 0;display:block}
small,.k{opacity:.75}
`;

const FIGURES = ["roofline.svg", "cycles.svg", "energy.svg", "bytes.svg"];

/** @param files the report's other files */
export function page(report: Report, files: ReadonlyMap<string, string>): string {
  const { board, image, provenance } = report;
  const title = `${board.name}: report of a simulation`;
  const rows = summaryRows(report).map(
    ({ what, value, known, why }) =>
      `<tr><td>${escaped(what)}</td><td class="n">${escaped(value)}</td><td class="k">${escaped(known)}</td><td><small>${escaped(why)}</small></td></tr>`,
  );
  const figures = FIGURES.flatMap((name) => files.get(name) ?? []);
  const sources = Object.entries(provenance).map(([what, source]) => `<li>${escaped(what)}: ${escaped(source)}</li>`);
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1>`,
    `<p>${escaped(board.title)}. ${image === null ? "No model ran." : `Model ${escaped(image.name)}, ${image.bytes.toLocaleString("en-US")} bytes.`}</p>`,
    rows.length === 0
      ? "<p>No token was made while the board was recorded.</p>"
      : `<table><thead><tr><th>a token</th><th></th><th>known</th><th></th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`,
    ...figures,
    "<h2>More</h2><ul>",
    "<li>report.json: everything above as data</li>",
    "<li>trace.json: what ran when; opens in ui.perfetto.dev or chrome://tracing</li>",
    ...(files.has("window.vcd") ? ["<li>window.vcd: waveforms of a stretch of time; opens in GTKWave</li>"] : []),
    `</ul><h2>How it is known</h2><ul>${sources.join("\n")}</ul>`,
    "</body></html>",
    "",
  ].join("\n");
}
