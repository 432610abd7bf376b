/**
 * A whole job at once, when nothing goes wrong in it: cycles by recurrence, sums by tables. Whatever could go wrong is looked at first; then the job is
 * left to machine.ts, which knows the cycle.
 */
import {
  TGEMV_DESC_SUM,
  TGEMV_DESC_WORDS,
  TGEMV_NARROW_MAX,
  TGEMV_NARROW_MIN,
  TGEMV_PHASE_CHECK,
  TGEMV_PHASE_DRAIN,
  TGEMV_PHASE_LOAD,
  TGEMV_PHASE_PRIME,
  TGEMV_PHASE_RUN,
  TGEMV_WIDE_MAX,
  TGEMV_WIDE_MIN,
} from "../../../spec/tgemv.ts";
import { beatTimes } from "./beats.ts";
import type { TgemvConfig } from "./config.ts";
import { checkJob, jobOf, type TgemvJob } from "./job.ts";
import { finishJob, keepX, type WriteSink } from "./machine.ts";
import type { TgemvPorts } from "./ports.ts";
import { countZeros, product } from "./products.ts";
import { applyWrite, NO_COMMAND } from "./registers.ts";
import type { TgemvState } from "./state.ts";

/** Is told the cycle in which each phase of a job begins. */
export type PhaseListener = (cycle: number, phase: number) => void;

/**
 * Runs the job that begins in this cycle (phase fetch or check) to its end.
 * @param limit the last cycle that may happen
 * @returns false, and nothing has happened: an error, an access that waits for ever, or the limit lies ahead
 */
export function runJob(
  s: TgemvState,
  config: TgemvConfig,
  ports: TgemvPorts,
  sink: WriteSink,
  limit: number,
  onPhase: PhaseListener,
): boolean {
  const waits = new Waits(ports, s.totalGrants);
  const start = s.cycle;
  let check = start;
  let words = s.job;
  if (s.phase !== TGEMV_PHASE_CHECK) {
    const fetched = readDescriptor(s.desc, ports);
    if (fetched === null) return false;
    words = fetched;
    check = start + TGEMV_DESC_WORDS + waits.of(TGEMV_DESC_WORDS) + 1;
  }
  const job = jobOf(words);
  if (checkJob({ ...s, job: words, current: job, sum: TGEMV_DESC_SUM }, config) !== null) return false;

  const x = activations(s, job, ports);
  if (x === null) return false;
  const readWords = Math.ceil(job.cols / 2);
  const allWords = Math.ceil((5 * job.groups) / 2);
  let prime = check + 1;
  if (!job.keep) {
    // A word a cycle; of wide ones, one in two, and a grant that waits is asked for after the pause.
    const pace = job.wide ? 2 : 1;
    prime += job.vectors * allWords * pace + 1;
    for (let v = 0; v < job.vectors; v++) prime += waits.of(readWords);
  }

  const beats = job.blocks * job.planes * job.groups;
  const bytes = ports.weights(job.waddr, job.wbytes);
  if (job.wbytes !== 4 * beats || bytes.length < job.wbytes || !outputsFit(job, ports)) return false;
  const totals = { pushes: s.totalPushes, grants: waits.next };
  const stream = check + 1;
  const times = beatTimes(job, config.fifo, ports, prime - stream, totals);
  if (times === null || stream + times.end > limit) return false;
  if (refuses(ports, s, beats, times.grants)) return false;
  const packed = aligned(bytes);
  const zeros = countZeros(packed);
  if (zeros < 0) return false;

  onPhase(check, TGEMV_PHASE_CHECK);
  if (!job.keep) onPhase(check + 1, TGEMV_PHASE_LOAD);
  onPhase(prime, TGEMV_PHASE_PRIME);
  onPhase(prime + 1, TGEMV_PHASE_RUN);
  onPhase(stream + times.lastIssue + 1, TGEMV_PHASE_DRAIN);
  for (let v = 0; v < job.vectors; v++) {
    sink(job.oaddr + v * job.yStride, product(packed, x[v], job).subarray(0, job.rows));
  }
  if (!job.keep) {
    fillBuffer(s, job, x);
    keepX(s, job);
    s.load.lastGroup = (job.groups - 1) * job.slots;
  }
  s.mReads += (s.phase === TGEMV_PHASE_CHECK ? 0 : TGEMV_DESC_WORDS) + (job.keep ? 0 : job.vectors * readWords);
  s.mWrites += job.vectors * job.rows;
  s.totalPushes += beats;
  s.totalGrants = times.grants;
  s.job = words;
  s.current = job;
  s.cycle = stream + times.end + 1;
  if (s.countEnable) {
    const c = s.counters;
    c.cycles += s.cycle - start;
    c.setup += check + 1 - start;
    c.astall += prime - check;
    c.issue += beats * job.slots;
    c.wstall += times.wstall;
    c.ostall += times.ostall;
    c.drain += times.end - times.lastIssue;
    c.beats += beats;
    c.pushes += beats;
    c.zeroTrits += zeros;
    c.jobs++;
  }
  const events = { fault: null, jobDone: true, chainDone: job.next === 0, irq: job.irq };
  applyWrite(s, NO_COMMAND, undefined, events);
  finishJob(s, job);
  return true;
}

