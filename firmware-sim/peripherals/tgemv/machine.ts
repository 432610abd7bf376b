/**
 * The unit cycle by cycle: the Verilog of firmware-sim/rtl line by line, in the order of its modules. Slow (a million cycles a second) and
 * right in every case: errors, abort, accesses in the middle of a job. Whole jobs without an error go through recurrence.ts, which is held to this.
 */
import {
  TGEMV_DESC_WORDS,
  TGEMV_ERR_BAD_ACT,
  TGEMV_ERR_BAD_CODE,
  TGEMV_ERR_BUS,
  TGEMV_ERR_LEN_MISMATCH,
  TGEMV_ERR_MISALIGNED,
  TGEMV_NARROW_MAX,
  TGEMV_NARROW_MIN,
  TGEMV_PHASE_CHECK,
  TGEMV_PHASE_DRAIN,
  TGEMV_PHASE_FETCH,
  TGEMV_PHASE_IDLE,
  TGEMV_PHASE_LOAD,
  TGEMV_PHASE_PRIME,
  TGEMV_PHASE_RUN,
  TGEMV_WIDE_MAX,
  TGEMV_WIDE_MIN,
} from "../../../spec/tgemv.ts";
import { BAD, TRITS, ZEROS } from "./codes.ts";
import type { TgemvConfig } from "./config.ts";
import { checkJob, type TgemvFault, type TgemvJob } from "./job.ts";
import type { TgemvPorts } from "./ports.ts";
import { applyWrite, commandOf, NO_COMMAND, setJobWord, type TgemvWrite } from "./registers.ts";
import type { TgemvState } from "./state.ts";

/** Takes words that the unit writes by its M port, consecutive ones from `address` on. */
export type WriteSink = (address: number, words: Int32Array) => void;

const gapOf = new Float64Array(1);

