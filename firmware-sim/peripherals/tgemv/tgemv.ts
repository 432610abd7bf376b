/**
 * TGEMV: the ternary matrix-vector unit of spec/TGEMV.md, exact to the cycle.
 *
 *                 ┌───────────────────────────────┐
 *     write(), ──>│ registers ── descriptors      │──> irq(now)
 *     read()      │      │                        │
 *     weights ───>│ FIFO ── decoders ── 4 trees   │
 *     sram <─────>│ buffer ────┘   accumulators   │
 *                 └───────────────────────────────┘
 *
 *     register   see TGEMV.md; state.ts names what is behind them
 *
 * Time is cycles of the unit's clock and comes with every access: what is read at `now` is what the registers show at the beginning of that cycle, what
 * is written takes effect at its end. A chain is computed when it is started, up to its end; its outputs reach memory when somebody looks at the unit
 * at or after that time (settle), so that nobody sees them early. Accesses that meet the unit at work compute that cycle's state exactly.
 *
 * NOT IMPLEMENTED: memory that changes while the unit owns it (descriptors, x and W are read when the chain starts).
 */
import {
  TGEMV_IRQ_DONE,
  TGEMV_IRQ_ERROR,
  TGEMV_IRQ_STAT,
  TGEMV_PHASE_IDLE,
  TGEMV_STATUS,
  TGEMV_WINDOW_BYTES,
} from "../../../spec/tgemv.ts";
import { checkConfig, TGEMV_DEFAULTS, type TgemvConfig } from "./config.ts";
import type { TgemvPorts } from "./ports.ts";
import { readRegister, statusOf } from "./registers.ts";
import { run, stepTold, type TgemvListener } from "./run.ts";
import { copyState, pinReset, resetState, type TgemvCounters, type TgemvState } from "./state.ts";

/** What a chain will have done, if nobody interferes. */
interface Future {
  state: TgemvState;
  /** First cycle in which the unit is idle again; Infinity: it waits for ever. */
  end: number;
  writes: { address: number; words: Int32Array }[];
  phases: { cycle: number; phase: number }[];
  /** When bits of IRQ_STAT are set. */
  irqs: { cycle: number; bits: number }[];
  tell: (() => void)[];
}

/** Steps of a chain that is computed ahead before it counts as one that never ends. */
const FOREVER = 2 ** 53;

export class Tgemv {
  /** A plain struct: a snapshot copies it (structuredClone), and gives it back by restore(). */
  state: TgemvState;
  readonly config: TgemvConfig;
  readonly ports: TgemvPorts;
  listener: TgemvListener = {};
  /** Every cycle by the machine, none by recurrence: the same, slower. For tests. */
  slow = false;
  #future: Future | null = null;

  constructor(ports: TgemvPorts, config: TgemvConfig = TGEMV_DEFAULTS) {
    this.ports = ports;
    this.config = checkConfig(config);
    this.state = resetState(config);
  }

  /** The reset pin. Time goes on. */
  reset(now: number): void {
    this.#advance(now);
    this.state = pinReset(this.state, this.config);
    this.#future = null;
  }

  /** Continues from a copy of another time's state. */
  restore(state: TgemvState): void {
    this.state = copyState(state);
    this.#future = null;
  }

