/**
 * When the beats of a job move: an exact integer recurrence, one step a beat (spec/TGEMV.md, "Cycles"). Cycles count from the first in which the
 * weight port asks; `prime` is that of the prime phase.
 *
 *     push[i]  = max(push[i-1] + gap[i], take[i-D] + 1)         push[0] = gap[0] - 1
 *     take[i]  = max(push[i] + 1, end[i-1])                     end[-1] = prime
 *     first[i] = take[i] + 1, for the last beat of a block not before drained[block-1] + 1
 *     end[i]   = first[i] + slots - 1
 *     drained[block] = end[last beat of it] + 1 + its writes and their waits
 */
import type { TgemvJob } from "./job.ts";
import type { TgemvPorts } from "./ports.ts";

export interface BeatTimes {
  wstall: number;
  ostall: number;
  /** Of the last issue, and of the last write. */
  lastIssue: number;
  end: number;
  grants: number;
}

/** Beats whose gaps are asked for at a time. */
const CHUNK = 1024;
const gaps = new Float64Array(CHUNK);

/**
 * @param totals beats moved and grants given before this job's
 * @returns null when a beat never comes
 */
export function beatTimes(
  job: TgemvJob,
  fifo: number,
  ports: TgemvPorts,
  prime: number,
  totals: { pushes: number; grants: number },
): BeatTimes | null {
  const beatsOfBlock = job.planes * job.groups;
  const slots = job.slots;
  const mask = fifo - 1;
  const takes = new Float64Array(fifo).fill(-1);
  let gapAt = CHUNK;
  let beat = 0;
  let push = -1;
  let end = prime;
  let drained = -1;
  let grants = totals.grants;
  let wstall = 0;
  let ostall = 0;
  for (let block = 0; block < job.blocks; block++) {
    for (let left = beatsOfBlock; left > 0; left--, beat++) {
      if (gapAt === CHUNK) {
        ports.timing.gaps(gaps, CHUNK, beat, totals.pushes + beat, job.waddr + 4 * beat);
        gapAt = 0;
      }
      push = Math.max(push + gaps[gapAt++], takes[beat & mask] + 1);
      const take = Math.max(push + 1, end);
      takes[beat & mask] = take;
      wstall += take - end;
      let first = take + 1;
      if (left === 1 && first <= drained) {
        ostall += drained + 1 - first;
        first = drained + 1;
      }
      end = first + slots - 1;
    }
    const writes = job.vectors * Math.min(4, job.rows - 4 * block);
    drained = end + 1 + writes;
    if (ports.wait !== undefined) for (let i = 0; i < writes; i++) drained += ports.wait(grants + i);
    grants += writes;
  }
  if (!Number.isFinite(drained)) return null;
  return { wstall, ostall, lastIssue: end, end: drained, grants };
}
