/** Cycles in bulk: whole jobs by recurrence, what is left by the machine. */
import {
  TGEMV_PHASE_CHECK,
  TGEMV_PHASE_DRAIN,
  TGEMV_PHASE_FETCH,
  TGEMV_PHASE_IDLE,
  TGEMV_PHASE_RUN,
} from "../../../spec/tgemv.ts";
import type { TgemvConfig } from "./config.ts";
import type { TgemvJob } from "./job.ts";
import { step, type WriteSink } from "./machine.ts";
import type { TgemvPorts } from "./ports.ts";
import { type PhaseListener, runJob } from "./recurrence.ts";
import type { TgemvWrite } from "./registers.ts";
import type { TgemvCounters, TgemvState } from "./state.ts";

/** What is told about a run. Cycles are the unit's. */
export interface TgemvListener {
  /** A phase begins; TGEMV_PHASE_IDLE ends the chain. */
  phase?: PhaseListener;
  /** A job ended before cycle `end`, without an error (0) or by one. `counts` are its own. */
  job?(end: number, job: TgemvJob, counts: TgemvCounters, error: number): void;
}

const gapOf = new Float64Array(1);

/**
 * Runs until the unit is idle or cycle `until` begins, whichever comes first. The state is then that at the beginning of s.cycle.
 * @param slow everything by the machine, for tests
 */
export function run(
  s: TgemvState,
  config: TgemvConfig,
  ports: TgemvPorts,
  sink: WriteSink,
  until: number,
  listener: TgemvListener = {},
  slow = false,
): void {
  const tell: PhaseListener = (cycle, phase) => listener.phase?.(cycle, phase);
  while (s.phase !== TGEMV_PHASE_IDLE && s.cycle < until) {
    const first = s.fromMemory ? s.phase === TGEMV_PHASE_FETCH && s.asked === 0 : s.phase === TGEMV_PHASE_CHECK;
    const before = s.before;
    if (!slow && first && s.waited === 0 && runJob(s, config, ports, sink, until - 1, tell)) {
      tell(s.cycle, s.phase);
      listener.job?.(s.cycle, s.current, difference(s.counters, before), 0);
      continue;
    }
    do {
      skipWait(s, ports, until);
      if (s.cycle >= until) break;
    } while (!stepTold(s, config, ports, sink, listener));
  }
}

/** One cycle, told to the listener. True when a job ended with it. */
export function stepTold(
  s: TgemvState,
  config: TgemvConfig,
  ports: TgemvPorts,
  sink: WriteSink,
  listener: TgemvListener,
  host?: TgemvWrite,
): boolean {
  const { phase, before } = s;
  step(s, config, ports, sink, host);
  if (s.phase === phase) return false;
  listener.phase?.(s.cycle, s.phase);
  const ended = phase === TGEMV_PHASE_DRAIN || (phase !== TGEMV_PHASE_IDLE && s.phase === TGEMV_PHASE_IDLE);
  // A job that ended well has left the machine at the next one, or done. An aborted one has no error.
  const error = s.phase === TGEMV_PHASE_IDLE && !s.done ? s.code : 0;
  if (ended) listener.job?.(s.cycle, s.current, difference(s.counters, before), error);
  return ended;
}

/** Cycles in which lanes and outputs are empty and the next beat is not there: nothing but counters changes in them. */
function skipWait(s: TgemvState, ports: TgemvPorts, until: number): void {
  const { core, weights } = s;
  if (s.phase !== TGEMV_PHASE_RUN || core.full || core.add || core.shadowFull) return;
  if (weights.fifo.length > 0 || weights.left === 0) return;
  ports.timing.gaps(gapOf, 1, weights.beat, s.totalPushes, weights.addr);
  const cycles = Math.min(gapOf[0] - 1 - weights.waited, until - s.cycle);
  if (cycles <= 0) return;
  s.cycle += cycles;
  weights.waited += cycles;
  if (!s.countEnable) return;
  s.counters.cycles += cycles;
  s.counters.wstall += cycles;
}

function difference(after: TgemvCounters, before: TgemvCounters): TgemvCounters {
  const counts = { ...after };
  for (const name of Object.keys(counts) as (keyof TgemvCounters)[]) counts[name] -= before[name];
  return counts;
}
