/** Simulated time for a peripheral on a bench: 1 GHz, so that a cycle is a nanosecond. */
import { Clock } from "../rp2040/clock.ts";

export function benchClock() {
  const core = { cycles: 0 };
  const clock = new Clock(0, 1e9);
  clock.connect(core);
  clock.runTo(Number.POSITIVE_INFINITY);
  return {
    clock,
    core,
    /** Lets time pass, alarm by alarm. */
    pass(ns: number): void {
      const end = core.cycles + ns;
      while (clock.stopAt <= end) {
        core.cycles = clock.stopAt;
        clock.fire();
      }
      core.cycles = end;
    },
  };
}
