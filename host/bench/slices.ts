// Measuring on machines that other work shares: candidates run in alternating slices, so that a slow moment hits all of them, and the
// median of the slices counts. Only the ratio of two rates from the same run means anything elsewhere.

export interface Candidate {
  name: string;
  /** Does a piece of work and returns how much it was. */
  run(): number;
}

const SLICE_MS = 40;

/** Median work per second of each candidate, over `rounds` alternating slices. */
export function measure(candidates: readonly Candidate[], rounds = 9): Map<string, number> {
  const rates = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (const { run } of candidates) run(); // compiled and in the cache before it counts
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of candidates) {
      let work = 0;
      const started = performance.now();
      let now = started;
      do {
        work += run();
        now = performance.now();
      } while (now - started < SLICE_MS);
      rates.get(name)?.push((work * 1000) / (now - started));
    }
  }
  return new Map([...rates].map(([name, values]) => [name, median(values)]));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
