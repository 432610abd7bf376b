/** Where model and Verilog differ, and the smallest scenario that shows it. */

import type { TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { expected } from "./expected.ts";
import type { Batch, Op, Scenario } from "./scenario.ts";
import { type Simulator, simulate } from "./simulator.ts";

export interface Difference {
  scenario: Scenario;
  /** "model: ...", "rtl: ...". */
  model: string;
  rtl: string;
}

export interface Comparison {
  differences: Difference[];
  jobs: number;
  cycles: number;
}

/** @param vcd a file for waveforms */
export function compare(simulator: Simulator, batch: Batch, config: TgemvConfig, vcd?: string): Comparison {
  const model = expected(batch, config);
  const rtl = simulate(simulator, impatient(batch, model.polls), vcd);
  const differences: Difference[] = [];
  for (const [i, scenario] of batch.scenarios.entries()) {
    const lines = rtl.lines[i] ?? [];
    const at = Math.max(model.lines[i].length, lines.length);
    for (let n = 0; n < at; n++) {
      if (model.lines[i][n] === lines[n]) continue;
      differences.push({ scenario, model: model.lines[i][n] ?? "nothing", rtl: lines[n] ?? "nothing" });
      break;
    }
  }
  const memory = memoryDifference(batch, model.mmem, rtl.mmem);
  if (memory !== null) differences.push(memory);
  const jobs = batch.scenarios.reduce((sum, scenario) => sum + scenario.jobs, 0);
  return { differences, jobs, cycles: model.cycles };
}

/** Cycles that the Verilog may take longer than the model before nobody waits any more: a damaged unit may never end. */
const PATIENCE = 200;

function impatient(batch: Batch, polls: Map<Op, number>): Batch {
  const hurried = (op: Op): Op => (op.do === "idle" ? { ...op, limit: (polls.get(op) ?? 0) + PATIENCE } : op);
  return { ...batch, scenarios: batch.scenarios.map((s) => ({ ...s, ops: s.ops.map(hurried) })) };
}

/** The first byte of the M memory that differs; it lies in the place of the scenario that was given it. */
function memoryDifference(batch: Batch, model: Uint8Array, rtl: Uint8Array): Difference | null {
  for (let i = 0; i < rtl.length; i++) {
    if (model[i] === rtl[i]) continue;
    const scenario = batch.scenarios.findLast(({ mFrom }) => mFrom <= i) ?? batch.scenarios[0];
    const byte = (bytes: Uint8Array) => `M ${(0x20000000 + i).toString(16)} ${bytes[i].toString(16).padStart(2, "0")}`;
    return { scenario, model: byte(model), rtl: byte(rtl) };
  }
  return null;
}

/** The scenario with as few accesses as still show a difference. */
export function smallest(simulator: Simulator, batch: Batch, found: Scenario, config: TgemvConfig): Difference | null {
  const differs = (scenario: Scenario): Difference | null =>
    compare(simulator, { ...batch, scenarios: [scenario] }, config).differences[0] ?? null;
  let best = differs(found);
  if (best === null) return null;
  for (let i = found.ops.length - 1; i >= 0; i--) {
    const scenario: Scenario = best.scenario;
    best = differs({ ...scenario, ops: scenario.ops.filter((_, n) => n !== i) }) ?? best;
  }
  return best;
}
