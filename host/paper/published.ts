/**
 * What "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits" (arXiv 2402.17764, 27 February 2024) prints. Figures 2 and 3
 * print their numbers inside pictures; those marked "memory" are remembered and were not read again.
 */
export const PAPER = "Ma et al., The Era of 1-bit LLMs, arXiv 2402.17764";

/** paper: stands there; memory: remembered, not read again. */
export type Where = "paper" | "memory";

export interface Published {
  readonly value: number;
  readonly where: Where;
}

const paper = (value: number): Published => ({ value, where: "paper" });
const memory = (value: number): Published => ({ value, where: "memory" });

export type Side = "llama" | "b158";

/** Table 1: GB of GPU memory, milliseconds a token. */
export const TABLE_1: readonly { side: Side; size: string; gb: number; ms: number }[] = [
  { side: "llama", size: "700M", gb: 2.08, ms: 1.18 },
  { side: "llama", size: "1.3B", gb: 3.34, ms: 1.62 },
  { side: "llama", size: "3B", gb: 7.89, ms: 5.07 },
  { side: "b158", size: "700M", gb: 0.8, ms: 0.96 },
  { side: "b158", size: "1.3B", gb: 1.14, ms: 0.97 },
  { side: "b158", size: "3B", gb: 2.22, ms: 1.87 },
  { side: "b158", size: "3.9B", gb: 2.38, ms: 2.11 },
];

/** Table 1 prints these quotients; its 3.9B is set against LLaMA 3B. */
export const TABLE_1_RATIOS: readonly { size: string; against: string; memory: number; latency: number }[] = [
  { size: "700M", against: "700M", memory: 2.6, latency: 1.23 },
  { size: "1.3B", against: "1.3B", memory: 2.93, latency: 1.67 },
  { size: "3B", against: "3B", memory: 3.55, latency: 2.71 },
  { size: "3.9B", against: "3B", memory: 3.32, latency: 2.4 },
];

/** Figure 2: how many times less memory and time b1.58 takes. 4.1 stands in the text, 7.16 in public summaries of it. */
export const FIGURE_2: readonly { size: string; memory: Published; latency: Published }[] = [
  { size: "7B", memory: memory(4.4), latency: memory(2.9) },
  { size: "13B", memory: memory(5.12), latency: memory(3.68) },
  { size: "70B", memory: paper(7.16), latency: paper(4.1) },
];

/** Figure 3, left: one multiplication and addition of a matrix product at 7 nm. */
export const ARITHMETIC_RATIO = paper(71.4);

/** Figure 3, right: 512 tokens end to end. null: the picture's number is not at hand. */
export const FIGURE_3: readonly { size: string; ratio: Published | null }[] = [
  { size: "1.3B", ratio: paper(18.6) },
  { size: "3B", ratio: null },
  { size: "7B", ratio: memory(29.1) },
  { size: "13B", ratio: memory(32.9) },
  { size: "70B", ratio: paper(41.2) },
];

/** Table 3: 70B on two A100 of 80 GB, sequences of 512 tokens. */
export const TABLE_3 = {
  llama: { batch: 16, tokensPerSecond: 333 },
  b158: { batch: 176, tokensPerSecond: 2977 },
  batchRatio: 11,
  throughputRatio: 8.9,
} as const;
