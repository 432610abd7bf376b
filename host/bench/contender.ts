// What the benchmark of whole models asks of an engine, ours or llama.cpp: each runs in a process of its own, so that its memory is its own and neither's
// threads or caches are the other's. The work is that of llama-bench: given tokens, logits computed, nothing sampled.
import { readFileSync } from "node:fs";

export interface ContenderOptions {
  readonly path: string;
  readonly threads: number;
  /** Positions of the context. */
  readonly context: number;
}

export interface Opened {
  /** What computes: kernels, library, threads. */
  readonly about: string;
  readonly seconds: number;
}

/** Bytes of the process now and at most so far, and the CPU time it took. */
export interface Footprint {
  readonly rss: number;
  readonly peakRss: number;
  readonly cpuSeconds: number;
}

export interface Contender {
  open(options: ContenderOptions): Promise<Opened>;
  setThreads(threads: number): Promise<void>;
  /** @returns tokens a second: `tokens` of a new context and the logits after the last, `batch` of them at once; 0: as many as it likes */
  prefill(tokens: number, batch: number): Promise<number>;
  /** @returns tokens a second, one by one, each with its logits, after a few others; ends early when `limit` seconds are over */
  decode(tokens: number, limit: number): Promise<number>;
  footprint(): Promise<Footprint>;
}

/** Tokens before those that are measured one by one. */
export const DECODE_AFTER = 4;

/** parent -> child, and back. */
export interface Request {
  readonly id: number;
  readonly method: keyof Contender;
  readonly args: readonly unknown[];
}
export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

/** The same for everybody: ids within any vocabulary, none of them special. */
export function benchTokens(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 32 + ((i * 37) % 90));
}

/** @param step computes one token @returns tokens a second */
export function rateOf(ids: readonly number[], limit: number, step: (id: number, i: number) => void): number {
  const started = performance.now();
  let done = 0;
  let seconds = 0;
  while (done < ids.length && (done === 0 || seconds < limit)) {
    step(ids[done], done);
    done++;
    seconds = (performance.now() - started) / 1000;
  }
  return done / seconds;
}

export function footprintOfThisProcess(): Footprint {
  const { user, system } = process.cpuUsage();
  return { rss: process.memoryUsage.rss(), peakRss: peakRss(), cpuSeconds: (user + system) / 1e6 };
}

/** Linux counts into maxRSS what the parent had when it forked; VmHWM is the process's own. */
function peakRss(): number {
  try {
    const own = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (own !== null) return Number(own[1]) * 1024;
  } catch {
    // no Linux
  }
  return process.resourceUsage().maxRSS * 1024;
}
