/** What a recording reads at the beginning and the end of every function: cumulative counters of the board, as one vector. */

/** Names in the order of the vector; times are ns of the simulated clock, cycles those of the CPU or of the coprocessor. */
export const COUNTERS = [
  "ns",
  /** Of the CPU, waiting included. */
  "cycles",
  "waitCycles",
  "flashReads",
  "flashBytes",
  /** What left the flash chip for the CPU: whole lines of the cache, for data and for code. */
  "flashBusBytes",
  "uartSent",
  "uartReceived",
  "flashBusyNs",
  "coproCycles",
  "coproJobs",
  "coproBeats",
  "coproLaneSteps",
  "coproSetup",
  "coproAstall",
  "coproWstall",
  "coproOstall",
  "coproDrain",
  "coproSramWords",
  "coproFlashBytes",
  "coproPsramBytes",
] as const;
export type Counter = (typeof COUNTERS)[number];

const INDEX = new Map<string, number>(COUNTERS.map((name, i) => [name, i]));

export function indexOf(counter: Counter): number {
  return INDEX.get(counter) ?? 0;
}

/** A value of a vector; 0 where there is none. */
export function get(counts: Float64Array | undefined, counter: Counter): number {
  return counts?.[indexOf(counter)] ?? 0;
}

export function vector(values: Partial<Record<Counter, number>>, into: Float64Array): Float64Array {
  COUNTERS.forEach((name, i) => {
    into[i] = values[name] ?? 0;
  });
  return into;
}

export function sum(vectors: Iterable<Float64Array>): Float64Array {
  const total = new Float64Array(COUNTERS.length);
  for (const counts of vectors) for (let i = 0; i < total.length; i++) total[i] += counts[i];
  return total;
}
