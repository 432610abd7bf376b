/** The tables of the paper beside ours: for every number what was published, what comes out here, and what had to be assumed. */
import type { EnergyProfile } from "../transports/sim.ts";
import { constantsOf, energyRatio } from "./energy.ts";
import { boundSeconds, fittedRuntime, tokenSeconds } from "./latency.ts";
import { GB, knownBytes, totalBytes } from "./memory.ts";
import {
  ARITHMETIC_RATIO,
  FIGURE_2,
  FIGURE_3,
  PAPER,
  type Published,
  type Side,
  TABLE_1,
  TABLE_1_RATIOS,
  TABLE_3,
  type Where,
} from "./published.ts";
import { shapeOf } from "./shapes.ts";
import { batchOf, batchOfCaches, tokensPerSecond } from "./throughput.ts";

export interface PaperRow {
  /** What the number is of, e.g. "LLaMA 3B". */
  readonly what: string;
  readonly unit: "GB" | "ms" | "x" | "sequences" | "tokens/s";
  /** null: printed in a picture whose number is not at hand. */
  readonly published: number | null;
  readonly where: Where | null;
  readonly reproduced: number;
  /** reproduced / published - 1; null without a published number. */
  readonly difference: number | null;
  /**
   * no: nothing is fitted. held out: its constants were fitted to other numbers. yes: its constants were fitted to this one among others,
   * or to it alone.
   */
  readonly fitted: "no" | "held out" | "yes";
  /** The same without any fitted constant; null where nothing is fitted or there is no such figure. */
  readonly unfitted: number | null;
  /** Keys of `assumptions`. */
  readonly assumptions: readonly string[];
}

export interface PaperSection {
  readonly title: string;
  readonly rows: readonly PaperRow[];
  /** What stands out, and why. */
  readonly remark: string;
}

/** Energy of 512 tokens, LLaMA / b1.58, as more is counted. */
export interface HonestRow {
  readonly size: string;
  readonly paper: number;
  readonly head: number;
  readonly lane: number;
  readonly trafficOnce: number;
  readonly trafficEveryToken: number;
}

export interface PaperReport {
  readonly paper: string;
  readonly sections: readonly PaperSection[];
  readonly honest: { readonly rows: readonly HonestRow[]; readonly lane: number; readonly remark: string };
  readonly assumptions: Readonly<Record<string, string>>;
}

const NAMES: Readonly<Record<Side, string>> = { llama: "LLaMA", b158: "BitNet b1.58" };

type RowInput = Omit<PaperRow, "published" | "where" | "difference" | "unfitted"> & {
  published: Published | null;
  unfitted?: number;
};

function row({ published, unfitted = undefined, ...rest }: RowInput): PaperRow {
  const value = published?.value ?? null;
  return {
    ...rest,
    published: value,
    where: published?.where ?? null,
    difference: value === null ? null : rest.reproduced / value - 1,
    unfitted: unfitted ?? null,
  };
}

const printed = (value: number): Published => ({ value, where: "paper" });
const quotient = (of: (side: Side, size: string) => number, size: string, against = size): number =>
  of("llama", against) / of("b158", size);

const memoryGb = (side: Side, size: string): number => totalBytes(side, shapeOf(size)) / GB;
const knownGb = (side: Side, size: string): number => knownBytes(side, shapeOf(size)) / GB;
const latencyMs = (side: Side, size: string): number => 1000 * tokenSeconds(side, shapeOf(size));
const boundMs = (side: Side, size: string): number => 1000 * boundSeconds(side, shapeOf(size));

function memorySection(): PaperSection {
  const common = { fitted: "yes", assumptions: ["shapes", "gb", "weights", "cache", "buffers"] } as const;
  const sizes = TABLE_1.map(({ side, size, gb }) =>
    row({
      ...{ what: `${NAMES[side]} ${size}`, unit: "GB", published: printed(gb), ...common },
      reproduced: memoryGb(side, size),
      unfitted: knownGb(side, size),
    }),
  );
  const ratios = TABLE_1_RATIOS.map(({ size, against, memory }) =>
    row({
      ...{ what: `${size}: LLaMA ${against} / b1.58`, unit: "x", published: printed(memory), ...common },
      reproduced: quotient(memoryGb, size, against),
      unfitted: quotient(knownGb, size, against),
    }),
  );
  return {
    title: "Table 1: GPU memory",
    rows: [...sizes, ...ratios],
    remark:
      "Without the fitted constant the sum holds only what the text names: weights and cache. What is missing is the runtime's own, " +
      "and grows with the width of the model. The published b1.58 figures grow by 0.16 GB from 3B to 3.9B, where the weights added take 0.26 GB in 2 bits: " +
      "no constant can meet both.",
  };
}

