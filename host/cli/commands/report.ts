import { join } from "node:path";
import { energyMarkdown, energyProfiles, energyRows } from "../../energy_page.ts";
import { paperChart } from "../../paper/chart.ts";
import { type PaperReport, paperReport } from "../../paper/report.ts";
import { cells, HEAD, HONEST_HEAD, honestCells, paperMarkdown, sectionTitle } from "../../paper/text.ts";
import { energyProfile } from "../../transports/sim.ts";
import { type Command, usage } from "../command.ts";
import type { Output } from "../output.ts";
import { table } from "../table.ts";
import { makeFolder, writeWhole } from "../whole_file.ts";

export const report: Command = {
  name: "report",
  summary:
    "reports that need no board; paper: the tables of the BitNet b1.58 paper, reproduced with stated assumptions; energy: every constant, with its source",
  usage: "paper|energy",
  options: {
    out: { type: "string", short: "o", value: "DIR", help: "also write the report as a page into this folder" },
  },
  examples: [
    "tritkit report paper",
    "tritkit report paper --json",
    "tritkit report paper --out paper",
    "tritkit report energy",
  ],
  positionals: [1, 1],
  async run({ args, out }) {
    const [which] = args.positionals;
    const folder = args.text("out");
    if (which === "paper") await paper(out, folder);
    else if (which === "energy") await energy(out, folder);
    else throw usage(`report knows paper and energy, not "${which}".`);
    return 0;
  },
};

async function paper(out: Output, folder: string | undefined): Promise<void> {
  const report = paperReport(energyProfile("cmos-7nm"));
  const chart = "paper.svg";
  const files = { "paper.svg": paperChart(report), "paper.md": paperMarkdown(report, chart) };
  if (folder !== undefined) await write(files, folder);
  paperEvents(report, out);
  out.text(paperText(report));
  if (folder !== undefined) {
    out.event({ event: "paper_files", page: join(folder, "paper.md"), chart: join(folder, chart) });
    out.info(`written  ${join(folder, "paper.md")}  ${join(folder, chart)}`);
  }
}

async function energy(out: Output, folder: string | undefined): Promise<void> {
  if (folder !== undefined) await write({ "energy.md": energyMarkdown() }, folder);
  for (const profile of energyProfiles()) {
    const rows = energyRows(profile);
    for (const { event, ...row } of rows) out.event({ event: "energy_constant", constant: event, ...row });
    const shown = rows.map(({ event, value, unit, kind, source }) => [event, `${value} ${unit}`, kind, source]);
    out.text(
      `${profile.name}: ${profile.title}\n  ${profile.covers}\n${table(["event", "costs", "known", "source"], shown)}\n`,
    );
  }
  if (folder !== undefined) {
    out.event({ event: "energy_files", page: join(folder, "energy.md") });
    out.info(`written  ${join(folder, "energy.md")}`);
  }
}

async function write(files: Readonly<Record<string, string>>, folder: string): Promise<void> {
  await makeFolder(folder);
  for (const [name, text] of Object.entries(files)) await writeWhole(join(folder, name), Buffer.from(text));
}

function paperEvents({ sections, honest, assumptions }: PaperReport, out: Output): void {
  for (const { title, rows } of sections) for (const row of rows) out.event({ event: "paper", table: title, ...row });
  for (const row of honest.rows) out.event({ event: "paper_honest", ...row });
  for (const [key, text] of Object.entries(assumptions)) out.event({ event: "paper_assumption", key, text });
}

function paperText({ paper, sections, honest, assumptions }: PaperReport): string {
  const parts = sections.map(
    ({ title, rows, remark }) => `${sectionTitle(title, rows)}\n${table(HEAD, rows.map(cells))}${wrapped(remark)}\n`,
  );
  const listed = Object.entries(assumptions).map(([key, text]) => wrapped(`${key}: ${text}`));
  return [
    `${paper}\nfitted: no, nothing; held out, constants fitted to other numbers; yes, to this one among others\n`,
    ...parts,
    `Energy with what the paper leaves out, LLaMA / b1.58\n${table(HONEST_HEAD, honest.rows.map(honestCells))}${wrapped(honest.remark)}\n`,
    `What is assumed\n${listed.join("")}`,
  ].join("\n");
}

/** Lines of at most 110 characters, indented. */
function wrapped(words: string): string {
  const lines = [""];
  for (const word of words.split(" ")) {
    const last = lines[lines.length - 1];
    if (last.length + word.length > 108) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.map((line) => `  ${line}\n`).join("");
}