/** One cycle, with a write of the host or without. */
export function step(s: TgemvState, config: TgemvConfig, ports: TgemvPorts, sink: WriteSink, host?: TgemvWrite): void {
  const { load, weights: w, core } = s;
  const phase = s.phase;
  const job = s.current;
  const command = host === undefined ? NO_COMMAND : commandOf(s, host);

  // M port: who asks, and whether memory grants.
  const loading = phase === TGEMV_PHASE_LOAD && !load.all && !load.pause;
  const realWord = load.col < job.cols;
  let address = -1;
  if (core.shadowFull) address = (s.writer.base + 4 * s.writer.row) % 2 ** 32;
  else if (loading && realWord) address = load.addr;
  else if (phase === TGEMV_PHASE_FETCH && s.asked < TGEMV_DESC_WORDS && s.desc % 4 === 0)
    address = (s.desc + 4 * s.asked) % 2 ** 32;
  const granted = address >= 0 && s.waited >= (ports.wait?.(s.totalGrants) ?? 0);
  const memory = granted ? ports.sram(address, 4) : undefined;
  const mRefused = memory !== undefined && (memory.length < 4 || ports.refusesGrant?.(s.totalGrants) === true);
  const mOk = granted && !mRefused;
  s.waited = address < 0 || granted ? 0 : s.waited + 1;
  if (granted) s.totalGrants++;

  // W port.
  const active = w.left > 0;
  let moves = false;
  if (active && w.fifo.length < config.fifo) {
    ports.timing.gaps(gapOf, 1, w.beat, s.totalPushes, w.addr);
    moves = w.waited + 1 >= gapOf[0];
  }
  const beat = moves ? ports.weights(w.addr, 4) : undefined;
  const wRefused = beat !== undefined && (beat.length < 4 || ports.refusesBeat?.(s.totalPushes) === true);
  const push = moves && !wRefused;
  w.waited = !active || moves ? 0 : w.waited + 1;
  if (moves) s.totalPushes++;

  // Lanes.
  const prime = phase === TGEMV_PHASE_PRIME;
  const run = phase === TGEMV_PHASE_RUN;
  const slotLast = core.slot + 1 === job.slots;
  const groupLast = core.slot === 0 ? core.at === load.lastGroup : core.lastGroupQ;
  const planeLast = core.plane === 0;
  const blockLast = groupLast && planeLast;
  const blocked = run && core.full && blockLast && core.slot === 0 && (core.shadowFull || (core.add && core.addLast));
  const noBeat = run && !core.full;
  const issue = run && core.full && !blocked;
  const jobLast = issue && blockLast && slotLast && core.rowsLeft <= 4;
  const take = w.fifo.length > 0 && (prime || run) && (!core.full || (issue && slotLast && !jobLast));
  const head = take ? w.fifo[0] : 0;
  const badByte = take ? firstBad(head) : -1;
  const over = active || w.fifo.length > 0;
  const drained = core.shadowFull && mOk && s.writer.row + 1 === core.shadowRows && s.writer.vector + 1 === job.vectors;

  // Errors.
  let fault: TgemvFault | null = null;
  if (phase === TGEMV_PHASE_FETCH && s.desc % 4 !== 0) fault = { code: TGEMV_ERR_MISALIGNED, info: s.desc };
  else if (phase === TGEMV_PHASE_CHECK) fault = checkJob(s, config);
  else if (phase === TGEMV_PHASE_LOAD && load.valid && !fits(load.x0, load.x1, job.wide))
    fault = { code: TGEMV_ERR_BAD_ACT, info: load.atVector * 65536 + load.atCol };
  else if (mRefused) fault = { code: TGEMV_ERR_BUS, info: address };
  else if (wRefused) fault = { code: TGEMV_ERR_BUS, info: w.addr };
  else if (badByte >= 0)
    fault = { code: TGEMV_ERR_BAD_CODE, info: ((w.addr + 2 ** 32 - 4 * w.fifo.length) % 2 ** 32) + badByte };
  else if ((noBeat && !over) || (jobLast && over)) fault = { code: TGEMV_ERR_LEN_MISMATCH, info: job.wbytes };
  const stop = fault !== null || command.abort;
  const jobDone = phase === TGEMV_PHASE_DRAIN && drained && !stop;
  const chainDone = jobDone && job.next === 0;

  // Counters.
  if (s.countEnable) {
    const c = s.counters;
    if (phase !== TGEMV_PHASE_IDLE) c.cycles++;
    if (phase === TGEMV_PHASE_FETCH || phase === TGEMV_PHASE_CHECK) c.setup++;
    if (phase === TGEMV_PHASE_LOAD || prime) c.astall++;
    if (phase === TGEMV_PHASE_DRAIN) c.drain++;
    if (issue) c.issue++;
    if (noBeat) c.wstall++;
    if (blocked) c.ostall++;
    if (take) c.beats++;
    if (take && badByte < 0) for (let i = 0; i < 4; i++) c.zeroTrits += ZEROS[(head >>> (8 * i)) & 255];
    if (push) c.pushes++;
    if (jobDone) c.jobs++;
  }

  // The edge, each part from what it saw.
  const arrived = s.arrives;
  const word = s.rdata;
  if (arrived && phase === TGEMV_PHASE_FETCH && s.asked - 1 < s.job.length) setJobWord(s, s.asked - 1, word);
  if (mOk && memory !== undefined) {
    if (core.shadowFull) {
      sink(address, Int32Array.of(outputOf(s, job)));
      s.mWrites++;
    } else {
      s.rdata = wordOf(memory);
      s.mReads++;
    }
  }
  s.cycle++;
  if (host !== undefined || fault !== null || jobDone)
    applyWrite(s, command, host, { fault, jobDone, chainDone, irq: job.irq });
  if (stop || command.reset) {
    dropAll(s);
    return;
  }

  const nextEntry = groupLast && slotLast ? 0 : core.at + 1;
  if (core.add) addStage(s);
  const fillsShadow = core.add && core.addLast && core.addEnd;
  const addedRows = core.addRows;
  core.add = issue;
  if (issue) {
    sumStage(s);
    core.addSlot = core.slot;
    core.addClear = core.firstGroup && core.firstPlane;
    core.addTriple = core.firstGroup && !core.firstPlane;
    core.addLast = blockLast;
    core.addEnd = slotLast;
    core.addRows = Math.min(4, core.rowsLeft);
    core.at = nextEntry;
    core.lastGroupQ = groupLast;
    if (slotLast) core.firstGroup = groupLast;
    if (slotLast && groupLast) {
      core.plane = planeLast ? job.planes - 1 : core.plane - 1;
      core.firstPlane = planeLast;
      if (planeLast) core.rowsLeft -= 4;
    }
    core.slot = slotLast ? 0 : core.slot + 1;
  }
  if (take) {
    core.full = true;
    core.word = head;
    w.fifo.shift();
  } else if (issue && slotLast) core.full = false;
  if (core.shadowFull && mOk) writerStage(s, job);
  if (fillsShadow) {
    core.shadowFull = true;
    core.shadowRows = addedRows;
  } else if (drained) core.shadowFull = false;
  if (push && beat !== undefined) {
    w.fifo.push(wordOf(beat));
    w.left--;
    w.addr = (w.addr + 4) % 2 ** 32;
    w.beat++;
  }

  const loadDone = load.all && (job.wide ? load.second : load.valid);
  if (phase === TGEMV_PHASE_LOAD) loadStage(s, job, mOk, realWord, loading);

  if (phase === TGEMV_PHASE_IDLE) {
    s.asked = 0;
    s.sum = 0;
    s.arrives = false;
    if (command.bell || command.start) {
      s.before = { ...s.counters };
      s.fromMemory = command.bell;
      if (command.bell && host !== undefined) s.desc = host.value;
      s.phase = command.bell ? TGEMV_PHASE_FETCH : TGEMV_PHASE_CHECK;
    }
  } else if (phase === TGEMV_PHASE_FETCH) {
    if (arrived) s.sum = (s.sum + word) % 2 ** 32;
    if (arrived && s.asked === TGEMV_DESC_WORDS) s.phase = TGEMV_PHASE_CHECK;
    s.arrives = mOk;
    if (mOk) s.asked++;
  } else if (phase === TGEMV_PHASE_CHECK) accept(s, job);
  else if (phase === TGEMV_PHASE_LOAD) {
    if (loadDone) s.phase = TGEMV_PHASE_PRIME;
  } else if (prime) {
    keepX(s, job);
    s.phase = TGEMV_PHASE_RUN;
  } else if (run) {
    if (jobLast) s.phase = TGEMV_PHASE_DRAIN;
  } else if (jobDone) finishJob(s, job);
}