/** Waits of the grants of a job, in their order. */
class Waits {
  next: number;
  readonly #ports: TgemvPorts;

  constructor(ports: TgemvPorts, first: number) {
    this.#ports = ports;
    this.next = first;
  }

  /** Cycles that the next n grants wait, together. */
  of(n: number): number {
    let sum = 0;
    if (this.#ports.wait !== undefined) for (let i = 0; i < n; i++) sum += this.#ports.wait(this.next + i);
    this.next += n;
    return sum;
  }
}

/** Words 0..8, or null: misaligned, not readable or of another sum. */
function readDescriptor(address: number, ports: TgemvPorts): Uint32Array | null {
  if (address % 4 !== 0) return null;
  const bytes = ports.sram(address, 4 * TGEMV_DESC_WORDS);
  if (bytes.length < 4 * TGEMV_DESC_WORDS) return null;
  const words = new Uint32Array(bytes.slice().buffer);
  const sum = words.reduce((a, b) => (a + b) >>> 0, 0);
  return sum === TGEMV_DESC_SUM ? words.slice(0, TGEMV_DESC_WORDS - 1) : null;
}

/** i16[cols] of each vector, or null: not readable or out of range. */
function activations(s: TgemvState, job: TgemvJob, ports: TgemvPorts): Int16Array[] | null {
  const vectors: Int16Array[] = [];
  const least = job.wide ? TGEMV_WIDE_MIN : TGEMV_NARROW_MIN;
  const most = job.wide ? TGEMV_WIDE_MAX : TGEMV_NARROW_MAX;
  for (let v = 0; v < job.vectors; v++) {
    if (job.keep) {
      vectors.push(bufferedVector(s, job, v));
      continue;
    }
    // The odd half of the last word is read, too.
    const size = 4 * Math.ceil(job.cols / 2);
    const bytes = ports.sram((job.aaddr + v * job.xStride) % 2 ** 32, size);
    if (bytes.length < size) return null;
    const x = new Int16Array(bytes.slice().buffer, 0, job.cols);
    for (const value of x) if (value < least || value > most) return null;
    vectors.push(x);
  }
  return vectors;
}

function bufferedVector(s: TgemvState, job: TgemvJob, v: number): Int16Array {
  const x = new Int16Array(job.cols);
  for (let c = 0; c < job.cols; c++) {
    const entry = Math.floor(c / 5) * job.slots;
    const bank = c % 5;
    if (job.wide) x[c] = 64 * s.buffer[5 * (entry + 2 * v) + bank] + s.buffer[5 * (entry + 2 * v + 1) + bank];
    else x[c] = s.buffer[5 * (entry + v) + bank];
  }
  return x;
}

function fillBuffer(s: TgemvState, job: TgemvJob, vectors: Int16Array[]): void {
  for (const [v, x] of vectors.entries()) {
    for (let c = 0; c < 5 * job.groups; c++) {
      const value = c < job.cols ? x[c] : 0;
      const entry = Math.floor(c / 5) * job.slots;
      const bank = c % 5;
      if (job.wide) {
        s.buffer[5 * (entry + 2 * v) + bank] = (value + 32) >> 6;
        s.buffer[5 * (entry + 2 * v + 1) + bank] = (value << 26) >> 26;
      } else s.buffer[5 * (entry + v) + bank] = value;
    }
  }
}

function outputsFit(job: TgemvJob, ports: TgemvPorts): boolean {
  for (let v = 0; v < job.vectors; v++) {
    const at = job.oaddr + v * job.yStride;
    if (at + 4 * job.rows > 2 ** 32 || ports.sram(at, 4 * job.rows).length < 4 * job.rows) return false;
  }
  return true;
}

function refuses(ports: TgemvPorts, s: TgemvState, beats: number, grants: number): boolean {
  if (ports.refusesBeat !== undefined)
    for (let i = 0; i < beats; i++) if (ports.refusesBeat(s.totalPushes + i)) return true;
  if (ports.refusesGrant !== undefined)
    for (let i = s.totalGrants; i < grants; i++) if (ports.refusesGrant(i)) return true;
  return false;
}

function aligned(bytes: Uint8Array): Uint32Array {
  const own = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(own.buffer, own.byteOffset, own.length / 4);
}
