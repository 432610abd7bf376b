/**
 * Everything that the unit remembers, as one plain struct: a snapshot is a copy (structuredClone). Names are those of firmware-sim/rtl, in which
 * each group of fields has its module.
 */
import { TGEMV_PHASE_IDLE } from "../../../spec/tgemv.ts";
import type { TgemvConfig } from "./config.ts";
import { jobOf, type TgemvJob } from "./job.ts";

/** Performance counters since the unit was made; registers show them since they were cleared, modulo 2^32, cycles modulo 2^64. */
export interface TgemvCounters {
  cycles: number;
  beats: number;
  wstall: number;
  astall: number;
  /** Beats received on the weight port: PC_WBYTES / 4. */
  pushes: number;
  jobs: number;
  zeroTrits: number;
  ostall: number;
  issue: number;
  setup: number;
  drain: number;
}

export interface TgemvState {
  /** Cycles since the unit was made: the state is that at the beginning of this one. */
  cycle: number;
  phase: number;
  /** NEXT, WADDR .. TAG. */
  job: Uint32Array;
  /** The same, decoded. */
  current: TgemvJob;
  desc: number;
  done: boolean;
  err: boolean;
  code: number;
  info: number;
  irqEn: number;
  irqStat: number;
  countEnable: boolean;
  counters: TgemvCounters;
  /** The same when they were cleared: what registers do not show. */
  cleared: TgemvCounters;
  /** The same when the job began. */
  before: TgemvCounters;
  /** Traffic that no register shows, since the unit was made: for energy and reports. */
  mReads: number;
  mWrites: number;
  totalPushes: number;
  totalGrants: number;

  fromMemory: boolean;
  asked: number;
  sum: number;
  kept: boolean;
  keptCols: number;
  keptVectors: number;
  keptWide: boolean;
  /** A word read by the M port arrives in this cycle. */
  arrives: boolean;
  rdata: number;
  waited: number;

  load: TgemvLoadState;
  /** Entry e of bank b at 5 e + b. */
  buffer: Int8Array;
  weights: TgemvWeightState;
  core: TgemvCoreState;
  writer: { vector: number; row: number; block: number; base: number };
}

export interface TgemvLoadState {
  col: number;
  bank: number;
  entry: number;
  vector: number;
  base: number;
  addr: number;
  all: boolean;
  pause: boolean;
  valid: boolean;
  second: boolean;
  atBank: number;
  atEntry: number;
  atCol: number;
  atVector: number;
  x0: number;
  x1: number;
  lastGroup: number;
}

export interface TgemvWeightState {
  /** Beats to come, and the address of the next. */
  left: number;
  addr: number;
  /** Number of the next beat in its job. */
  beat: number;
  waited: number;
  fifo: number[];
}

export interface TgemvCoreState {
  full: boolean;
  word: number;
  slot: number;
  at: number;
  firstGroup: boolean;
  lastGroupQ: boolean;
  plane: number;
  firstPlane: boolean;
  rowsLeft: number;
  add: boolean;
  addSlot: number;
  addClear: boolean;
  addTriple: boolean;
  addLast: boolean;
  addEnd: boolean;
  addRows: number;
  sums: Int32Array;
  /** Row r of slot s at 4 s + r. */
  acc: Int32Array;
  shadow: Int32Array;
  shadowFull: boolean;
  shadowRows: number;
}

function noCounts(): TgemvCounters {
  return {
    cycles: 0,
    beats: 0,
    wstall: 0,
    astall: 0,
    pushes: 0,
    jobs: 0,
    zeroTrits: 0,
    ostall: 0,
    issue: 0,
    setup: 0,
    drain: 0,
  };
}

export function resetState(config: TgemvConfig): TgemvState {
  return {
    cycle: 0,
    phase: TGEMV_PHASE_IDLE,
    job: new Uint32Array(9),
    current: jobOf(new Uint32Array(9)),
    desc: 0,
    done: false,
    err: false,
    code: 0,
    info: 0,
    irqEn: 0,
    irqStat: 0,
    countEnable: true,
    counters: noCounts(),
    cleared: noCounts(),
    before: noCounts(),
    mReads: 0,
    mWrites: 0,
    totalPushes: 0,
    totalGrants: 0,
    fromMemory: false,
    asked: 0,
    sum: 0,
    kept: false,
    keptCols: 0,
    keptVectors: 0,
    keptWide: false,
    arrives: false,
    rdata: 0,
    waited: 0,
    load: {
      col: 0,
      bank: 0,
      entry: 0,
      vector: 0,
      base: 0,
      addr: 0,
      all: false,
      pause: false,
      valid: false,
      second: false,
      atBank: 0,
      atEntry: 0,
      atCol: 0,
      atVector: 0,
      x0: 0,
      x1: 0,
      lastGroup: 0,
    },
    buffer: new Int8Array(5 * config.entries),
    weights: { left: 0, addr: 0, beat: 0, waited: 0, fifo: [] },
    core: resetCore(config),
    writer: { vector: 0, row: 0, block: 0, base: 0 },
  };
}

/** The same unit after its reset pin: time goes on, and what it has done stays counted. */
export function pinReset(s: TgemvState, config: TgemvConfig): TgemvState {
  const { cycle, counters, totalPushes, totalGrants, mReads, mWrites } = s;
  const lasting = { cycle, counters, totalPushes, totalGrants, mReads, mWrites };
  return { ...resetState(config), ...lasting, cleared: { ...counters }, before: { ...counters } };
}

function resetCore(config: TgemvConfig): TgemvCoreState {
  return {
    full: false,
    word: 0,
    slot: 0,
    at: 0,
    firstGroup: true,
    lastGroupQ: false,
    plane: 0,
    firstPlane: true,
    rowsLeft: 0,
    add: false,
    addSlot: 0,
    addClear: false,
    addTriple: false,
    addLast: false,
    addEnd: false,
    addRows: 0,
    sums: new Int32Array(4),
    acc: new Int32Array(4 * config.slots),
    shadow: new Int32Array(4 * config.slots),
    shadowFull: false,
    shadowRows: 0,
  };
}

/** A copy that shares nothing that changes: what structuredClone gives, sooner. */
export function copyState(s: TgemvState): TgemvState {
  const { core, weights } = s;
  return {
    ...s,
    job: s.job.slice(),
    counters: { ...s.counters },
    cleared: { ...s.cleared },
    before: { ...s.before },
    load: { ...s.load },
    buffer: s.buffer.slice(),
    weights: { ...weights, fifo: weights.fifo.slice() },
    core: { ...core, sums: core.sums.slice(), acc: core.acc.slice(), shadow: core.shadow.slice() },
    writer: { ...s.writer },
  };
}
