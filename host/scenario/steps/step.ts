// What every step of a scenario gets.
import type { Baseline } from "../baseline.ts";
import type { Bench } from "../bench.ts";
import type { Measure } from "../measure.ts";
import type { Scenario } from "../read.ts";

export interface StepContext {
  readonly bench: Bench;
  readonly measure: Measure;
  readonly scenario: Scenario;
  readonly baseline: Baseline | null;
}

/** What a step sees of itself: its value and options, which are what the rules say. */
export interface Given {
  text: string;
  number: number;
  value: unknown;
  option<T>(key: string): T | undefined;
  /** Simulated time at which the step gives up, ns. */
  until(): number;
}

/** @returns what it found out, or "" */
export type Action = (context: StepContext, given: Given) => Promise<string>;