/** The last cycle of a job: on to the next descriptor, or idle. */
export function finishJob(s: TgemvState, job: TgemvJob): void {
  s.asked = 0;
  s.sum = 0;
  s.before = { ...s.counters };
  s.fromMemory = true;
  if (job.next !== 0) s.desc = job.next;
  s.phase = job.next === 0 ? TGEMV_PHASE_IDLE : TGEMV_PHASE_FETCH;
}

/** The buffer holds activations of these dimensions from now on. */
export function keepX(s: TgemvState, job: TgemvJob): void {
  s.kept = true;
  s.keptCols = job.cols;
  s.keptVectors = job.vectors;
  s.keptWide = job.wide;
}

function fits(x0: number, x1: number, wide: boolean): boolean {
  const least = wide ? TGEMV_WIDE_MIN : TGEMV_NARROW_MIN;
  const most = wide ? TGEMV_WIDE_MAX : TGEMV_NARROW_MAX;
  return x0 >= least && x0 <= most && x1 >= least && x1 <= most;
}

/** The first byte of a beat that is no code, -1 when all are. */
function firstBad(word: number): number {
  for (let i = 0; i < 4; i++) if (ZEROS[(word >>> (8 * i)) & 255] === BAD) return i;
  return -1;
}

/** Stops everything: what is under way is dropped, registers and counters stay. */
function dropAll(s: TgemvState): void {
  s.phase = TGEMV_PHASE_IDLE;
  s.kept = false;
  s.arrives = false;
  s.waited = 0;
  s.asked = 0;
  s.sum = 0;
  s.load.valid = false;
  s.load.second = false;
  s.weights.left = 0;
  s.weights.waited = 0;
  s.weights.fifo.length = 0;
  s.core.full = false;
  s.core.add = false;
  s.core.shadowFull = false;
}

