/** The register file: what a read shows and what a write does (firmware-sim/rtl/tgemv_regs.v). */
import {
  TGEMV_ACC_BITS,
  TGEMV_CAP,
  TGEMV_CAP2,
  TGEMV_CTRL,
  TGEMV_CTRL_ABORT,
  TGEMV_CTRL_RESET,
  TGEMV_CTRL_START,
  TGEMV_DESC_HEAD,
  TGEMV_DOORBELL,
  TGEMV_ERR,
  TGEMV_ERR_BAD_CMD,
  TGEMV_ERR_BUSY,
  TGEMV_ERR_INFO,
  TGEMV_ID,
  TGEMV_ID_VALUE,
  TGEMV_IRQ_DONE,
  TGEMV_IRQ_EN,
  TGEMV_IRQ_ERROR,
  TGEMV_IRQ_STAT,
  TGEMV_LANES,
  TGEMV_NEXT,
  TGEMV_PC_ASTALL,
  TGEMV_PC_BEATS,
  TGEMV_PC_CLEAR,
  TGEMV_PC_CTRL,
  TGEMV_PC_CYC_HI,
  TGEMV_PC_CYC_LO,
  TGEMV_PC_DRAIN,
  TGEMV_PC_ENABLE,
  TGEMV_PC_ISSUE,
  TGEMV_PC_JOBS,
  TGEMV_PC_OSTALL,
  TGEMV_PC_SETUP,
  TGEMV_PC_WBYTES,
  TGEMV_PC_WSTALL,
  TGEMV_PC_ZERO_TRITS,
  TGEMV_PHASE_IDLE,
  TGEMV_STATUS,
  TGEMV_STATUS_BUSY,
  TGEMV_STATUS_DONE,
  TGEMV_STATUS_ERR,
  TGEMV_STATUS_PHASE_SHIFT,
  TGEMV_TAG,
  TGEMV_VERSION,
  TGEMV_VERSION_VALUE,
} from "../../../spec/tgemv.ts";
import type { TgemvConfig } from "./config.ts";
import { jobOf, type TgemvFault } from "./job.ts";
import type { TgemvCounters, TgemvState } from "./state.ts";

/** A write of the host in one cycle. */
export interface TgemvWrite {
  offset: number;
  value: number;
}

/** What a write asks for, given the state it meets. */
export interface TgemvCommand {
  start: boolean;
  bell: boolean;
  abort: boolean;
  reset: boolean;
  /** Recorded in ERR; stops nothing. */
  refused: TgemvFault | null;
}

export const NO_COMMAND: TgemvCommand = { start: false, bell: false, abort: false, reset: false, refused: null };

export function commandOf(s: TgemvState, { offset, value }: TgemvWrite): TgemvCommand {
  const busy = s.phase !== TGEMV_PHASE_IDLE;
  const ctrl = offset === TGEMV_CTRL;
  const known = value === 0 || value === TGEMV_CTRL_START || value === TGEMV_CTRL_ABORT || value === TGEMV_CTRL_RESET;
  const start = ctrl && value === TGEMV_CTRL_START;
  const bell = offset === TGEMV_DOORBELL;
  let refused: TgemvFault | null = null;
  if (ctrl && !known) refused = { code: TGEMV_ERR_BAD_CMD, info: value };
  else if (busy && (start || bell || isJob(offset))) refused = { code: TGEMV_ERR_BUSY, info: offset };
  return {
    start: start && !busy,
    bell: bell && !busy,
    abort: ctrl && value === TGEMV_CTRL_ABORT,
    reset: ctrl && value === TGEMV_CTRL_RESET,
    refused,
  };
}

/** What the cycle brought. */
export interface TgemvEvents {
  fault: TgemvFault | null;
  jobDone: boolean;
  chainDone: boolean;
  /** The job wants an interrupt of its own. */
  irq: boolean;
}

