/**
 * Runs a scenario: one step after the other on a board of its own, until one fails. Nothing in it knows the wall clock, so two runs say the same.
 *
 *     const scenario = await readScenario("first-chat.json");
 *     const { passed } = await runScenario(scenario, { onStep: ({ label, state }) => console.log(state, label) });
 */
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { TritkitError } from "../errors.ts";
import { type Recorder, SimBoard, translated } from "../transports/sim.ts";
import type { Baseline } from "./baseline.ts";
import { Bench } from "./bench.ts";
import { Measure } from "./measure.ts";
import { deliver, modelBytes } from "./model.ts";
import type { Scenario, Step } from "./read.ts";
import { runStep } from "./steps.ts";

export interface StepResult {
  readonly number: number;
  readonly kind: string;
  readonly label: string;
  readonly state: "passed" | "failed" | "skipped";
  /** Simulated: when it began, and how long it took. */
  readonly at: number;
  readonly seconds: number;
  /** What it found out, e.g. the measured value; "" for nothing. */
  readonly note: string;
  readonly error: TritkitError | null;
}

export interface ScenarioResult {
  readonly name: string;
  readonly board: string;
  readonly passed: boolean;
  /** Simulated. */
  readonly seconds: number;
  readonly steps: readonly StepResult[];
}

export interface RunScenarioOptions {
  /** Instead of the scenario's. */
  readonly board?: string;
  readonly seed?: number;
  /** 1: not faster than real time, to watch; what happens is the same. Default "max". */
  readonly speed?: 1 | "max";
  readonly baseline?: Baseline;
  /** Injected before the first step. */
  readonly faults?: readonly string[];
  /** Listens to the board, whose CPU is metered then. */
  readonly recorder?: Recorder;
  readonly onStep?: (result: StepResult) => void;
  readonly signal?: AbortSignal;
}

/** @throws TritkitError for what is wrong before the first step; a step that fails is a result */
export async function runScenario(scenario: Scenario, options: RunScenarioOptions = {}): Promise<ScenarioResult> {
  const { onStep = () => {}, recorder, signal } = options;
  const seed = options.seed ?? scenario.seed;
  const board = await loadBoard(options.board ?? scenario.board);
  const wasm = await loadDeviceWasm(board);
  const { timing } = scenario;
  const cpu = recorder === undefined ? scenario.cpu : "metered";
  const sim = await translated(async () => SimBoard.create({ board, wasm, seed, timing, cpu, watcher: recorder }));
  recorder?.attach(sim);
  if (scenario.model !== null) deliver(sim, await modelBytes(scenario.model, scenario.folder));
  const bench = new Bench(sim, seed, options.speed ?? "max");
  const measure = new Measure(sim, () => bench.drive.tokens);
  const context = { bench, measure, scenario, baseline: options.baseline ?? null };
  await translated(async () => {
    sim.powerOn();
    for (const fault of options.faults ?? []) await runStep(faultStep(fault), context);
  });
  const steps: StepResult[] = [];
  for (const step of scenario.steps) {
    const begun = sim.now;
    const failed = steps.some(({ state }) => state === "failed");
    const { note, error } = failed || signal?.aborted ? SKIPPED : await attempt(() => runStep(step, context));
    const state = error !== null ? "failed" : failed || signal?.aborted ? "skipped" : "passed";
    const { number, kind, label } = step;
    const result: StepResult = {
      number,
      kind,
      label,
      state,
      at: begun / 1e9,
      seconds: (sim.now - begun) / 1e9,
      note,
      error,
    };
    steps.push(result);
    onStep(result);
  }
  const seconds = sim.now / 1e9;
  await bench.close();
  const passed = steps.every(({ state }) => state === "passed");
  return { name: scenario.name, board: board.name, passed, seconds, steps };
}

interface Outcome {
  readonly note: string;
  readonly error: TritkitError | null;
}

const SKIPPED: Outcome = { note: "", error: null };

async function attempt(run: () => Promise<string>): Promise<Outcome> {
  try {
    return { note: await translated(run), error: null };
  } catch (error) {
    if (error instanceof TritkitError) return { note: "", error };
    throw error;
  }
}

function faultStep(fault: string): Step {
  return { number: 0, kind: "fault", value: fault, options: {}, label: `fault ${fault}` };
}