  /**
   * A 32-bit write of the host in cycle `now`, or in the first after it that no other write has taken.
   * @param offset a multiple of 4 below TGEMV_WINDOW_BYTES
   */
  write(offset: number, value: number, now: number): void {
    checkOffset(offset);
    this.#advance(now);
    this.#future = null;
    const host = { offset, value: value >>> 0 };
    stepTold(this.state, this.config, this.ports, this.#sink, this.listener, host);
  }

  /** u32: what a 32-bit read in cycle `now` gives. */
  read(offset: number, now: number): number {
    checkOffset(offset);
    this.settle(now);
    const s = this.state;
    const future = this.#ahead();
    if (future === null || s.cycle >= now) return readRegister(s, this.config, offset);
    if (offset === TGEMV_STATUS) {
      const phase = future.phases.findLast((p) => p.cycle <= now)?.phase ?? s.phase;
      return statusOf(s, phase);
    }
    if (offset === TGEMV_IRQ_STAT) {
      const set = future.irqs.filter((irq) => irq.cycle <= now);
      return set.reduce((bits, irq) => bits | irq.bits, s.irqStat);
    }
    const then = copyState(s);
    run(then, this.config, this.ports, () => {}, now, {}, this.slow);
    return readRegister(then, this.config, offset);
  }

  /** Level of the interrupt line in cycle `now`. */
  irq(now: number): boolean {
    this.settle(now);
    let bits = this.state.irqStat;
    for (const irq of this.#ahead()?.irqs ?? []) if (irq.cycle <= now) bits |= irq.bits;
    return (bits & this.state.irqEn) !== 0;
  }

  /** The first cycle from `now` on in which the interrupt line is high, if nobody writes to the unit before; Infinity: none. */
  irqAt(now: number): number {
    if (this.irq(now)) return now;
    const next = this.#ahead()?.irqs.find((irq) => irq.cycle > now && (irq.bits & this.state.irqEn) !== 0);
    return next === undefined ? Number.POSITIVE_INFINITY : next.cycle;
  }

  /** The first cycle in which the unit is idle again, `now` when it is; Infinity: only abort or reset ends it. */
  idleAt(now: number): number {
    this.settle(now);
    return this.#ahead()?.end ?? now;
  }

  /** Brings memory and registers to cycle `now`, if the unit has come to rest by then. */
  settle(now: number): void {
    const future = this.#ahead();
    if (future === null) {
      this.state.cycle = Math.max(this.state.cycle, now);
      return;
    }
    if (future.end > now) return;
    this.#future = null;
    this.state = future.state;
    for (const { address, words } of future.writes) this.#sink(address, words);
    for (const tell of future.tell) tell();
    this.state.cycle = Math.max(this.state.cycle, now);
  }

  /** All since the unit was made, up to cycle `now`: counters, words that went through the M port, and beats and grants with the refused ones. */
  activity(now: number): TgemvCounters & Pick<TgemvState, "mReads" | "mWrites" | "totalPushes" | "totalGrants"> {
    this.settle(now);
    let s = this.state;
    if (this.#ahead() !== null && s.cycle < now) {
      s = copyState(s);
      run(s, this.config, this.ports, () => {}, now, {}, this.slow);
    }
    const { counters, mReads, mWrites, totalPushes, totalGrants } = s;
    return { ...counters, mReads, mWrites, totalPushes, totalGrants };
  }

  /** Really brings the state to the beginning of cycle `now`, in the middle of a chain or not. */
  #advance(now: number): void {
    this.settle(now);
    if (this.state.cycle >= now) return;
    this.#future = null;
    run(this.state, this.config, this.ports, this.#sink, now, this.listener, this.slow);
    this.state.cycle = Math.max(this.state.cycle, now);
  }

  /** The rest of the chain, computed once; null when the unit is idle. */
  #ahead(): Future | null {
    if (this.state.phase === TGEMV_PHASE_IDLE) return null;
    if (this.#future !== null) return this.#future;
    const state = copyState(this.state);
    const future: Future = { state, end: 0, writes: [], phases: [], irqs: [], tell: [] };
    const sink = (address: number, words: Int32Array) => future.writes.push({ address, words });
    const listener: TgemvListener = {
      phase: (cycle, phase) => {
        future.phases.push({ cycle, phase });
        future.tell.push(() => this.listener.phase?.(cycle, phase));
      },
      job: (end, job, counts, error) => {
        if (error !== 0) future.irqs.push({ cycle: end, bits: TGEMV_IRQ_ERROR });
        else if (job.irq || job.next === 0) future.irqs.push({ cycle: end, bits: TGEMV_IRQ_DONE });
        future.tell.push(() => this.listener.job?.(end, job, counts, error));
      },
    };
    run(state, this.config, this.ports, sink, FOREVER, listener, this.slow);
    future.end = state.cycle >= FOREVER ? Number.POSITIVE_INFINITY : state.cycle;
    this.#future = future;
    return future;
  }

  readonly #sink = (address: number, words: Int32Array): void => {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.ports.sram(address, bytes.length).set(bytes);
  };
}

function checkOffset(offset: number): void {
  if (!Number.isInteger(offset) || offset % 4 !== 0 || offset < 0 || offset >= TGEMV_WINDOW_BYTES)
    throw new RangeError(`TGEMV: no register at offset ${offset}`);
}
