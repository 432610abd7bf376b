import { join } from "node:path";
import { paperChart } from "../../paper/chart.ts";
import { type PaperReport, paperReport } from "../../paper/report.ts";
import { cells, HEAD, HONEST_HEAD, honestCells, paperMarkdown, sectionTitle } from "../../paper/text.ts";
import { energyProfile } from "../../transports/sim.ts";
import { type Command, usage } from "../command.ts";
import type { Output } from "../output.ts";
import { table } from "../table.ts";
import { makeFolder, writeWhole } from "../whole_file.ts";

const CHART = "paper.svg";
const PAGE = "paper.md";

export const report: Command = {
  name: "report",
  summary:
    "reports that need no board; paper: the tables of the BitNet b1.58 paper, reproduced with stated assumptions",
  usage: "paper",
  options: {
    out: { type: "string", short: "o", value: "DIR", help: `also write ${PAGE} and ${CHART} into this folder` },
  },
  examples: ["tritkit report paper", "tritkit report paper --json", "tritkit report paper --out paper"],
  positionals: [1, 1],
  async run({ args, out }) {
    const [which] = args.positionals;
    if (which !== "paper") throw usage(`report knows paper, not "${which}".`);
    const folder = args.text("out");
    const paper = paperReport(energyProfile("cmos-7nm"));
    if (folder !== undefined) await write(paper, folder);
    events(paper, out);
    out.text(asText(paper));
    if (folder !== undefined) {
      out.event({ event: "paper_files", page: join(folder, PAGE), chart: join(folder, CHART) });
      out.info(`written  ${join(folder, PAGE)}  ${join(folder, CHART)}`);
    }
    return 0;
  },
};

async function write(paper: PaperReport, folder: string): Promise<void> {
  await makeFolder(folder);
  await writeWhole(join(folder, CHART), Buffer.from(paperChart(paper)));
  await writeWhole(join(folder, PAGE), Buffer.from(paperMarkdown(paper, CHART)));
}

function events({ sections, honest, assumptions }: PaperReport, out: Output): void {
  for (const { title, rows } of sections) for (const row of rows) out.event({ event: "paper", table: title, ...row });
  for (const row of honest.rows) out.event({ event: "paper_honest", ...row });
  for (const [key, text] of Object.entries(assumptions)) out.event({ event: "paper_assumption", key, text });
}

function asText({ paper, sections, honest, assumptions }: PaperReport): string {
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
