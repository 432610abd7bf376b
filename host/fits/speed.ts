/**
 * How fast a board runs an image, before anybody has one: the board is simulated with the cycles of its core, its flash holds the image, and it answers two
 * prompts, in simulated time alone, so that the figures are the same in every run. What a longer answer takes beyond a shorter one to the same prompt (whose keys and values are there already) is tokens and nothing else. A token costs more
 * the more positions it looks back at, by the same amount for each: two prompts give the line, and the line the cost at any position.
 */
import { type Board, sectorsOf } from "../../boards/board.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { TritkitError, throwIfAborted } from "../errors.ts";
import type { Answer } from "../generation.ts";
import {
  type Activity,
  activityBetween,
  activityOfBoard,
  type CostOrigin,
  cyclesOrigin,
  Drive,
  type EnergyKind,
  energyOf,
  energyProfile,
  meteredBoard,
  type SimBoard,
} from "../transports/sim.ts";
import { openDriven } from "../transports/sim_driven.ts";

export interface BoardSpeed {
  /** Mean over the tokens that fill the context from its first position on. */
  readonly tok_s: number;
  /** With an empty and with a full context. */
  readonly tok_s_first: number;
  readonly tok_s_last: number;
  /** How the cycles are known: the cost table's word. */
  readonly tok_s_kind: CostOrigin;
  /** Share of the time that the CPU waits for flash, at the mean; derived from the board's data. */
  readonly wait_share: number;
  /** Of the chip, at the mean. null: the board names no energy profile. */
  readonly mj_per_token: number | null;
  readonly mj_kind: EnergyKind | null;
  /** Positions at which tokens were measured; others are on the line through them. */
  readonly measured_at: readonly [number, number];
}

