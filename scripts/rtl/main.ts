/**
 * npm run rtl: holds the Verilog of TGEMV (firmware-sim/rtl) to its model (firmware-sim/peripherals/tgemv): registers, results, cycles and every counter
 * on seeded random jobs, and says where they differ.
 */
import { parseArgs } from "node:util";
import { checkConfig, TGEMV_DEFAULTS, type TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { TritkitError } from "../../host/errors.ts";
import { compare, type Difference, smallest } from "./compare.ts";
import { edgeBatches } from "./edge_jobs.ts";
import { randomBatches } from "./random_jobs.ts";
import type { Batch } from "./scenario.ts";
import { buildSimulator, findSimulator, lint } from "./simulator.ts";

const HELP = `npm run rtl -- [options]: TGEMV's Verilog against its model, cycle by cycle

  --jobs N        random jobs, at least N of them (2500)
  --seed N        another N, other jobs (1)
  --no-edges      without the jobs at the edges: the same every time, scenarios 100,000 and on
  --simulator S   verilator or iverilog; the first of them that is installed
  --slots N       vector slots of the unit, 1 to 8 (4)
  --fifo N        beats of its FIFO (8)
  --entries N     entries of its activation buffer (2048)
  --scenario N    only this one of them, as a difference names it
  --vcd FILE      its waveforms, for a viewer
  --lint          only checks the Verilog with verilator -Wall
  --json          {"event":"rtl","jobs":n,"differences":n,"cycles":n,...} on stdout

  npm run rtl -- --jobs 20000 --seed 7
  npm run rtl -- --scenario 12 --vcd build/12.vcd
  npm run rtl -- --slots 1 --fifo 2 --entries 256 --json

Exit status: 0 no difference, 1 differences or complaints, 2 wrong usage.
`;

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  const known = error instanceof TritkitError || usage;
  if (!known) throw error;
  console.error(`rtl: ${error.message}${error instanceof TritkitError && error.hint ? ` ${error.hint}` : ""}`);
  process.exitCode = usage || (error as { code?: string }).code === "E_USAGE" ? 2 : 1;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      jobs: { type: "string", default: "2500" },
      seed: { type: "string", default: "1" },
      "no-edges": { type: "boolean", default: false },
      simulator: { type: "string" },
      slots: { type: "string", default: String(TGEMV_DEFAULTS.slots) },
      fifo: { type: "string", default: String(TGEMV_DEFAULTS.fifo) },
      entries: { type: "string", default: String(TGEMV_DEFAULTS.entries) },
      scenario: { type: "string" },
      vcd: { type: "string" },
      lint: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.lint) return runLint(values.json);
  const config = checkConfig({
    slots: whole("slots", values.slots),
    fifo: whole("fifo", values.fifo),
    entries: whole("entries", values.entries),
  });
  const seed = whole("seed", values.seed);
  const wanted = whole("jobs", values.jobs);
  const only = values.scenario === undefined ? undefined : whole("scenario", values.scenario);
  if (values.vcd !== undefined && only === undefined)
    throw new RangeError("--vcd takes the waveforms of one --scenario.");
  const simulator = buildSimulator(findSimulator(values.simulator), config);
  const total = { jobs: 0, scenarios: 0, differences: 0, cycles: 0 };
  for (const batch of batches(seed, wanted, config, !values["no-edges"])) {
    const chosen = { ...batch, scenarios: batch.scenarios.filter(({ number }) => (only ?? number) === number) };
    if (chosen.scenarios.length === 0) continue;
    const { differences, jobs, cycles } = compare(simulator, chosen, config, values.vcd);
    total.jobs += jobs;
    total.scenarios += chosen.scenarios.length;
    total.differences += differences.length;
    total.cycles += cycles;
    if (differences.length === 0) continue;
    const shown = smallest(simulator, batch, differences[0].scenario, config) ?? differences[0];
    console.error(repro(shown, `--seed ${seed} --jobs ${wanted}`));
    // One is enough to mend it, and the next may be its consequence.
    break;
  }
  if (total.scenarios === 0) throw new RangeError(`there is no scenario ${only} among these jobs.`);
  const { jobs, scenarios, differences, cycles } = total;
  if (values.json)
    console.log(
      JSON.stringify({ event: "rtl", jobs, differences, cycles, scenarios, seed, simulator: simulator.name }),
    );
  else
    console.log(
      `rtl: ${jobs} jobs in ${scenarios} scenarios, ${cycles} busy cycles under ${simulator.name}: ${differences} differences`,
    );
  return differences === 0 ? 0 : 1;
}

function* batches(seed: number, jobs: number, config: TgemvConfig, edges: boolean): Generator<Batch> {
  if (edges) yield* edgeBatches(config);
  yield* randomBatches(seed, jobs, config);
}

function runLint(json: boolean): number {
  const complaints = lint();
  if (json) console.log(JSON.stringify({ event: "rtl-lint", clean: complaints === "" }));
  else console.log(complaints === "" ? "rtl: lint is clean (verilator -Wall)" : complaints);
  return complaints === "" ? 0 : 1;
}

function repro({ scenario, model, rtl }: Difference, options: string): string {
  const ops = scenario.ops.map((op) => {
    if (op.do === "write") return `  write ${op.offset.toString(16).padStart(2, "0")} ${op.value.toString(16)}`;
    if (op.do === "read") return `  read  ${op.offset.toString(16).padStart(2, "0")}`;
    return op.do === "pause" ? `  pause ${op.cycles}` : "  until idle";
  });
  const { gaps, waits } = scenario;
  const head = `scenario ${scenario.number} of ${options}: ${scenario.about}`;
  const memory = `  gaps from ${gaps.base}, waits from ${waits.base} of the table`;
  return [head, memory, ...ops, `  model: ${model}`, `  rtl:   ${rtl}`].join("\n");
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`--${name} takes a whole number, not "${text}".`);
  return Number(text);
}