/** The register file at the end of a cycle. */
export function applyWrite(s: TgemvState, c: TgemvCommand, host: TgemvWrite | undefined, events: TgemvEvents): void {
  if (c.reset) {
    resetRegisters(s);
    return;
  }
  const fault = c.abort ? null : events.fault;
  if (host !== undefined && isJob(host.offset) && c.refused === null)
    setJobWord(s, (host.offset - TGEMV_NEXT) >> 2, host.value);
  if (c.start || c.bell) {
    s.done = false;
    s.err = false;
    s.code = 0;
    s.info = 0;
  } else {
    const found = fault ?? c.refused;
    if (found !== null) {
      s.err = true;
      s.code = found.code;
      s.info = found.info;
    }
  }
  if (events.chainDone) s.done = true;
  if (host?.offset === TGEMV_IRQ_STAT) s.irqStat &= ~host.value;
  if (fault !== null || c.refused !== null) s.irqStat |= TGEMV_IRQ_ERROR;
  if (events.chainDone || (events.jobDone && events.irq)) s.irqStat |= TGEMV_IRQ_DONE;
  if (host?.offset === TGEMV_IRQ_EN) s.irqEn = host.value & (TGEMV_IRQ_DONE | TGEMV_IRQ_ERROR);
  if (host?.offset === TGEMV_PC_CTRL) {
    s.countEnable = (host.value & TGEMV_PC_ENABLE) !== 0;
    if ((host.value & TGEMV_PC_CLEAR) !== 0) s.cleared = { ...s.counters };
  }
}

function resetRegisters(s: TgemvState): void {
  s.job.fill(0);
  s.current = jobOf(s.job);
  s.desc = 0;
  s.done = false;
  s.err = false;
  s.code = 0;
  s.info = 0;
  s.irqEn = 0;
  s.irqStat = 0;
  s.countEnable = true;
  s.cleared = { ...s.counters };
}

export function setJobWord(s: TgemvState, i: number, value: number): void {
  s.job[i] = value;
  s.current = jobOf(s.job);
}

function isJob(offset: number): boolean {
  return offset >= TGEMV_NEXT && offset <= TGEMV_TAG;
}

/** u32. */
export function readRegister(s: TgemvState, config: TgemvConfig, offset: number): number {
  if (isJob(offset)) return s.job[(offset - TGEMV_NEXT) >> 2];
  switch (offset) {
    case TGEMV_ID:
      return TGEMV_ID_VALUE;
    case TGEMV_VERSION:
      return TGEMV_VERSION_VALUE;
    case TGEMV_CAP:
      return (TGEMV_LANES | (4 << 8) | (config.slots << 12) | (TGEMV_ACC_BITS << 16) | (config.fifo << 24)) >>> 0;
    case TGEMV_CAP2:
      return config.entries;
    case TGEMV_STATUS:
      return statusOf(s, s.phase);
    case TGEMV_IRQ_EN:
      return s.irqEn;
    case TGEMV_IRQ_STAT:
      return s.irqStat;
    case TGEMV_ERR:
      return s.code;
    case TGEMV_ERR_INFO:
      return s.info;
    case TGEMV_DESC_HEAD:
      return s.desc;
    case TGEMV_PC_CTRL:
      return s.countEnable ? TGEMV_PC_ENABLE : 0;
    case TGEMV_PC_CYC_HI:
      return Math.floor(shown(s, "cycles") / 2 ** 32) % 2 ** 32;
    default: {
      const counter = COUNTERS[offset];
      if (counter === undefined) return 0;
      return (shown(s, counter) * (counter === "pushes" ? 4 : 1)) % 2 ** 32;
    }
  }
}

function shown({ counters, cleared }: TgemvState, counter: keyof TgemvCounters): number {
  return counters[counter] - cleared[counter];
}

const COUNTERS: Record<number, keyof TgemvCounters> = {
  [TGEMV_PC_CYC_LO]: "cycles",
  [TGEMV_PC_BEATS]: "beats",
  [TGEMV_PC_WSTALL]: "wstall",
  [TGEMV_PC_ASTALL]: "astall",
  [TGEMV_PC_WBYTES]: "pushes",
  [TGEMV_PC_JOBS]: "jobs",
  [TGEMV_PC_ZERO_TRITS]: "zeroTrits",
  [TGEMV_PC_OSTALL]: "ostall",
  [TGEMV_PC_ISSUE]: "issue",
  [TGEMV_PC_SETUP]: "setup",
  [TGEMV_PC_DRAIN]: "drain",
};

export function statusOf(s: TgemvState, phase: number): number {
  const busy = phase !== TGEMV_PHASE_IDLE;
  return (
    (busy ? TGEMV_STATUS_BUSY : 0) |
    (s.done ? TGEMV_STATUS_DONE : 0) |
    (s.err ? TGEMV_STATUS_ERR : 0) |
    (phase << TGEMV_STATUS_PHASE_SHIFT)
  );
}
