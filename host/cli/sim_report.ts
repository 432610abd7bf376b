// `--report DIR` of every command that makes a simulated board: what was recorded while it worked ends in a folder of figures (docs/report.md).
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { REPORT_FILES, Recorder, reportFiles, summaryRows } from "../transports/sim.ts";
import { type Arguments, type OptionSpec, usage } from "./command.ts";
import type { Output } from "./output.ts";
import { table } from "./table.ts";
import { writeWhole } from "./whole_file.ts";

export const REPORT_OPTIONS: Record<string, OptionSpec> = {
  report: {
    type: "string",
    value: "DIR",
    help: "leave a report of the simulated board in this folder: roofline, time, energy and bytes of a token by part, trace, waveforms (docs/report.md)",
  },
  "vcd-from": {
    type: "string",
    value: "US",
    help: "with --report: where the waveforms begin, microseconds of simulated time (default: at the coprocessor's first job, without one at the first position)",
  },
  "vcd-us": {
    type: "string",
    value: "N",
    help: "with --report: how long the waveforms are, microseconds (default 200)",
  },
};

const WINDOW_MOST_US = 20_000;

/** A folder that a report goes to, found usable before the simulation begins. */
export class SimReport {
  readonly #folder: string;
  readonly #args: Arguments;

  private constructor(folder: string, args: Arguments) {
    this.#folder = folder;
    this.#args = args;
  }

  /**
   * @param within folders in it, where there are several boards
   * @returns null: none is wanted. @throws TritkitError E_USAGE, E_REPORT_FOLDER
   */
  static async open(args: Arguments, within: readonly string[] = [""]): Promise<SimReport | null> {
    const folder = args.text("report");
    for (const name of ["vcd-from", "vcd-us"])
      if (folder === undefined && args.given(name)) throw usage(`--${name} is for --report, which is missing.`);
    if (folder === undefined) return null;
    for (const each of within) await usable(join(folder, each));
    const report = new SimReport(folder, args);
    report.recorder();
    return report;
  }

  /** For one board. */
  recorder(): Recorder {
    const args = this.#args;
    const from = args.given("vcd-from") ? args.integer("vcd-from", 0) * 1000 : undefined;
    return new Recorder({ window: { from, length: args.integer("vcd-us", 200, 1, WINDOW_MOST_US) * 1000 } });
  }

  /**
   * Ends the recording, writes the folder, and says the short of it.
   * @param within a folder of its own for one of several boards
   */
  async write(out: Output, recorder: Recorder, within = ""): Promise<void> {
    const folder = join(this.#folder, within);
    const { report, files } = reportFiles(recorder);
    await mkdir(folder, { recursive: true }).catch((cause) => unusable(folder, cause));
    // What an older report had and this one has not.
    for (const name of REPORT_FILES) if (!files.has(name)) await rm(join(folder, name), { force: true });
    for (const [name, text] of files) await writeWhole(join(folder, name), Buffer.from(text));
    const rows = summaryRows(report);
    out.event({
      event: "report",
      path: folder,
      board: report.board.name,
      files: [...files.keys()],
      figures: report.figures,
    });
    if (rows.length === 0) out.info(`report  ${folder}: no token was made while the board was recorded`);
    else {
      const lines = table(
        ["a token", "", "known", ""],
        rows.map(({ what, value, known, why }) => [what, value, known, why]),
      );
      out.info(`report  ${join(folder, "index.html")}\n${lines.trimEnd()}`);
    }
  }
}

/** A new folder, an empty one, or one that holds a report. */
async function usable(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException): string[] => {
    if (cause.code === "ENOENT") return [];
    return unusable(folder, cause);
  });
  const stranger = names.find((name) => !REPORT_FILES.includes(name));
  if (stranger !== undefined && !names.includes("report.json"))
    throw new TritkitError(
      "E_REPORT_FOLDER",
      `${folder} holds something else: ${stranger}.`,
      "Give --report a new folder, an empty one, or one that holds a report.",
      EXIT_USAGE,
    );
}

function unusable(folder: string, cause: Error): never {
  const reason = cause.message.split(",")[0];
  throw new TritkitError("E_OUTPUT", `${folder} cannot be written: ${reason}.`, "Choose another place.", undefined, {
    cause,
  });
}
