/**
 * Simulated time of the RP2040: it passes with the cycles that the core counts, and alarms stop the core's loop (chip.ts) when they are due.
 *
 *     ns = base + (core.cycles - baseCycles) * 1e9 / clk_sys        a new base whenever clk_sys changes
 *
 * rp2040js calls a clock once an instruction; here the loop compares one number instead.
 */
import type { RP2040 } from "rp2040js";

type IClock = RP2040["clock"];
type IAlarm = ReturnType<IClock["createAlarm"]>;

interface Alarm extends IAlarm {
  ns: number;
  run: () => void;
}

export class Clock implements IClock {
  /** The core's cycle counter; null until there is a core. */
  #core: { cycles: number } | null = null;
  #baseNs: number;
  #baseCycles = 0;
  #hz: number;
  /** Scheduled alarms, soonest first. */
  readonly #alarms: Alarm[] = [];
  /** Cycle at which the core's loop must stop and look: an alarm, or the end of the run. */
  stopAt = 0;
  #end = 0;

  constructor(ns: number, hz: number) {
    this.#baseNs = ns;
    this.#hz = hz;
  }

  connect(core: { cycles: number }): void {
    this.#core = core;
  }

  get nanos(): number {
    return this.#baseNs + (this.#cycles() - this.#baseCycles) * (1e9 / this.#hz);
  }

  get micros(): number {
    return this.nanos / 1000;
  }

  /** clk_sys changes now. */
  setHz(hz: number): void {
    this.#baseNs = this.nanos;
    this.#baseCycles = this.#cycles();
    this.#hz = hz;
    this.#update();
  }

  createAlarm(callback: () => void): IAlarm {
    const alarm: Alarm = {
      ns: 0,
      run: callback,
      schedule: (deltaNanos) => {
        this.#remove(alarm);
        alarm.ns = this.nanos + Math.max(0, deltaNanos);
        const after = this.#alarms.findIndex(({ ns }) => ns > alarm.ns);
        this.#alarms.splice(after < 0 ? this.#alarms.length : after, 0, alarm);
        this.#update();
      },
      cancel: () => {
        this.#remove(alarm);
        this.#update();
      },
    };
    return alarm;
  }

  /** Forgets every alarm. */
  clear(): void {
    this.#alarms.length = 0;
    this.#update();
  }

  /** The loop may run up to this cycle. */
  runTo(end: number): void {
    this.#end = end;
    this.#update();
  }

  /** The loop shall stop after this instruction. */
  stop(): void {
    this.runTo(0);
  }

  /** The loop shall look after this instruction, and may go on. */
  pause(): void {
    this.stopAt = 0;
  }

  /** The first cycle at which this time has come. */
  cycleAt(ns: number): number {
    return this.#baseCycles + Math.ceil(((ns - this.#baseNs) * this.#hz) / 1e9 - 1e-6);
  }

  get stopped(): boolean {
    return this.#cycles() >= this.#end;
  }

  /** Runs the alarms that are due. */
  fire(): void {
    const now = this.nanos;
    for (;;) {
      const alarm = this.#alarms[0];
      // Cycles are whole, alarms need not be: one that is due within a tenth of a nanosecond is due.
      if (alarm === undefined || alarm.ns > now + 0.1) break;
      this.#alarms.shift();
      alarm.run();
      // Reset: what this alarm would do next is of no interest.
      if (this.#end === 0) break;
    }
    this.#update();
  }

  #remove(alarm: Alarm): void {
    const at = this.#alarms.indexOf(alarm);
    if (at >= 0) this.#alarms.splice(at, 1);
  }

  #cycles(): number {
    return this.#core?.cycles ?? 0;
  }

  #update(): void {
    const first = this.#alarms[0];
    this.stopAt = first === undefined ? this.#end : Math.min(this.#end, this.cycleAt(first.ns));
  }
}
