/**
 * The team: threads that share the work of one forward pass. The caller's thread leads; the others run in workers, each an instance of this module on
 * the same memory. A job is cut into chunks, whose results are the same whoever computes them.
 *
 *     team   epoch | next chunk | sleepers, stop | Job | state of each chunk        lines of 64 bytes, so that threads do not share them by accident
 *
 *     state of a chunk:   epoch << 3 | FREE -> TAKEN -> COMMIT -> DONE
 *                                               \-> STOLEN -> DONE       by the leader
 *
 * A thread may lose its core at any moment, for milliseconds, on a machine that others use too. So nobody waits for a particular thread: a worker
 * computes into memory of its own and copies the result to its place in a moment (COMMIT) when the chunk is still its own. The leader, when nothing
 * is left to take, gives a chunk that is out a short time and then computes it itself; whoever comes late throws its result away. What the late one
 * reads may have changed meanwhile: it computes nonsense, from addresses that were copied before and stay valid, and nobody sees it.
 *
 * Workers spin for the next job: a notification costs more than most jobs take. But a worker that spins may hold the core that the leader waits for, and
 * a worker that is notified may be given it. So how long a worker spins is learned: twice as long after a wait that paid, half as long after one that did
 * not; then it naps (a wait with a limit) and looks again by itself. Now and then it spins long all the same: whoever slept through a pause would else nap
 * through every job that follows it. The leader notifies once for each forward pass. Measured with six busy processes on
 * two cores: spinning for milliseconds and notifying for each job made two threads take 1.6 times as long as one; large jobs notify, too, if somebody naps.
 */
import { commit_chunk, Job, run_chunk } from "./jobs.ts";

const EPOCH: usize = 0;
const NEXT: usize = 64;
const SLEEPERS: usize = 128;
const STOP: usize = 132;
const JOB: usize = 192;
const STATES: usize = 512;
/** Chunks of a job at most. */
export const CHUNKS_MAX = 1024;
export const TEAM_BYTES: u32 = 512 + 4 * CHUNKS_MAX;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const COMMIT: u32 = 2;
const STOLEN: u32 = 3;
const DONE: u32 = 4;

/** Turns of the leader's loop, a nanosecond or two each, for a chunk that is out before it is stolen: some for each chunk, and as many as a slow one takes. */
const PATIENCE: u32 = 30000;
const PATIENCE_SHIFT = 5; // 32 multiply-adds a turn
/** Turns of a worker's loop for the next job, at least and at most: some 10 microseconds, and a millisecond. */
const SPINS_MIN = 4096;
const SPINS_MAX = 1 << 19;
/** A nap in nanoseconds, and how many a worker takes before it sleeps until it is notified. */
const NAP: i64 = 1000000;
const NAPS = 200;
/** Multiply-adds of a job that is worth a notification by itself: a millisecond or more. The head, and products of a batch, before which workers wait long. */
const WAKE_WORK: u64 = 100000000;
/** After so many waits that did not pay, one is as long as can be: the machine may be quiet by now. */
const PROBE = 16;

/** Address of the team's memory, and how many threads there are; of each instance its own. */
@lazy
let team: usize = 0;
@lazy
let threads: i32 = 1;

/** Threads, the leader among them. */
export function team_size(): i32 {
  return threads;
}

/**
 * The leader's part of starting.
 * @param at TEAM_BYTES of zeros on a multiple of 64; 0: alone
 */
export function team_lead(at: usize, size: i32): void {
  team = at;
  threads = at == 0 ? 1 : size;
}

/** The job to be described before work_out(). */
@inline
export function team_job(): Job {
  return changetype<Job>(team + JOB);
}

/** There will be work: wakes workers that nap. */
export function team_wake(): void {
  if (threads > 1 && atomic.load<u32>(team + SLEEPERS) != 0) atomic.notify(team + EPOCH, -1);
}

