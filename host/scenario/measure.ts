// What a scenario can assert in figures: counters of the simulated board since the last mark, and the times of the last answer. Cycles and
// energy are the meter's: how they are known, docs/simulator.md says.
import { TritkitError } from "../errors.ts";
import { activityOfBoard, energyOf, energyProfile, type SimBoard } from "../transports/sim.ts";
import type { Chat } from "./bench.ts";
import type { Metric } from "./rules.ts";

/** Counters at some moment; those of the meter are 0 where computing costs nothing. */
interface Reading {
  readonly us: number;
  readonly tokens: number;
  readonly cycles: number;
  readonly instructions: number;
  readonly wait_cycles: number;
  readonly uj: number;
  readonly flash_operations: number;
  readonly uart_overruns: number;
  readonly uart_framing_errors: number;
}

const METERED: readonly Metric[] = ["cycles", "instructions", "wait_cycles", "cycles_per_token"];
const OF_ANSWER: readonly Metric[] = ["tokens_per_second", "us_per_token", "first_token_us"];

export class Measure {
  readonly #sim: SimBoard;
  readonly #tokens: () => number;
  #mark: Reading;

  constructor(sim: SimBoard, tokens: () => number) {
    this.#sim = sim;
    this.#tokens = tokens;
    this.#mark = this.#read();
  }

  /** From here on it is counted. */
  mark(): void {
    this.#mark = this.#read();
  }

  /** @throws TritkitError E_STEP_NO_FIGURE where there is none */
  value(metric: Metric, chat: Chat | null): number {
    const { meter, board } = this.#sim;
    if (METERED.includes(metric) && meter === null)
      throw none(metric, "computing costs nothing on a flat CPU", 'Leave "cpu" out, or write "metered".');
    if (metric.startsWith("uj") && (meter === null || board.energy === null))
      throw none(metric, meter === null ? "its CPU is flat" : `${board.name} has no energy profile`, "");
    if (OF_ANSWER.includes(metric)) return ofAnswer(metric, chat);
    const now = this.#read();
    const since = (key: keyof Reading): number => now[key] - this.#mark[key];
    if (metric !== "cycles_per_token" && metric !== "uj_per_token") return since(metric as keyof Reading);
    if (since("tokens") === 0) throw none(metric, "no token came since the last mark", "");
    return since(metric === "uj_per_token" ? "uj" : "cycles") / since("tokens");
  }

  #read(): Reading {
    const { meter, uart, flash, now, board } = this.#sim;
    const totals = meter?.totals();
    const { overruns, framingErrors } = uart.counters;
    const waited = totals?.wait.flash ?? 0; // what code waits for is part of it
    const activity = board.energy === null ? null : activityOfBoard(this.#sim);
    const uj =
      activity === null || board.energy === null ? 0 : energyOf(activity, energyProfile(board.energy)).pj / 1e6;
    return {
      us: now / 1000,
      tokens: this.#tokens(),
      cycles: (totals?.cycles ?? 0) + waited,
      instructions: totals?.instructions ?? 0,
      wait_cycles: waited,
      uj,
      flash_operations: flash.operations,
      uart_overruns: overruns,
      uart_framing_errors: framingErrors,
    };
  }
}

function ofAnswer(metric: Metric, chat: Chat | null): number {
  if (chat === null) throw none(metric, "nothing was asked yet", "");
  const { times, begun } = chat;
  if (metric === "first_token_us") {
    if (times.length === 0) throw none(metric, "no token came", "");
    return (times[0] - begun) / 1000;
  }
  // Several tokens may come in one message: those of the first one have no time of their own.
  const later = times.filter((at) => at > times[0]).length;
  if (later === 0) throw none(metric, "the answer came all at once", "Let it be longer.");
  const us = (times[times.length - 1] - times[0]) / 1000 / later;
  return metric === "us_per_token" ? us : 1e6 / us;
}

function none(metric: Metric, why: string, hint: string): TritkitError {
  return new TritkitError("E_STEP_NO_FIGURE", `There is no ${metric}: ${why}.`, hint);
}
