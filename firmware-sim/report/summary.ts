/** The short of it, for a terminal and for the head of a page: what a token takes, and how that is known. */
import { weakest } from "./known.ts";
import type { Report } from "./report.ts";
import { digits, percent, quantity } from "./svg/svg.ts";

export interface SummaryRow {
  readonly what: string;
  readonly value: string;
  readonly known: string;
  readonly why: string;
}

/** Empty when no token was made. */
export function summaryRows(report: Report): SummaryRow[] {
  const { tokens, prefill, figures } = report;
  if (tokens === null) return [];
  const { breakdown, traffic } = tokens;
  const rows: SummaryRow[] = [];
  const { tokens_per_second: speed, mj_per_token: energy, prompt_tokens_per_second: prompt } = figures;
  const time = `${quantity(breakdown.ns / 1e9, "s")} each, ${breakdown.positions} of them`;
  rows.push({ what: "speed", value: `${digits(speed.value)} token/s`, known: speed.known, why: time });
  if (prefill !== null && prompt !== undefined)
    rows.push({
      what: "reading a prompt",
      value: `${digits(prompt.value)} token/s`,
      known: prompt.known,
      why: "without the head",
    });
  if (energy !== undefined)
    rows.push({
      ...{ what: "energy", value: `${digits(energy.value)} mJ`, known: energy.known },
      why: `profile ${breakdown.energy?.profile ?? ""}`,
    });
  rows.push({
    ...{ what: "read from memory", value: quantity(traffic.bytes, "B"), known: "exact" },
    why: `matrices ${percent(1 - traffic.otherBytes / traffic.bytes)}`,
  });
  if (breakdown.waitCycles > 0)
    rows.push({
      ...{ what: "waiting for flash", value: percent(breakdown.waitCycles / breakdown.cycles), known: "derived" },
      why: `${quantity(breakdown.waitCycles, "cycles")} in all parts together`,
    });
  if (breakdown.coproNs > 0)
    rows.push({
      ...{ what: "waiting for TGEMV", value: percent(breakdown.coproNs / breakdown.ns), known: "derived" },
      why: `${quantity(breakdown.coproNs / 1e9, "s")} in which the CPU sleeps`,
    });
  const shares = [...breakdown.rows].filter(({ share }) => share > 0).sort((a, b) => b.share - a.share);
  for (const { part, share, without, waitCycles, cycles } of shares) {
    const waits = cycles > 0 && waitCycles / cycles >= 0.01;
    rows.push({
      ...{ what: part, value: percent(share) },
      known: weakest(waits ? [speed.known, "derived"] : [speed.known]),
      why: `were it free: ${digits(without)}x as fast${waits ? `; ${percent(waitCycles / cycles)} of it waits for flash` : ""}`,
    });
  }
  return rows;
}
