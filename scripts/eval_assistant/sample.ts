/** Chance with a seed: which examples a short run takes. */
import { Random } from "../../firmware-sim/random.ts";

/** `n` of them in their order, or all. */
export function sampled<T>(all: readonly T[], n: number, seed: number): T[] {
  if (n >= all.length) return [...all];
  const random = new Random(seed);
  const order = all.map((_, i) => i);
  for (let i = 0; i < n; i++) {
    const j = i + random.below(order.length - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order
    .slice(0, n)
    .sort((a, b) => a - b)
    .map((i) => all[i]);
}
