// A whole model in our engine and in llama.cpp, on the same machine in alternating rounds, with one thread and with more. Each contender lives in its own process
// and rests while another one works; the medians of the rounds count, and their ratio.
import { throwIfAborted } from "../errors.ts";
import type { Contender, Footprint } from "./contender.ts";
import { ContenderProcess } from "./contender_process.ts";
import { Bystanders, loadMachine } from "./machine.ts";

export interface ContestOptions {
  /** The .trit file. */
  readonly image: string;
  /** A .gguf file of the same model for llama.cpp. */
  readonly peer?: string;
  readonly threads: readonly number[];
  readonly rounds?: number;
  /** Seconds of one measurement, about. */
  readonly slice?: number;
  /** Tokens of a prompt. */
  readonly prompt?: number;
  /** Measure once more, decoding only, while a process for every core does nothing but work. */
  readonly loaded?: boolean;
  readonly signal?: AbortSignal;
  /** @param share 0..1 of the whole */
  readonly onProgress?: (what: string, share: number) => void;
}

/** Rates of one kind of work, tokens a second, round by round. */
export interface ContestResult {
  readonly mode: "decode" | "prefill";
  readonly threads: number;
  readonly loaded: boolean;
  readonly tokens: number;
  readonly own: readonly number[];
  /** "" without a peer. */
  readonly peer: string;
  readonly theirs: readonly number[];
}

export interface ContestReport {
  /** What computed, by contender. */
  readonly own: readonly {
    readonly threads: number;
    readonly about: string;
    readonly seconds: number;
    readonly footprint: Footprint;
  }[];
  readonly peer: string;
  readonly results: readonly ContestResult[];
  /** Share of the CPU that others took while it was quiet. */
  readonly bystanders: number;
}

const CONTEXT = 512;
/** The batch of BitNet papers' and our kernels' prefill figures. */
const BATCH = 16;
const MIN_TOKENS = 8;
const MAX_TOKENS = 256;
/** A machine that others load, or threads that wait for one another, may make a slice this many times as long; then it ends. */
const PATIENCE = 3;
/** Prompts take several times as long as slices of decoding. */
const PREFILL_EVERY = 2;

/** @throws TritkitError E_PEER, E_BENCH, and what opening the image throws */
export async function contest(options: ContestOptions): Promise<ContestReport> {
  const { image, peer, threads, rounds = 7, slice = 1, prompt = 64, loaded = false, signal, onProgress } = options;
  const running: ContenderProcess[] = [];
  const start = (kind: "own" | "llama") => {
    const contender = new ContenderProcess(kind);
    running.push(contender);
    return contender;
  };
  const stop = () => {
    for (const contender of running) contender.close();
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const own: { threads: number; contender: Contender; about: string; seconds: number }[] = [];
    for (const count of threads) {
      onProgress?.(`opens ${image}, ${threadsText(count)}`, 0);
      const contender = start("own");
      own.push({
        threads: count,
        contender,
        ...(await contender.open({ path: image, threads: count, context: CONTEXT })),
      });
    }
    const llama = peer === undefined ? null : start("llama");
    const theirs = llama && peer ? await llama.open({ path: peer, threads: threads[0], context: CONTEXT }) : null;

    // The first run of each compiles and reads; from it comes how many tokens fill a slice.
    const rate = await own[0].contender.decode(MIN_TOKENS, slice);
    const tokens = Math.min(MAX_TOKENS, Math.max(MIN_TOKENS, Math.round(rate * slice)));
    for (const { contender } of own.slice(1)) await contender.decode(MIN_TOKENS, slice);
    await llama?.decode(MIN_TOKENS, slice);

    const results = new Map<string, ContestResult & { own: number[]; theirs: number[] }>();
    const enter = (key: Omit<ContestResult, "own" | "theirs">, ours: number, theirRate: number | null) => {
      const name = JSON.stringify(key);
      const result = results.get(name) ?? { ...key, own: [], theirs: [] };
      results.set(name, result);
      result.own.push(ours);
      if (theirRate !== null) result.theirs.push(theirRate);
    };
    const measureRound = async (underLoad: boolean, withPrefill: boolean) => {
      for (const { threads: count, contender } of own) {
        throwIfAborted(signal);
        await llama?.setThreads(count);
        const limit = PATIENCE * slice;
        const decoded = await contender.decode(tokens, limit);
        const name = llama === null ? "" : "llama.cpp";
        const decode = { mode: "decode", threads: count, loaded: underLoad, tokens, peer: name } as const;
        enter(decode, decoded, llama === null ? null : await llama.decode(tokens, limit));
        if (!withPrefill) continue;
        throwIfAborted(signal);
        const filled = await contender.prefill(prompt, 0);
        const prefill = { mode: "prefill", threads: count, loaded: false, tokens: prompt } as const;
        if (llama === null) enter({ ...prefill, peer: "" }, filled, null);
        else {
          enter({ ...prefill, peer: "llama.cpp" }, filled, await llama.prefill(prompt, 0));
          enter({ ...prefill, peer: `llama.cpp, batches of ${BATCH}` }, filled, await llama.prefill(prompt, BATCH));
        }
      }
    };
    const loadedRounds = loaded ? Math.max(3, rounds - 2) : 0;
    const steps = rounds + loadedRounds;
    const bystanders = new Bystanders();
    bystanders.start(await cpuSeconds(running));
    for (let round = 0; round < rounds; round++) {
      onProgress?.(`round ${round + 1} of ${rounds}`, round / steps);
      await measureRound(false, round % PREFILL_EVERY === 0);
    }
    const share = bystanders.share(await cpuSeconds(running));
    if (loaded) {
      const unload = loadMachine();
      signal?.addEventListener("abort", unload, { once: true });
      try {
        for (let round = 0; round < loadedRounds; round++) {
          onProgress?.(`round ${round + 1} of ${loadedRounds}, machine loaded`, (rounds + round) / steps);
          await measureRound(true, false);
        }
      } finally {
        unload();
      }
    }
    const report = [];
    for (const { contender, ...rest } of own) report.push({ ...rest, footprint: await contender.footprint() });
    return { own: report, peer: theirs?.about ?? "", results: [...results.values()], bystanders: share };
  } catch (error) {
    // A contender that was ended because of it says so in its own words.
    throwIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

/** Of every process of the contest, this one included. */
async function cpuSeconds(contenders: readonly Contender[]): Promise<number> {
  const { user, system } = process.cpuUsage();
  let sum = (user + system) / 1e6;
  for (const contender of contenders) sum += (await contender.footprint()).cpuSeconds;
  return sum;
}

export function threadsText(count: number): string {
  return count === 1 ? "1 thread" : `${count} threads`;
}

/** The rate that a tenth of the rounds reaches. */
export function bestDecile(rates: readonly number[]): number {
  const sorted = [...rates].sort((a, b) => b - a);
  return sorted[Math.floor(sorted.length / 10)];
}
