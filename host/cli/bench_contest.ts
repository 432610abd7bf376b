// How `tritkit bench` tells what came of a contest of whole models: events for programs, tables for people.
import { bestDecile, type ContestReport, type ContestResult, threadsText } from "../bench/contest.ts";
import { median } from "../bench/slices.ts";
import type { JsonEvent } from "./output.ts";
import { bytesText } from "./progress.ts";
import { table } from "./table.ts";

export interface Contested {
  /** Of the model. */
  readonly name: string;
  readonly imageBytes: number;
  /** 10^9 weights that a token is multiplied with. */
  readonly gweights: number;
  readonly report: ContestReport;
}

export function contestEvents({ name, imageBytes, gweights, report }: Contested): JsonEvent[] {
  const events: JsonEvent[] = [];
  for (const result of report.results) {
    const { mode, threads, loaded, tokens, own, theirs } = result;
    const rate = median(own);
    const head = {
      event: "bench",
      name,
      shape: `${tokens} tokens`,
      mode,
      threads,
      loaded,
      gweights_s: rate * gweights,
      tok_s: rate,
    };
    if (theirs.length > 0)
      events.push({
        ...head,
        peer: result.peer,
        peer_gweights_s: median(theirs) * gweights,
        peer_tok_s: median(theirs),
        ratio: ratioOf(own, theirs),
        best_tok_s: bestDecile(own),
        best_peer_tok_s: bestDecile(theirs),
        best_ratio: bestDecile(own) / bestDecile(theirs),
      });
    const single = singleThread(report, result);
    // Without anything beside it a rate stands beside itself: it is told, and every event has its ratio.
    const beside = single ?? (theirs.length > 0 ? null : result);
    if (beside !== null)
      events.push({
        ...head,
        peer: single === null ? "itself" : "the same with 1 thread",
        peer_gweights_s: median(beside.own) * gweights,
        peer_tok_s: median(beside.own),
        ratio: ratioOf(own, beside.own),
      });
  }
  for (const { threads, about, seconds, footprint } of report.own) {
    const { rss, peakRss } = footprint;
    events.push({
      ...{ event: "memory", name, threads, about, open_seconds: seconds, image_bytes: imageBytes },
      ...{ rss_bytes: rss, peak_rss_bytes: peakRss, ratio: rss / imageBytes, peak_ratio: peakRss / imageBytes },
    });
  }
  events.push({ event: "conditions", name, peer: report.peer, others_cpu: report.bystanders });
  return events;
}

function ratioOf(rates: readonly number[], others: readonly number[]): number {
  return median(rates) / median(others);
}

/** The same work with one thread, for the results with more; of prefill only once, though llama.cpp does it in two ways. */
function singleThread({ results }: ContestReport, result: ContestResult): ContestResult | null {
  const { mode, threads, loaded, peer } = result;
  if (threads === 1 || results.find((each) => each.mode === mode)?.peer !== peer) return null;
  return (
    results.find((each) => each.threads === 1 && each.mode === mode && each.loaded === loaded && each.peer === peer) ??
    null
  );
}

export function contestTables({ name, imageBytes, report }: Contested): string {
  const rows: string[][] = [];
  for (const result of report.results) {
    const { mode, threads, loaded, own, peer, theirs } = result;
    const what = `${mode}, ${threadsText(threads)}${loaded ? ", machine loaded" : ""}`;
    const single = singleThread(report, result);
    const scaling = single === null ? "" : `${ratioOf(own, single.own).toFixed(2)} x 1 thread`;
    if (theirs.length === 0) rows.push([what, median(own).toFixed(1), "", "", scaling]);
    else {
      const ratio = `${ratioOf(own, theirs).toFixed(2)} x ${peer}`;
      rows.push([what, median(own).toFixed(1), median(theirs).toFixed(1), ratio, scaling]);
    }
  }
  const lines = report.own.map(({ threads, about, seconds, footprint }) => {
    const { rss, peakRss } = footprint;
    const share = (bytes: number) => `${bytesText(bytes)}, ${(bytes / imageBytes).toFixed(2)} x the image`;
    return `${threadsText(threads)}: ${about}, opened in ${seconds.toFixed(1)} s, memory ${share(rss)}; at most ${share(peakRss)}`;
  });
  return [
    table([name, "tok/s", "peer", "against the peer", "against itself"], rows),
    ...lines.map((line) => `${line}\n`),
    report.peer === "" ? "" : `peer: ${report.peer}\n`,
    `others took ${(report.bystanders * 100).toFixed(0)} % of the CPU meanwhile\n`,
  ].join("");
}
