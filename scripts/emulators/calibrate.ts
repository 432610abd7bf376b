/**
 * npm run calibrate: what the cost tables of the simulated boards say (firmware-sim/meter/cpus), beside what the same firmware costs on emulated chips, for runs that
 * no table was fitted to (calibrate/runs.ts). USAGE below; docs/simulator.md has the results. The firmware is built from the sources as they are.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { costTable } from "../../firmware-sim/meter/cost_table.ts";
import { ROOT } from "../lib/root.mjs";
import { CALIBRATED, type Calibrated } from "./calibrate/emulated.ts";
import { estimatedXtensa } from "./calibrate/estimate.ts";
import { judge } from "./calibrate/judge.ts";
import { measure } from "./calibrate/measure.ts";
import { predictions } from "./calibrate/predictions.ts";
import { RECORDED_RUN, type Records, readRecords, recordOf, writeRecords } from "./calibrate/recorded.ts";
import { event, markdown, percent, predictionsMarkdown, type Result, text, worst } from "./calibrate/report.ts";
import { RUNS } from "./calibrate/runs.ts";
import { fittedTable, writeTable } from "./calibrate/table.ts";
import { qemuVersion } from "./qemu/qemu.ts";

const USAGE = `npm run calibrate -- [BOARD...] [options]: cost tables against emulated chips, on held-out runs; fails when one is more than 5 % off

  --fit        first fits the tables of these boards anew to the training runs, and writes them
  --quick      one held-out run, for CI
  --markdown   the tables of docs/simulator.md
  --json       for programs: an event for each run, {"event":"calibration","board":s,"core":s,"emulator":s,"unit":"cycles|instructions","run":s,
               "phase":"prefill|decode","tokens":n,"counted":n,"predicted":n,"error":x,"parts":{...},
               "flash":{"bytes":n,"data_wait":n,"code_wait":n,"wait_origin":"derived"}}, then {"event":"calibrated","boards":n,"worst":x,"limit":0.05,"ok":b}

  npm run calibrate -- --quick rp2040-pico
  npm run calibrate -- --fit

Boards: ${CALIBRATED.map(({ board }) => board).join(", ")}. Needs cross compilers and QEMU (docs/simulator.md, "How to recalibrate").`;

const LIMIT = 0.05;
const QUICK = "held-out shape, greedy";

interface Options {
  readonly fit: boolean;
  readonly quick: boolean;
  readonly markdown: boolean;
  readonly json: boolean;
}

async function main(): Promise<void> {
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    options: { fit: flag, quick: flag, markdown: flag, json: flag, help: flag },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const stranger = positionals.find((name) => !CALIBRATED.some(({ board }) => board === name));
  if (stranger !== undefined)
    throw new Error(`no emulator here runs "${stranger}"; known: ${CALIBRATED.map(({ board }) => board).join(", ")}`);
  if (values.fit && values.quick) throw new Error("--fit needs all runs: leave --quick out");
  const boards = CALIBRATED.filter(({ board }) => positionals.length === 0 || positionals.includes(board));
  const results: Result[] = [];
  for (const calibrated of boards) results.push(await calibrate(calibrated, values));
  if (values.markdown) console.log(`${markdown(results)}\n\n${predictionsMarkdown(await predictions())}`);
  const largest = Math.max(...results.map(worst));
  const ok = largest <= LIMIT;
  if (values.json)
    console.log(
      JSON.stringify({
        event: "calibrated",
        boards: results.length,
        worst: Number(largest.toFixed(5)),
        limit: LIMIT,
        ok,
      }),
    );
  if (!ok) {
    const far = results.filter((result) => worst(result) > LIMIT).map(({ calibrated }) => calibrated.board);
    console.error(
      `more than ${100 * LIMIT} % off: ${far.join(", ")}. Where kernels changed: npm run calibrate -- --fit`,
    );
    process.exitCode = 1;
  }
}

async function calibrate(calibrated: Calibrated, { fit, quick, json, ...options }: Options): Promise<Result> {
  const runs = RUNS.filter((run) => (quick ? run.name === QUICK : fit || run.heldOut));
  const measured = await measure(calibrated, runs);
  const { core } = measured.board.cpu;
  const emulator = `${calibrated.emulator} ${await versionOf(calibrated)}`;
  const before = costTable(core);
  const table = fit ? fittedTable(measured, before.core, emulator) : before;
  const heldOut = measured.phases.filter(({ run }) => run.heldOut);
  const judged = {
    instructions: judge(heldOut, measured.names, table, "instructions"),
    cycles: judge(heldOut, measured.names, table, "cycles"),
  };
  const result: Result = { calibrated, core, emulator, table, judged };
  if (fit) {
    const written = [await writeTable(table)];
    if (core.startsWith("riscv32")) written.push(await writeTable(estimatedXtensa(table)));
    const records: Records = await readRecords().catch(() => ({}));
    const record = recordOf(judged[calibrated.unit], calibrated.unit);
    written.push(await writeRecords({ ...records, [calibrated.board]: record }));
    console.error(`${calibrated.board}: wrote ${written.join(", ")} (recorded: ${RECORDED_RUN})`);
  }
  if (json) for (const each of judged[calibrated.unit]) console.log(JSON.stringify(event(result, each)));
  else if (!options.markdown) console.log(`${text(result)}\n  worst ${percent(worst(result))}\n`);
  return result;
}

async function versionOf({ emulator, board }: Calibrated): Promise<string> {
  if (emulator === "QEMU") return qemuVersion(board);
  const { version } = JSON.parse(await readFile(join(ROOT, "node_modules/rp2040js/package.json"), "utf8"));
  return version;
}

try {
  await main();
} catch (error) {
  console.error(`calibrate: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
