/**
 * How fast a board runs an image, before anybody has one: the board is simulated with the cycles of its core, its flash holds the image, and it answers two
 * prompts. What a longer answer takes beyond a shorter one to the same prompt (whose keys and values are there already) is tokens and nothing else. A token costs more
 * the more positions it looks back at, by the same amount for each: two prompts give the line, and the line the cost at any position.
 */
import { type Board, sectorsOf } from "../../boards/board.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { TritkitError, throwIfAborted } from "../errors.ts";
import {
  type Activity,
  activityBetween,
  activityOfBoard,
  type CostOrigin,
  cyclesOrigin,
  type EnergyKind,
  energyOf,
  energyProfile,
  openSimLine,
  type RunningSim,
  startSim,
} from "../transports/sim.ts";

export interface BoardSpeed {
  /** Mean over the tokens that fill the context from its first position on. */
  readonly tok_s: number;
  /** With an empty and with a full context. */
  readonly tok_s_first: number;
  readonly tok_s_last: number;
  /** How the cycles are known: the cost table's word. */
  readonly tok_s_kind: CostOrigin;
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

/** Two places in a text that any tokenizer takes; the second is cut to what the context holds. */
const NEAR = "On";
const FAR = "Once upon a time there was a little girl who went to the sea";
/** Tokens of the longer answer; the shorter one is a single token. */
const TOKENS = 3;
/** Prompts that are tried where the model has nothing to say to one. */
const ATTEMPTS = 8;
const NS = 1e9;
const MJ = 1e9;

interface Point {
  readonly position: number;
  readonly ns: number;
  readonly activity: Activity;
}

/** @throws TritkitError E_INTERRUPTED, E_SIM_* */
export async function boardSpeed(image: Uint8Array, board: Board, options: SpeedOptions): Promise<BoardSpeed> {
  const { context, signal, onProgress = () => {} } = options;
  const running = await startSim(board.name, { content: partitionWith(image, board), cpu: "metered", seed: 1 });
  try {
    const device = await Device.connect(await openSimLine(running), { signal });
    try {
      const near = await point(running, device, NEAR, context, signal);
      onProgress(0.3);
      const far = await point(running, device, FAR, context, signal);
      onProgress(1);
      return speedOf(running, near, far, context);
    } finally {
      await device.close();
    }
  } finally {
    running.close();
  }
}

/** The device finds an image in flash by its digests, without a record of it (spec/STORE.md). */
function partitionWith(image: Uint8Array, board: Board): Uint8Array {
  const { offset, bytes } = board.flash.partition;
  const content = new Uint8Array(bytes).fill(board.flash.erase_value);
  const sectors = sectorsOf(board).filter((sector) => sector.offset >= offset);
  content.set(image, sectors[RECORD_SECTORS].offset - offset);
  return content;
}

/** Tokens behind a prompt, which is cut until it fits the context with its answer, and changed until the model has something to say to it. */
async function point(
  running: RunningSim,
  device: Device,
  prompt: string,
  context: number,
  signal: AbortSignal | undefined,
  attempts = ATTEMPTS,
): Promise<Point> {
  if (attempts === 0)
    throw new TritkitError(
      "E_NO_ANSWER",
      "The model ends every answer at once, so there is no token to time.",
      "--sizes leaves the speed out.",
    );
  const answer = async (maxTokens: number) => {
    const found = await generateOnDevice(device, prompt, { maxTokens, temperature: 0, seed: 1, signal });
    throwIfAborted(signal);
    return found;
  };
  // The first answer reads the prompt; from the second on its keys and values are there.
  const { promptTokens } = await answer(1);
  if (promptTokens + TOKENS > context)
    return point(running, device, prompt.slice(0, prompt.length / 2), context, signal, attempts - 1);
  const before = state(running);
  const short = await answer(1);
  const between = state(running);
  const long = await answer(TOKENS);
  const after = state(running);
  const tokens = long.tokenIds.length - short.tokenIds.length;
  if (tokens <= 0) return point(running, device, `${prompt} a`, context, signal, attempts - 1);
  const activity = activityBetween(
    activityBetween(before.activity, between.activity),
    activityBetween(between.activity, after.activity),
  );
  return {
    // The shorter answer's token comes from the prompt's last position; every further one computes the next.
    position: promptTokens + (tokens - 1) / 2,
    ns: (after.ns - between.ns - (between.ns - before.ns)) / tokens,
    activity: Object.fromEntries(Object.entries(activity).map(([event, count]) => [event, count / tokens])),
  };
}

function state({ sim }: RunningSim): { ns: number; activity: Activity } {
  const ns = sim.busyNs;
  const activity = activityOfBoard(sim, ns);
  if (activity === null) throw new TritkitError("E_INTERNAL", "The simulated board counts no cycles.", "");
  return { ns, activity };
}

function speedOf({ sim, board }: RunningSim, near: Point, far: Point, context: number): BoardSpeed {
  const span = far.position - near.position;
  const at = (position: number, from: number, to: number): number =>
    span <= 0 ? from : from + ((to - from) * (position - near.position)) / span;
  const nsAt = (position: number): number => at(position, near.ns, far.ns);
  const mean = (context - 1) / 2;
  const table = sim.meter?.table;
  if (table === undefined) throw new TritkitError("E_INTERNAL", "The simulated board counts no cycles.", "");
  const events = new Set([...Object.keys(near.activity), ...Object.keys(far.activity)]) as Set<keyof Activity>;
  const activity: Activity = Object.fromEntries(
    [...events].map((event) => [event, at(mean, near.activity[event] ?? 0, far.activity[event] ?? 0)]),
  );
  const energy = board.energy === null ? null : energyOf(activity, energyProfile(board.energy));
  return {
    tok_s: NS / nsAt(mean),
    tok_s_first: NS / nsAt(0),
    tok_s_last: NS / nsAt(context - 1),
    tok_s_kind: cyclesOrigin(table),
    mj_per_token: energy === null ? null : energy.pj / MJ,
    mj_kind: energy?.kind ?? null,
    measured_at: [near.position, far.position],
  };
}
