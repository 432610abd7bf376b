// Time and chance as the host's end of a line sees them. The real ones are this machine's; a scripted simulation brings its own, in
// which a deadline passes in simulated time, so that the same script does the same on a loaded and on an idle machine.
import { randomInt } from "node:crypto";

export interface LaterOptions {
  /** Nothing that keeps the program alive. */
  background?: boolean;
}

export interface World {
  /** Milliseconds; only differences mean anything. */
  now(): number;
  /** Calls `run` once, after `ms`. @returns calls it off */
  later(ms: number, run: () => void, options?: LaterOptions): () => void;
  /** A whole number from 0 to n - 1, n at most 2^32. */
  random(n: number): number;
}

export const REAL_WORLD: World = {
  now: () => performance.now(),
  later(ms, run, { background = false } = {}) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
  random: (n) => randomInt(n),
};

/** A promise of the time after `ms`. */
export function pause(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.later(ms, resolve);
  });
}
