// `tritkit sim --script`: a scenario without a terminal, for CI. One line a step, exit status 0 or 1, JUnit XML and JSON events for machines.
import { EXIT_FAILED, EXIT_INTERRUPTED, TritkitError } from "../errors.ts";
import { Baseline } from "../scenario/baseline.ts";
import { junitXml } from "../scenario/junit.ts";
import { readScenario } from "../scenario/read.ts";
import { runScenario, type ScenarioResult, type StepResult } from "../scenario/run.ts";
import { type Context, type OptionSpec, usage } from "./command.ts";
import type { Output } from "./output.ts";
import { SimReport } from "./sim_report.ts";
import { writeWhole } from "./whole_file.ts";

export const SCRIPT_OPTIONS: Record<string, OptionSpec> = {
  script: {
    type: "string",
    value: "FILE",
    multiple: true,
    help: "run a scenario instead of serving a port, and leave with 0 or 1; may be given several times (docs/scenarios.md)",
  },
  junit: { type: "string", value: "FILE", help: "with --script: write the outcome as JUnit XML" },
  baseline: {
    type: "string",
    value: "FILE",
    help: "with --script: the figures that asserts with a baseline are held to",
  },
  update: { type: "boolean", help: "with --baseline: write the figures of this run into it" },
};

/** What a simulator that serves a port has, and a scenario says itself or has no use for. */
const NOT_WITH_SCRIPT = ["port", "flash", "boot", "firmware", "protect", "sensor"];

export async function runScripts(context: Context): Promise<number> {
  const { args, out, signal } = context;
  for (const name of NOT_WITH_SCRIPT) if (args.given(name)) throw usage(`--${name} does not go with --script.`);
  if (args.flag("update") && !args.given("baseline")) throw usage("--update is for --baseline, which is missing.");
  const baselinePath = args.text("baseline");
  const scenarios = [];
  for (const path of args.all("script")) scenarios.push(await readScenario(path));
  const baseline = baselinePath === undefined ? undefined : await Baseline.open(baselinePath, args.flag("update"));
  const folders = scenarios.map(({ name }, i) => (scenarios.length > 1 ? folderName(i, name) : ""));
  const report = await SimReport.open(args, folders);
  const results: ScenarioResult[] = [];
  for (const [i, scenario] of scenarios.entries()) {
    const recorder = report?.recorder();
    const result = await runScenario(scenario, {
      board: args.text("board"),
      seed: args.given("seed") ? args.integer("seed", 0) : undefined,
      speed: args.text("speed") === "1" ? 1 : "max",
      faults: args.all("fault"),
      ...{ baseline, recorder, signal },
      onStep: (step) => show(out, scenario.name, step),
    });
    results.push(result);
    const { name, board, passed, seconds, steps } = result;
    out.event({ event: "scenario", name, board, passed, steps: steps.length, seconds });
    if (recorder !== undefined) await report?.write(out, recorder, folders[i]);
    out.info(
      `${name}  ${board}  ${passed ? "passed" : "failed"}, ${steps.length} steps, ${clock(seconds)} s simulated`,
    );
  }
  const junit = args.text("junit");
  if (junit !== undefined) await writeWhole(junit, Buffer.from(junitXml(results)));
  if (signal.aborted) return EXIT_INTERRUPTED;
  const failures = results.flatMap(({ name, steps }) =>
    steps.filter(({ state }) => state === "failed").map((step) => ({ name, step })),
  );
  // A run that failed says nothing of how fast it should be.
  if (failures.length === 0 && baseline?.update && baselinePath !== undefined)
    await writeWhole(baselinePath, Buffer.from(baseline.text));
  for (const { name, step } of failures) out.failure(failure(name, step));
  return failures.length === 0 ? 0 : EXIT_FAILED;
}

/** "2-first-chat": of several scenarios each has a folder. */
function folderName(index: number, scenario: string): string {
  return `${index + 1}-${scenario.replaceAll(/[^\w.-]+/g, "_")}`;
}

function show(out: Output, scenario: string, step: StepResult): void {
  const { number, kind, label, state, at, seconds, note, error } = step;
  const code = error === null ? undefined : error.code;
  const message = error === null ? undefined : error.message;
  out.event({ event: "step", scenario, number, kind, label, state, at, seconds, note, code, message });
  const word = { passed: "ok  ", failed: "FAIL", skipped: "skip" }[state];
  out.info(`${word} ${String(number).padStart(2)}  ${clock(at)}  ${label}${note === "" ? "" : `  ${note}`}`);
}

/** The one line that names the step. */
function failure(scenario: string, { number, label, error }: StepResult): TritkitError {
  const { code, message, hint } = error ?? new TritkitError("E_STEP_FAILED", "It failed.");
  return new TritkitError(code, `${scenario}, step ${number} (${label}): ${message}`, hint, EXIT_FAILED, {
    cause: error,
  });
}

/** Simulated seconds, all with as many digits. */
function clock(seconds: number): string {
  return seconds.toFixed(6);
}