export interface SpeedOptions {
  /** Positions of the context. */
  readonly context: number;
  readonly signal?: AbortSignal;
  /** Parts of the work that are done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** Two places in a text that any tokenizer takes. No tokenizer makes more tokens of it than it has letters, but for two that it may put before them. */
const NEAR = "On";
const FAR =
  "Once upon a time there was a little girl who went to the sea. The wind was cold and the waves were high, but she saw a small boat with a " +
  "red sail. She asked the old man in it where he would go. Far away, he said, and come back.";
/** Letters of it for an image of more than so many bytes: reading a prompt takes a large model long, and the line is as straight. */
const LARGE = { bytes: 2 ** 20, letters: 60 };
/** Tokens of the longer answer; the shorter one is a single token. */
const TOKENS = 3;
const BEFORE = 2;
/** Of the work: the first prompt is the shorter one. */
const NEAR_SHARE = 0.3;
/** A simulated day. */
const DEADLINE = 24 * 3600 * 1e9;
const SIZES = "--sizes leaves the speed out.";
/** Prompts that are tried where the model has nothing to say to one. */
const ATTEMPTS = 8;
const LETTERS = "TAWSBHIMC";
const NS = 1e9;
const MJ = 1e9;

interface Point {
  readonly position: number;
  readonly ns: number;
  readonly activity: Activity;
}

/** @throws TritkitError E_INTERRUPTED, E_NO_ANSWER, E_SIM_* */
export async function boardSpeed(image: Uint8Array, board: Board, options: SpeedOptions): Promise<BoardSpeed> {
  const { context, signal, onProgress = () => {} } = options;
  const sim = await meteredBoard(board, partitionWith(image, board));
  const drive = new Drive(sim);
  const work = async (): Promise<BoardSpeed> => {
    const device = await Device.connect(openDriven(drive, board.uart.default_baud), { signal });
    const answer = (prompt: string, maxTokens: number): Promise<Answer> =>
      generateOnDevice(device, prompt, { maxTokens, temperature: 0, seed: 1, signal });
    const near = await point({ sim, answer, signal }, NEAR);
    onProgress(NEAR_SHARE);
    const letters = image.length > LARGE.bytes ? LARGE.letters : FAR.length;
    const far = await point({ sim, answer, signal }, FAR.slice(0, Math.min(letters, context - TOKENS - BEFORE)));
    return speedOf(sim, near, far, context);
  };
  try {
    sim.powerOn();
    return await drive.settle(
      work(),
      DEADLINE,
      () => new TritkitError("E_NO_ANSWER", `${board.name} does not answer.`, SIZES),
    );
  } finally {
    if (sim.state === "on") sim.powerOff();
  }
}

/** The device finds an image in flash by its digests, without a record of it (spec/STORE.md). */
export function partitionWith(image: Uint8Array, board: Board): Uint8Array {
  const { offset, bytes } = board.flash.partition;
  const content = new Uint8Array(bytes).fill(board.flash.erase_value);
  const sectors = sectorsOf(board).filter((sector) => sector.offset >= offset);
  content.set(image, sectors[RECORD_SECTORS].offset - offset);
  return content;
}

interface Bench {
  readonly sim: SimBoard;
  readonly answer: (prompt: string, maxTokens: number) => Promise<Answer>;
  readonly signal: AbortSignal | undefined;
}

/** Tokens behind a prompt, which is cut until it fits the context (a template may come around it), and changed until the model has something to say to it. */
async function point(bench: Bench, prompt: string, attempts = ATTEMPTS): Promise<Point> {
  const { sim, signal } = bench;
  if (attempts === 0)
    throw new TritkitError("E_NO_ANSWER", "The model ends every answer at once: there is no token to time.", SIZES);
  const answer = async (maxTokens: number): Promise<Answer> => {
    const found = await bench.answer(prompt, maxTokens);
    throwIfAborted(signal);
    return found;
  };
  // The first answer reads the prompt; from the second on its keys and values are there.
  const first = await answer(1).catch((error: unknown) => {
    const isLong = error instanceof TritkitError && error.code === "E_PROMPT_TOO_LONG";
    if (!isLong || prompt.length < 2) throw error;
    return null;
  });
  if (first === null) return point(bench, prompt.slice(0, prompt.length >> 1), attempts - 1);
  const before = state(sim);
  const short = await answer(1);
  const between = state(sim);
  const long = await answer(TOKENS);
  const after = state(sim);
  const tokens = long.tokenIds.length - short.tokenIds.length;
  if (tokens <= 0) return point(bench, `${LETTERS[attempts % LETTERS.length]}${prompt.slice(1)}`, attempts - 1);
  const activity = activityBetween(
    activityBetween(before.activity, between.activity),
    activityBetween(between.activity, after.activity),
  );
  return {
    // The shorter answer's token comes from the prompt's last position; every further one computes the next.
    position: first.promptTokens + (tokens - 1) / 2,
    ns: (after.ns - between.ns - (between.ns - before.ns)) / tokens,
    activity: Object.fromEntries(Object.entries(activity).map(([event, count]) => [event, count / tokens])),
  };
}

function state(sim: SimBoard): { ns: number; activity: Activity } {
  const ns = sim.busyNs;
  const activity = activityOfBoard(sim, ns);
  if (activity === null) throw new TritkitError("E_INTERNAL", "The simulated board counts no cycles.", "");
  return { ns, activity };
}

function speedOf(sim: SimBoard, near: Point, far: Point, context: number): BoardSpeed {
  const { board } = sim;
  const span = far.position - near.position;
  const at = (position: number, from: number, to: number): number =>
    span <= 0 ? from : from + ((to - from) * (position - near.position)) / span;
  const nsAt = (position: number): number => at(position, near.ns, far.ns);
  const mean = (context - 1) / 2;
  const table = sim.meter?.table;
  if (table === undefined) throw new TritkitError("E_INTERNAL", "The simulated board counts no cycles.", "");
  const events = new Set([...Object.keys(near.activity), ...Object.keys(far.activity)]) as Set<keyof Activity>;
  const activity: Activity = Object.fromEntries(
    // What shrinks a little from one place to the other (a line of the cache more or less) is not drawn on below nothing.
    [...events].map((event) => [event, Math.max(0, at(mean, near.activity[event] ?? 0, far.activity[event] ?? 0))]),
  );
  const energy = board.energy === null ? null : energyOf(activity, energyProfile(board.energy));
  return {
    tok_s: NS / nsAt(mean),
    tok_s_first: NS / nsAt(0),
    tok_s_last: NS / nsAt(context - 1),
    tok_s_kind: cyclesOrigin(table),
    wait_share: ((activity.wait_cycle ?? 0) * NS) / board.cpu.hz / nsAt(mean),
    mj_per_token: energy === null ? null : energy.pj / MJ,
    mj_kind: energy?.kind ?? null,
    measured_at: [near.position, far.position],
  };
}