function latencySection(): PaperSection {
  const common = { fitted: "yes", assumptions: ["shapes", "weights", "a100", "runtime"] } as const;
  const sizes = TABLE_1.map(({ side, size, ms }) =>
    row({
      ...{ what: `${NAMES[side]} ${size}`, unit: "ms", published: printed(ms), ...common },
      reproduced: latencyMs(side, size),
      unfitted: boundMs(side, size),
    }),
  );
  const ratios = TABLE_1_RATIOS.map(({ size, against, latency }) =>
    row({
      ...{ what: `${size}: LLaMA ${against} / b1.58`, unit: "x", published: printed(latency), ...common },
      reproduced: quotient(latencyMs, size, against),
      unfitted: quotient(boundMs, size, against),
    }),
  );
  const [fp16, bits2] = [fittedRuntime("llama"), fittedRuntime("b158")];
  const share = (efficiency: number) => `${Math.round(100 * efficiency)} %`;
  const micro = (seconds: number) => `${(1e6 * seconds).toFixed(0)} us`;
  return {
    title: "Table 1: time of a token",
    rows: [...sizes, ...ratios],
    remark:
      `Unfitted is the roofline, every weight read once at the card's bandwidth: by it b1.58 would win by 5 to 8 times. The published times are met with ` +
      `${micro(fp16.secondsPerLayer)} a layer and ${share(fp16.efficiency)} of the bandwidth for LLaMA, ${micro(bits2.secondsPerLayer)} a layer and ` +
      `${share(bits2.efficiency)} for the 2-bit kernel: below 3B b1.58's time is launches and quantisation, not weights. The matrices of 3B (width 3200) ` +
      "are slower on LLaMA's side than the sizes around it, which no line through three points follows.",
  };
}

function figure2(): PaperSection {
  const rows = FIGURE_2.flatMap(({ size, memory, latency }) => [
    row({
      ...{ what: `${size}: memory`, unit: "x", published: memory, fitted: "held out" },
      reproduced: quotient(memoryGb, size),
      unfitted: quotient(knownGb, size),
      assumptions: ["shapes", "weights", "cache", "buffers"],
    }),
    row({
      ...{ what: `${size}: time of a token`, unit: "x", published: latency, fitted: "held out" },
      reproduced: quotient(latencyMs, size),
      unfitted: quotient(boundMs, size),
      assumptions: ["shapes", "weights", "a100", "runtime"],
    }),
  ]);
  return {
    title: "Figure 2: how many times less, LLaMA / b1.58",
    rows,
    remark: "The constants were fitted to table 1, up to 3.9B; these sizes had no part in it.",
  };
}

function figure3(profile: EnergyProfile): PaperSection {
  const constants = constantsOf(profile);
  const arithmetic = row({
    ...{ what: "one weight of a matrix product", unit: "x", published: ARITHMETIC_RATIO, fitted: "no" },
    reproduced: constants.fp16Mac / constants.int8Add,
    assumptions: ["7nm"],
  });
  const sizes = FIGURE_3.map(({ size, ratio }) =>
    row({
      ...{ what: `${size}, 512 tokens`, unit: "x", published: ratio, fitted: "no" },
      reproduced: energyRatio(shapeOf(size === "70B" ? "65B" : size), constants),
      assumptions: ["7nm", "convention", ...(size === "70B" ? ["65b"] : ["shapes"])],
    }),
  );
  return {
    title: "Figure 3: arithmetic energy, LLaMA / b1.58",
    rows: [arithmetic, ...sizes],
    remark:
      `Nothing is fitted. With the shape of LLaMA-2-70B instead of LLaMA-65B the last row is ${energyRatio(shapeOf("70B"), constants).toFixed(1)}x. ` +
      "The paper counts arithmetic only: see below for what comes with it.",
  };
}

