/**
 * The coprocessor's signals cycle by cycle. The model computes chains ahead by recurrence; for the waveforms the machine (peripherals/tgemv/machine.ts) runs a
 * copy of the unit from the moment in which the chain began, with writes that go nowhere.
 */
import { TGEMV_PHASE_IDLE } from "../../spec/tgemv.ts";
import { step } from "../peripherals/tgemv/machine.ts";
import { copyState, type TgemvState } from "../peripherals/tgemv/state.ts";
import type { Tgemv } from "../peripherals/tgemv/tgemv.ts";
import type { Vcd, VcdValue } from "./vcd.ts";

interface Signal {
  readonly name: string;
  readonly width: number;
  /** Of a level: its value in a cycle. Of a pulse, high in cycles in which a counter goes on: the counter. */
  readonly level?: (s: TgemvState) => VcdValue;
  readonly counter?: (s: TgemvState) => number;
}

const level = (name: string, width: number, of: (s: TgemvState) => VcdValue): Signal => ({ name, width, level: of });
const pulse = (name: string, counter: (s: TgemvState) => number): Signal => ({ name, width: 1, counter });

const SIGNALS: readonly Signal[] = [
  level("busy", 1, ({ phase }) => (phase === TGEMV_PHASE_IDLE ? 0 : 1)),
  // 0 idle, 1 fetch, 2 check, 3 load, 4 prime, 5 run, 6 drain
  level("phase", 3, ({ phase }) => phase),
  level("tag", 32, ({ job }) => job[8]),
  // The weight port.
  pulse("w_valid", ({ totalPushes }) => totalPushes),
  level("w_addr", 32, ({ weights }) => (weights.left > 0 ? weights.addr : null)),
  level("fifo_level", 8, ({ weights }) => weights.fifo.length),
  // The lanes.
  pulse("issue", ({ counters }) => counters.issue),
  level("slot", 3, ({ core }) => core.slot),
  level("plane", 3, ({ core }) => core.plane),
  pulse("wstall", ({ counters }) => counters.wstall),
  pulse("astall", ({ counters }) => counters.astall),
  pulse("ostall", ({ counters }) => counters.ostall),
  // The M port.
  pulse("m_grant", ({ totalGrants }) => totalGrants),
  pulse("m_read", ({ mReads }) => mReads),
  pulse("m_write", ({ mWrites }) => mWrites),
  level("irq", 1, ({ irqStat, irqEn }) => ((irqStat & irqEn) === 0 ? 0 : 1)),
  level("err", 1, ({ err }) => (err ? 1 : 0)),
  level("err_code", 4, ({ code }) => code),
];

interface Cycle {
  readonly cycle: number;
  readonly values: readonly VcdValue[];
}

export class CoproWaves {
  readonly #cycles: Cycle[] = [];

  /**
   * The unit has left idle.
   * @param from,until cycles that are wanted: what lies before `from` is run and not kept
   */
  chain(unit: Tgemv, from: number, until: number): void {
    const { config, ports } = unit;
    const state = copyState(unit.state);
    let last: readonly VcdValue[] = [];
    // The cycle behind the last one shows what it left: idle, the interrupt.
    for (let ended = false; state.cycle < until && !ended; ) {
      const { cycle } = state;
      ended = state.phase === TGEMV_PHASE_IDLE;
      const before = SIGNALS.map(({ level, counter }) => level?.(state) ?? counter?.(state) ?? null);
      step(state, config, ports, () => {});
      if (cycle < from) continue;
      const values = before.map((value, i) => {
        const { counter } = SIGNALS[i];
        return counter === undefined ? value : counter(state) === value ? 0 : 1;
      });
      if (values.some((value, i) => value !== last[i])) this.#cycles.push({ cycle, values });
      last = values;
    }
  }

  /** @param ps of a cycle's beginning */
  write(vcd: Vcd, ps: (cycle: number) => number): void {
    const ids = SIGNALS.map(({ name, width }) => vcd.signal("tgemv", name, width, name === "w_addr" ? null : 0));
    for (const { cycle, values } of this.#cycles)
      values.forEach((value, i) => {
        vcd.change(ps(cycle), ids[i], value);
      });
  }
}
