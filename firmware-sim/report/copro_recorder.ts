/** Listens to the coprocessor: its jobs with their phases in simulated time, and sums of what they did. */
import type { Board } from "../../boards/board.ts";
import {
  TGEMV_PHASE_CHECK,
  TGEMV_PHASE_DRAIN,
  TGEMV_PHASE_FETCH,
  TGEMV_PHASE_IDLE,
  TGEMV_PHASE_LOAD,
  TGEMV_PHASE_PRIME,
  TGEMV_PHASE_RUN,
} from "../../spec/tgemv.ts";
import type { TgemvJob } from "../peripherals/tgemv/job.ts";
import type { TgemvCounters } from "../peripherals/tgemv/state.ts";
import type { Tgemv } from "../peripherals/tgemv/tgemv.ts";
import type { Counter } from "./counters.ts";

export const PHASE_NAMES: Readonly<Record<number, string>> = {
  [TGEMV_PHASE_IDLE]: "idle",
  [TGEMV_PHASE_FETCH]: "fetch",
  [TGEMV_PHASE_CHECK]: "check",
  [TGEMV_PHASE_LOAD]: "load",
  [TGEMV_PHASE_PRIME]: "prime",
  [TGEMV_PHASE_RUN]: "run",
  [TGEMV_PHASE_DRAIN]: "drain",
};

export interface CoproJob {
  readonly job: TgemvJob;
  readonly counts: TgemvCounters;
  /** 0: it ended well. */
  readonly error: number;
  /** ns. */
  readonly from: number;
  readonly until: number;
  readonly phases: readonly { readonly phase: number; readonly from: number; readonly until: number }[];
}

/** A clock's cycles as ns: the ends of the fraction have no common divisor, so that products stay whole. */
export function nsOfCycles(hz: number): (cycles: number) => number {
  let [a, b] = [1_000_000_000, hz];
  while (b !== 0) [a, b] = [b, a % b];
  return (cycles) => Math.round((cycles * (1_000_000_000 / a)) / (hz / a));
}

export class CoproRecorder {
  /** Of all jobs that have ended. */
  readonly sums: Partial<Record<Counter, number>> = {};
  readonly #ns: (cycles: number) => number;
  readonly #board: Board;
  #phases: { cycle: number; phase: number }[] = [];

  /**
   * @param onChain the unit leaves idle in cycle `at`: its state is that of this moment
   * @param onJob one has ended
   */
  constructor(board: Board, unit: Tgemv, onChain: (at: number) => void, onJob: (job: CoproJob) => void) {
    this.#board = board;
    this.#ns = nsOfCycles(board.copro?.hz ?? board.cpu.hz);
    unit.listener = {
      phase: (cycle, phase) => {
        if (this.#phases.length === 0 && phase !== TGEMV_PHASE_IDLE) onChain(cycle);
        this.#phases.push({ cycle, phase });
      },
      job: (end, job, counts, error) => onJob(this.#ended(end, job, counts, error)),
    };
  }

  /** The unit was reset: what it had begun does not end. */
  abandon(): void {
    this.#phases = [];
  }

  #ended(end: number, job: TgemvJob, counts: TgemvCounters, error: number): CoproJob {
    const own = this.#phases.filter(({ cycle }) => cycle < end);
    // What comes behind is the next job's, or the end of the chain.
    this.#phases = this.#phases.filter(({ cycle, phase }) => cycle >= end && phase !== TGEMV_PHASE_IDLE);
    for (const [counter, count] of Object.entries(jobCounts(this.#board, job, counts)))
      this.sums[counter as Counter] = (this.sums[counter as Counter] ?? 0) + count;
    const phases = own.map(({ cycle, phase }, i) => ({
      phase,
      from: this.#ns(cycle),
      until: this.#ns(own[i + 1]?.cycle ?? end),
    }));
    return { ...{ job, counts, error, phases }, from: phases[0]?.from ?? this.#ns(end), until: this.#ns(end) };
  }
}

/** What a job adds to the counters of a recording. */
export function jobCounts(board: Board, job: TgemvJob, counts: TgemvCounters): Partial<Record<Counter, number>> {
  const { psram } = board;
  const bytes = 4 * counts.pushes;
  const isPsram = psram !== null && job.waddr >= psram.base && job.waddr < psram.base + psram.bytes;
  return {
    coproJobs: 1,
    coproCycles: counts.cycles,
    coproBeats: counts.beats,
    coproLaneSteps: counts.issue,
    coproSetup: counts.setup,
    coproAstall: counts.astall,
    coproWstall: counts.wstall,
    coproOstall: counts.ostall,
    coproDrain: counts.drain,
    coproFlashBytes: isPsram ? 0 : bytes,
    coproPsramBytes: isPsram ? bytes : 0,
  };
}