function table3(): PaperSection {
  const { llama, b158, batchRatio, throughputRatio } = TABLE_3;
  const batches = { llama: batchOf("llama"), b158: batchOf("b158") };
  const speeds = { llama: tokensPerSecond("llama", llama.batch), b158: tokensPerSecond("b158", b158.batch) };
  const peaks = {
    llama: tokensPerSecond("llama", llama.batch, false),
    b158: tokensPerSecond("b158", b158.batch, false),
  };
  const batch = { unit: "sequences", assumptions: ["70b", "usable", "weights", "sequence"] } as const;
  const speed = {
    unit: "tokens/s",
    fitted: "held out",
    assumptions: ["70b", "a100", "runtime", "pipeline", "fp16"],
  } as const;
  const rows = [
    row({
      ...{ what: "LLaMA 70B: largest batch", published: printed(llama.batch), fitted: "yes", ...batch },
      reproduced: batches.llama,
      unfitted: batchOfCaches("llama"),
    }),
    row({
      ...{ what: "BitNet b1.58 70B: largest batch", published: printed(b158.batch), fitted: "held out", ...batch },
      reproduced: batches.b158,
      unfitted: batchOfCaches("b158"),
    }),
    row({
      ...batch,
      ...{ what: "batch, b1.58 / LLaMA", published: printed(batchRatio), fitted: "held out", unit: "x" },
      reproduced: batches.b158 / batches.llama,
      unfitted: batchOfCaches("b158") / batchOfCaches("llama"),
    }),
    row({
      ...{ what: `LLaMA 70B, batch ${llama.batch}`, published: printed(llama.tokensPerSecond), ...speed },
      reproduced: speeds.llama,
      unfitted: peaks.llama,
    }),
    row({
      ...{ what: `BitNet b1.58 70B, batch ${b158.batch}`, published: printed(b158.tokensPerSecond), ...speed },
      reproduced: speeds.b158,
      unfitted: peaks.b158,
    }),
    row({
      ...speed,
      ...{ what: "throughput, b1.58 / LLaMA", published: printed(throughputRatio), unit: "x" },
      reproduced: speeds.b158 / speeds.llama,
      unfitted: peaks.b158 / peaks.llama,
    }),
  ];
  return {
    title: "Table 3: 70B on two A100 of 80 GB",
    rows,
    remark:
      `The batch depends on how much of the cards is usable, which is a guess: with 95 % of them instead of 97 % b1.58's would be ${batchOf("b158", 0.95)}, with 99 % ${batchOf("b158", 0.99)}. ` +
      "That a sequence costs what it does is not explained by its cache, which would allow ten times the batch on both sides: the runtime keeps workspace for each " +
      "sequence. The quotient does not depend on what a sequence costs. If b1.58 kept 16-bit caches and workspace, the quotient would be half. LLaMA is bound by reading its weights, " +
      "b1.58 at batch 176 by the float16 units, so its throughput says little about ternary weights.",
  };
}

const ASSUMPTIONS: Readonly<Record<string, string>> = {
  shapes:
    "Widths and layers of the paper's code and checkpoints (700M to 3.9B) and of LLaMA (7B, 13B); vocabulary 32,000; embedding and head not shared.",
  gb: "1 GB is 10^9 bytes.",
  weights:
    "LLaMA: 2 bytes a weight. b1.58: 2 bits a linear weight (the paper measured with a 2-bit kernel), float16 embedding and head.",
  cache: "Batch 1, keys and values of 2,048 positions, the length of training; 16 bits for LLaMA, 8 bits for b1.58.",
  buffers:
    "Fitted: run-time buffers of c bytes for each entry of vocabulary times width, one c for each runtime, so that the largest error in table 1 is smallest.",
  a100: "A100 of 80 GB: 2,039 GB/s, 312 Tflop/s float16 (datasheet). The paper names the card for table 3 only.",
  runtime:
    "Fitted: a time for each layer and a share of the bandwidth, two constants for each runtime, least squares on table 1.",
  "7nm": "Energy of an operation at 7 nm: profile cmos-7nm.",
  convention:
    "As the paper counts: linear layers, attention over 512 x 512, scales of inputs and outputs on the b1.58 side; no head, norms, softmax or memory.",
  "65b": "70B means the shape of LLaMA-65B here.",
  "70b": "70B means LLaMA-2-70B, 8 heads of keys and values.",
  usable: "97 % of 2 x 80 GiB are usable; the rest is the driver's and the libraries'.",
  sequence:
    "Fitted: bytes of a sequence of 512 tokens, so that LLaMA's batch is 16; half of that for b1.58, whose activations have 8 bits.",
  pipeline: "Two stages of 40 layers, each always busy with a batch of the published size; the last one has the head.",
  fp16: "b1.58's products are computed by the float16 units after unpacking, at the share of their peak that LLaMA's kernels reach of the bandwidth.",
};

/** @param profile the constants at 7 nm */
export function paperReport(profile: EnergyProfile): PaperReport {
  const constants = constantsOf(profile);
  const honest = FIGURE_3.map(({ size }): HonestRow => {
    const shape = shapeOf(size === "70B" ? "65B" : size);
    const ratio = (convention: Parameters<typeof energyRatio>[2]) => energyRatio(shape, constants, convention);
    return {
      size,
      paper: ratio({}),
      head: ratio({ head: true }),
      lane: ratio({ head: true, lane: true }),
      trafficOnce: ratio({ head: true, lane: true, traffic: "once" }),
      trafficEveryToken: ratio({ head: true, lane: true, traffic: "every token" }),
    };
  });
  const lane = constants.fp16Mac / constants.ternaryLane;
  return {
    paper: PAPER,
    sections: [memorySection(), latencySection(), figure2(), figure3(profile), table3()],
    honest: {
      rows: honest,
      lane,
      remark:
        `A ternary lane is more than an int8 addition: with decoder, its part of the tree and of a 32-bit accumulator, by gate counts, a weight costs ${lane.toFixed(1)} times ` +
        "less than in float16, not 71.4. A token at a time, what counts is moving the weights (HBM2, 16 bits against 5 trits a byte): about ten times less in the linear layers, and the " +
        "float16 head is read by both.",
    },
    assumptions: ASSUMPTIONS,
  };
}
