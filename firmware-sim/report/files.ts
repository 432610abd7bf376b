/** The folder of a report: names and contents. Writing them is somebody else's matter. */

import { ENERGY_SERIES, energySeries } from "./breakdown.ts";
import { stableJson } from "./json.ts";
import { page } from "./page.ts";
import type { Recorder } from "./recorder.ts";
import { type Measured, type Report, reportOf } from "./report.ts";
import { reportJson } from "./report_json.ts";
import { type Bar, barFigure, type Series } from "./svg/bars.ts";
import { rooflineFigure } from "./svg/roofline.ts";
import { colour, percent, quantity } from "./svg/svg.ts";
import { byKind } from "./traffic.ts";

/** Every name that a report's folder can have. */
export const REPORT_FILES: readonly string[] = [
  "index.html",
  "report.json",
  "roofline.svg",
  "cycles.svg",
  "energy.svg",
  "bytes.svg",
  "trace.json",
  "window.vcd",
];

/** Ends the recording. @returns content by file name, and the report they were made of */
export function reportFiles(recorder: Recorder): { report: Report; files: Map<string, string> } {
  recorder.finish();
  const report = reportOf(recorder);
  const { board, image, tokens, roofline } = report;
  const files = new Map<string, string>([["report.json", stableJson(reportJson(report))]]);
  if (roofline !== null) files.set("roofline.svg", rooflineFigure(roofline));
  if (tokens !== null) {
    files.set("cycles.svg", cyclesFigure(report, tokens));
    if (tokens.breakdown.energy !== null) files.set("energy.svg", energyFigure(report, tokens));
    files.set("bytes.svg", bytesFigure(report, tokens));
  }
  const about = { board: board.name, model: image?.name ?? "", time: "simulated" };
  files.set("trace.json", recorder.trace.text(about));
  const waves = recorder.window.text(board.name, recorder.lines, recorder);
  if (waves !== null) files.set("window.vcd", waves);
  files.set("index.html", page(report, files));
  return { report, files };
}

/** "stories-1m, mean of 40 tokens at 12 positions of context" */
export function subject({ image }: Report, { group }: Measured): string {
  const { positions, keys } = group;
  const tokens = positions === 1 ? "one token" : `mean of ${positions} tokens`;
  return `${image?.name ?? "model"}, ${tokens} that attend to ${Math.round(keys / positions)} positions`;
}

function cyclesFigure(report: Report, measured: Measured): string {
  const { board, provenance } = report;
  const { rows, ns, cycles, waitCycles, coproNs } = measured.breakdown;
  const { hz } = board.cpu;
  const asCycles = (time: number): number => (time * hz) / 1e9;
  return barFigure({
    title: `${board.name}: where the time of a token goes`,
    notes: [
      `${subject(report, measured)}: ${quantity(ns / 1e9, "s")} at ${quantity(hz, "Hz")}, ${quantity(1e9 / ns, "token/s")}`,
      [
        `${quantity(cycles - waitCycles, "cycles")} compute (${origin(provenance.cycles)})`,
        `${quantity(waitCycles, "cycles")} wait for flash (${origin(provenance.wait_cycles)})`,
        ...(coproNs > 0 ? [`${quantity(asCycles(coproNs), "cycles")} sleep (${origin(provenance.copro)})`] : []),
      ].join(", "),
    ],
    unit: "cycles",
    ...seriesOf(
      ["CPU computes", "CPU waits for flash", "CPU sleeps, the coprocessor computes"],
      rows.map((row) => ({
        label: row.part,
        values: [row.cycles - row.waitCycles, row.waitCycles, asCycles(row.coproNs)],
        text: `${quantity(asCycles(row.ns), "")}, ${percent(row.share)}`,
      })),
    ),
  });
}

function energyFigure(report: Report, measured: Measured): string {
  const { board } = report;
  const { rows, energy } = measured.breakdown;
  const whole = energy?.pj ?? 0;
  return barFigure({
    title: `${board.name}: where the energy of a token goes`,
    notes: [
      `${subject(report, measured)}: ${quantity(whole / 1e12, "J")}, ${energy?.kind ?? ""} (profile ${energy?.profile ?? ""}; its constants and their sources: report.json)`,
      ...(energy !== null && energy.unknown.length > 0 ? [`no figure is known for: ${energy.unknown.join(", ")}`] : []),
    ],
    unit: "J",
    ...seriesOf(
      ENERGY_SERIES.map(({ name }) => name),
      rows.map((row) => {
        const pj = row.energy?.pj ?? 0;
        const share = whole > 0 ? pj / whole : 0;
        const values = energySeries(row.energy).map((each) => each / 1e12);
        return { label: row.part, values, text: `${quantity(pj / 1e12, "J")}, ${percent(share)}` };
      }),
    ),
  });
}

/** A series has its colour in every figure of its kind; of those that make less than a thousandth nothing would be seen. */
function seriesOf(names: readonly string[], bars: readonly Bar[]): { series: Series[]; bars: Bar[] } {
  const totals = names.map((_, i) => bars.reduce((sum, { values }) => sum + values[i], 0));
  const all = totals.reduce((a, b) => a + b, 0);
  const used = names.flatMap((name, i) => (totals[i] > all / 1000 ? [{ name, colour: colour(i), i }] : []));
  return {
    series: used,
    bars: bars.map((bar) => ({ ...bar, values: used.map(({ i }) => bar.values[i]) })),
  };
}

function bytesFigure(report: Report, measured: Measured): string {
  const { bytes, otherBytes } = measured.traffic;
  const kinds = byKind(measured.traffic);
  const most = Math.max(...kinds.map(({ layers }) => layers.length), 1);
  const bars = kinds.map(({ name, layers }) => {
    const total = layers.reduce((sum, row) => sum + row.bytes, 0);
    const own = layers.reduce((sum, { tensor }) => sum + tensor.bytes, 0);
    const times = own > 0 ? total / own : 0;
    const count = layers.length === 1 ? "" : ` in ${layers.length} layers`;
    return {
      label: name,
      values: layers.map((row) => row.bytes),
      text: `${quantity(total, "B")}, ${percent(total / bytes)}${count}, each byte ${Number(times.toFixed(2))}x`,
    };
  });
  bars.push({
    label: "everything else",
    values: [otherBytes],
    text: `${quantity(otherBytes, "B")}, ${percent(otherBytes / bytes)}`,
  });
  return barFigure({
    title: `${report.board.name}: bytes that a token reads, by tensor`,
    notes: [
      `${subject(report, measured)}: ${quantity(bytes, "B")} from flash${measured.breakdown.psramBytes > 0 ? " and PSRAM" : ""}, counted`,
      `everything else: a row of the embedding, row scales, gains, tables of functions, code's constants${most > 1 ? "; shades: layers" : ""}`,
    ],
    unit: "B",
    series: [],
    shades: true,
    bars,
  });
}

/** "calibrated" of "calibrated: against ...". */
function origin(provenance: string): string {
  return provenance.split(":")[0];
}