function accept(s: TgemvState, job: TgemvJob): void {
  const { load, core } = s;
  s.weights = { left: job.wbytes / 4, addr: job.waddr, beat: 0, waited: 0, fifo: [] };
  s.writer = { vector: 0, row: 0, block: job.oaddr, base: job.oaddr };
  core.full = false;
  core.slot = 0;
  core.at = 0;
  core.firstGroup = true;
  core.plane = job.planes - 1;
  core.firstPlane = true;
  core.rowsLeft = job.rows;
  core.add = false;
  core.shadowFull = false;
  if (!job.keep) {
    s.kept = false;
    const lastGroup = load.lastGroup;
    const fresh = { col: 0, bank: 0, entry: 0, vector: 0, base: job.aaddr, addr: job.aaddr, all: false, pause: false };
    s.load = { ...load, ...fresh, valid: false, second: false, lastGroup };
  }
  s.phase = job.keep ? TGEMV_PHASE_PRIME : TGEMV_PHASE_LOAD;
}

function loadStage(s: TgemvState, job: TgemvJob, granted: boolean, realWord: boolean, loading: boolean): void {
  const { load, buffer } = s;
  const stepNow = loading && (!realWord || granted);
  if (load.valid || load.second) {
    // A wide activation is 64 hi + lo, lo = -32..31.
    const part = (x: number) => (!job.wide ? x : load.second ? (x << 26) >> 26 : (x + 32) >> 6);
    const entry = load.atEntry + (load.second ? 1 : 0);
    buffer[5 * entry + load.atBank] = part(load.x0);
    if (load.atBank < 4) buffer[5 * entry + load.atBank + 1] = part(load.x1);
    else if (load.atCol + 1 < job.cols) buffer[5 * (entry + job.slots)] = part(load.x1);
  }
  load.second = load.valid && job.wide;
  load.valid = stepNow;
  load.pause = stepNow && job.wide;
  if (!stepNow) return;
  load.x0 = realWord ? (s.rdata << 16) >> 16 : 0;
  load.x1 = load.col + 1 < job.cols ? s.rdata >> 16 : 0;
  load.atBank = load.bank;
  load.atEntry = load.entry;
  load.atCol = load.col;
  load.atVector = load.vector;
  const beyond1 = load.col + 1 >= job.cols;
  if (load.col + 2 >= job.cols && (load.bank === 3 || (load.bank === 4 && beyond1))) {
    if (load.vector === 0) load.lastGroup = load.entry;
    load.vector++;
    load.col = 0;
    load.bank = 0;
    load.entry = job.wide ? 2 * load.vector : load.vector;
    load.base = (load.base + job.xStride) % 2 ** 32;
    load.addr = load.base;
    load.all = load.vector === job.vectors;
    return;
  }
  load.col += 2;
  load.addr = (load.addr + 4) % 2 ** 32;
  if (load.bank >= 3) {
    load.entry += job.slots;
    load.bank -= 3;
  } else load.bank += 2;
}

/** Four trees: the beat register times the entry that the buffer shows. */
function sumStage(s: TgemvState): void {
  const { core, buffer } = s;
  for (let row = 0; row < 4; row++) {
    const trits = 5 * ((core.word >>> (8 * row)) & 255);
    let sum = 0;
    for (let i = 0; i < 5; i++) sum += TRITS[trits + i] * buffer[5 * core.at + i];
    core.sums[row] = sum;
  }
}

function addStage(s: TgemvState): void {
  const { core } = s;
  for (let row = 0; row < 4; row++) {
    const i = 4 * core.addSlot + row;
    const old = core.addClear ? 0 : core.addTriple ? 3 * core.acc[i] : core.acc[i];
    if (core.addLast) core.shadow[i] = old + core.sums[row];
    else core.acc[i] = old + core.sums[row];
  }
}

/** The word that the writer offers. */
function outputOf(s: TgemvState, job: TgemvJob): number {
  const { writer, core } = s;
  if (!job.wide) return core.shadow[4 * writer.vector + writer.row];
  const hi = core.shadow[8 * writer.vector + writer.row];
  return ((hi << 6) + core.shadow[8 * writer.vector + 4 + writer.row]) | 0;
}

function writerStage(s: TgemvState, job: TgemvJob): void {
  const { writer, core } = s;
  if (writer.row + 1 < core.shadowRows) {
    writer.row++;
    return;
  }
  writer.row = 0;
  if (writer.vector + 1 < job.vectors) {
    writer.vector++;
    writer.base = (writer.base + job.yStride) % 2 ** 32;
    return;
  }
  writer.vector = 0;
  writer.block = (writer.block + 16) % 2 ** 32;
  writer.base = writer.block;
}

function wordOf(bytes: Uint8Array): number {
  return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0;
}
