// What an answer is, whoever computes it: the engine in Node or a board at the end of a wire.
import { MILLI } from "../spec/numerics.ts";
import { WHY_EOS, WHY_MAX } from "../spec/wire.ts";
import type { CoproReport } from "./device/copro.ts";
import { EXIT_USAGE, TritkitError } from "./errors.ts";
import type { ToolCall } from "./tools/call.ts";
import type { Say } from "./tools/names.ts";
import type { ChipEnergy } from "./transports/transport.ts";

export interface GenerateOptions {
  /** Most tokens of the answer; 0: until the model ends it. */
  maxTokens?: number;
  /** 0: greedy. */
  temperature?: number;
  /** 0: off. */
  topK?: number;
  /** 0..1; 1: off. */
  topP?: number;
  /** Repetition penalty; 1: off. */
  repeat?: number;
  /** u32; without it a random one is drawn. */
  seed?: number;
  /** Continue after what is in the context instead of beginning anew. */
  keep?: boolean;
  signal?: AbortSignal;
  /** Text of new tokens; incomplete UTF-8 is held back. The texts add up to the answer's. */
  onToken?: (token: { text: string; id: number }) => void;
  onPrefill?: (done: number, total: number) => void;
}

export type StopReason = "eos" | "max" | "stopped";

export interface Answer {
  text: string;
  tokenIds: number[];
  stop: StopReason;
  promptTokens: number;
  /** Positions in use after the answer, and how many there are. */
  position: number;
  context: number;
  /** Times the context had to slide. */
  slides: number;
  /**
   * Seconds until the first tokens came and until the end, as the host saw them, by the clock of a simulated board where the answer comes from one;
   * how many came first.
   */
  firstTokenSeconds: number;
  firstTokens: number;
  seconds: number;
  /** Of an assistant: how the answer begins (null: it did not), and what it called (spec/TOOLS.md). Left out by other models. */
  say?: Say | null;
  calls?: ToolCall[];
  /** Of a board whose coprocessor failed meanwhile: what was told about it. */
  copro?: CoproReport | null;
  /** Of a simulated board; left out by everybody else. */
  board?: BoardFigures;
}

export interface BoardFigures {
  /** By its own clock, from the question to the last token. */
  readonly seconds: number;
  /** Of its CPU: busy, waiting for flash included; and what of it was waiting. */
  readonly cycles: number;
  readonly waitCycles: number;
  /** How the cycles of its instructions are known (transports/transport.ts). */
  readonly origin: "calibrated" | "derived" | "estimated";
  /** Simulated seconds for each second of this machine's. */
  readonly timesReal: number;
  /** Of the chip for a token after the first ones; null where that is no measurement, or the board names no energy profile. */
  readonly energy: { readonly mjPerToken: number; readonly kind: ChipEnergy["kind"]; readonly profile: string } | null;
}

/** The sampler's options as the wire and the engine take them: integers in 1/1000 (spec/NUMERICS.md, Sampler). */
export interface SamplerIntegers {
  max: number;
  temp: number;
  topk: number;
  topp: number;
  rep: number;
  seed: number;
}

const U32 = 2 ** 32;

function thousandths(name: string, value: number, low: number, high: number): number {
  if (!(value >= low && value <= high)) {
    throw new TritkitError("E_USAGE", `${name} is ${value}.`, `It lies between ${low} and ${high}.`, EXIT_USAGE);
  }
  return Math.round(value * MILLI);
}

function integer(name: string, value: number, high: number): number {
  if (!Number.isInteger(value) || value < 0 || value > high) {
    throw new TritkitError("E_USAGE", `${name} is ${value}.`, `It is a whole number up to ${high}.`, EXIT_USAGE);
  }
  return value;
}

/** @throws TritkitError E_USAGE when an option is outside its range */
export function samplerIntegers(options: GenerateOptions): SamplerIntegers {
  return {
    max: integer("maxTokens", options.maxTokens ?? 0, U32 - 1),
    temp: thousandths("temperature", options.temperature ?? 0, 0, 100),
    topk: integer("topK", options.topK ?? 0, U32 - 1),
    topp: thousandths("topP", options.topP ?? 1, 0, 1),
    rep: thousandths("repeat", options.repeat ?? 1, 0.1, 10),
    seed: integer("seed", options.seed ?? Math.floor(Math.random() * U32), U32 - 1),
  };
}

export function stopReason(why: number): StopReason {
  return why === WHY_EOS ? "eos" : why === WHY_MAX ? "max" : "stopped";
}

/** Joins the bytes of tokens to text, holding back what may still become a character. */
export class TextJoiner {
  text = "";
  readonly tokenIds: number[] = [];
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #onToken: NonNullable<GenerateOptions["onToken"]>;

  constructor(onToken: GenerateOptions["onToken"]) {
    this.#onToken = onToken ?? (() => {});
  }

  add(id: number, bytes: Uint8Array): void {
    this.tokenIds.push(id);
    const text = this.#decoder.decode(bytes, { stream: true });
    this.text += text;
    this.#onToken({ text, id });
  }

  /** What was held back and never completed becomes U+FFFD; it belongs to the last token. */
  end(): void {
    const rest = this.#decoder.decode();
    if (rest === "") return;
    this.text += rest;
    this.#onToken({ text: rest, id: this.tokenIds[this.tokenIds.length - 1] });
  }
}