/** Computes all chunks of team_job(), with the team. */
export function work_out(chunks: i32): void {
  const epoch = atomic.load<u32>(team + EPOCH) + 1;
  const job = team_job();
  for (let c = 0; c < chunks; c++) atomic.store<u32>(state_of(c), (epoch << 3) | FREE);
  job.chunks = chunks;
  atomic.store<u32>(team + NEXT, 0);
  atomic.store<u32>(team + EPOCH, epoch);
  if (<u64>job.work * <u64>chunks > WAKE_WORK) team_wake();

  for (;;) {
    const c = <i32>atomic.add<u32>(team + NEXT, 1);
    if (c >= chunks) break;
    if (take(c, epoch, FREE, TAKEN)) lead_chunk(job, c, epoch);
  }
  const patience = PATIENCE + (job.work >> PATIENCE_SHIFT);
  for (let c = 0; c < chunks; c++) {
    let turns: u32 = 0;
    for (;;) {
      const state = atomic.load<u32>(state_of(c)) & 7;
      if (state == DONE) break;
      if (state == FREE && take(c, epoch, FREE, TAKEN)) lead_chunk(job, c, epoch);
      else if (state == TAKEN && ++turns > patience && take(c, epoch, TAKEN, STOLEN)) lead_chunk(job, c, epoch);
    }
  }
}

function lead_chunk(job: Job, c: i32, epoch: u32): void {
  run_chunk(job, c, job.areas, true);
  atomic.store<u32>(state_of(c), (epoch << 3) | DONE);
}

@inline
function state_of(c: i32): usize {
  return team + STATES + ((<usize>c) << 2);
}

@inline
function take(c: i32, epoch: u32, from: u32, to: u32): bool {
  const tag = epoch << 3;
  return atomic.cmpxchg<u32>(state_of(c), tag | from, tag | to) == (tag | from);
}

/**
 * A worker's life, in an instance of its own: returns when the team is dismissed.
 * @param at the team's memory
 * @param index 1.. of its place
 */
export function team_work(at: usize, index: i32): void {
  team = at;
  // A job that came before this worker did is none of its business, unless it is not done yet.
  let seen: u32 = 0;
  for (;;) {
    seen = next_epoch(seen);
    if (atomic.load<u32>(team + STOP) != 0) return;
    work_at(seen, index);
  }
}

/** How long this worker spins. */
@lazy
let spins: i32 = SPINS_MAX;
/** Waits that did not pay. */
@lazy
let misses: i32 = 0;

function next_epoch(seen: u32): u32 {
  let naps = 0;
  while (true) {
    for (let turns = 0; turns < spins; turns++) {
      const epoch = atomic.load<u32>(team + EPOCH);
      if (epoch != seen) {
        if (naps == 0) spins = min(SPINS_MAX, spins << 1);
        return epoch;
      }
    }
    spins = ++misses % PROBE == 0 ? SPINS_MAX : max(SPINS_MIN, spins >> 1);
    atomic.add<u32>(team + SLEEPERS, 1);
    atomic.wait<i32>(team + EPOCH, seen, naps < NAPS ? NAP : -1);
    atomic.sub<u32>(team + SLEEPERS, 1);
    naps++;
  }
}

/** Takes chunks of the job `epoch` until none is left. The copy of the job is right if a chunk of it can still be taken. */
function work_at(epoch: u32, index: i32): void {
  const area = team_job().areas + <usize>index * <usize>team_job().area_bytes;
  memory.copy(area, team + JOB, offsetof<Job>());
  const job = changetype<Job>(area);
  for (;;) {
    const c = <i32>atomic.add<u32>(team + NEXT, 1);
    if (c >= job.chunks) return;
    if (!take(c, epoch, FREE, TAKEN)) return;
    run_chunk(job, c, area, false);
    if (!take(c, epoch, TAKEN, COMMIT)) continue;
    commit_chunk(job, c, area);
    atomic.store<u32>(state_of(c), (epoch << 3) | DONE);
  }
}

/** Sends the workers home. */
export function team_dismiss(): void {
  if (team == 0) return;
  atomic.store<u32>(team + STOP, 1);
  atomic.add<u32>(team + EPOCH, 1);
  atomic.notify(team + EPOCH, -1);
  threads = 1;
}
