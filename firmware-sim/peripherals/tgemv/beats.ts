/**
 * When the beats of a job move: an exact integer recurrence, one step a beat (spec/TGEMV.md, "Cycles"). Cycles count from the first in which the
 * weight port asks; `prime` is that of the prime phase.
 *
 *     push[i]  = max(push[i-1] + gap[i], take[i-D] + 1)         push[0] = gap[0] - 1
 *     take[i]  = max(push[i] + 1, end[i-1])                     end[-1] = prime
 *     first[i] = take[i] + 1, for the last beat of a block not before drained[block-1] + 1
 *     end[i]   = first[i] + slots - 1
 *     drained[block] = end[last beat of it] + 1 + its writes and their waits
 *
 * Only differences of these times decide what comes next. When at the ends of two blocks they are equal, and gaps repeat in between, every further
 * stretch of so many blocks is a copy of this one, later: such stretches are skipped.
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
  const { timing, wait } = ports;
  const { blocks, slots, rows, vectors } = job;
  const beatsOfBlock = job.planes * job.groups;
  const beats = blocks * beatsOfBlock;
  const mask = fifo - 1;
  const takes = new Float64Array(fifo).fill(-1);
  const stretch = wait === undefined ? blocksOfPeriod(timing.period?.(job.waddr) ?? 0, beatsOfBlock) : 0;
  let seen: Moment | null = null;
  let gapAt = 0;
  let gapEnd = 0;
  let beat = 0;
  let push = -1;
  let end = prime;
  let drained = -1;
  let grants = totals.grants;
  let wstall = 0;
  let ostall = 0;
  for (let block = 0; block < blocks; block++) {
    if (stretch > 0 && block > 0 && block % stretch === 0 && blocks - block > stretch) {
      const now: Moment = { block, push, end, drained, wstall, ostall, takes: inOrder(takes, beat) };
      if (seen !== null && sameFuture(seen, now)) {
        // The last block stays: it may have fewer rows.
        const length = block - seen.block;
        const times = Math.floor((blocks - 1 - block) / length);
        const later = times * (end - seen.end);
        wstall += times * (wstall - seen.wstall);
        ostall += times * (ostall - seen.ostall);
        push += later;
        end += later;
        drained += later;
        block += times * length;
        beat += times * length * beatsOfBlock;
        grants += times * length * 4 * vectors;
        for (let i = 1; i <= fifo; i++) takes[(beat - i) & mask] = now.takes[i - 1] + later;
        gapAt = gapEnd;
        seen = null;
      } else seen = now;
    }
    for (let left = beatsOfBlock; left > 0; left--) {
      if (gapAt === gapEnd) {
        gapAt = 0;
        gapEnd = Math.min(CHUNK, beats - beat);
        timing.gaps(gaps, gapEnd, beat, totals.pushes + beat, job.waddr + 4 * beat);
      }
      const ready = push + gaps[gapAt++];
      const room = takes[beat & mask] + 1;
      push = ready > room ? ready : room;
      const take = push >= end ? push + 1 : end;
      takes[beat & mask] = take;
      beat++;
      wstall += take - end;
      end = take + slots;
      if (left === 1 && take < drained) {
        ostall += drained - take;
        end = drained + slots;
      }
    }
    const writes = vectors * Math.min(4, rows - 4 * block);
    drained = end + 1 + writes;
    if (wait !== undefined) for (let i = 0; i < writes; i++) drained += wait(grants + i);
    grants += writes;
  }
  if (!Number.isFinite(drained)) return null;
  return { wstall, ostall, lastIssue: end, end: drained, grants };
}

/** Times at the beginning of a block. */
interface Moment {
  block: number;
  push: number;
  end: number;
  drained: number;
  wstall: number;
  ostall: number;
  /** The latest first. */
  takes: Float64Array;
}

function inOrder(takes: Float64Array, beat: number): Float64Array {
  return takes.map((_, i) => takes[(beat - 1 - i) & (takes.length - 1)]);
}

function sameFuture(a: Moment, b: Moment): boolean {
  const later = b.end - a.end;
  if (b.push - a.push !== later || b.drained - a.drained !== later) return false;
  return a.takes.every((take, i) => b.takes[i] - take === later);
}

/** Blocks after which gaps repeat; 0: never. */
function blocksOfPeriod(period: number, beatsOfBlock: number): number {
  let [a, b] = [period, beatsOfBlock];
  while (b !== 0) [a, b] = [b, a % b];
  return period === 0 ? 0 : period / a;
}
