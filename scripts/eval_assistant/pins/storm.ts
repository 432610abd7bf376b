/** Adversarial words through the device build of a board, one after the other, as whoever sits at its line would: values, timers and the turn before live on. */
import { Random } from "../../../firmware-sim/random.ts";
import type { SimBoardOptions } from "../../../firmware-sim/sim_board.ts";
import { compileTools } from "../../../host/tools/compile.ts";
import type { ToolsFile } from "../../../host/tools/parse.ts";
import { CALL_DONE, TOOL_EVERY, VERBS } from "../../../spec/tools.ts";
import { TK_RC_BAD_ARGUMENT, TK_RC_TOO_LONG } from "../../../spec/wire.ts";
import { AssistantBoard, type ToldCall } from "../assistant_board.ts";
import { Refused } from "../wire.ts";
import { attack } from "./adversarial.ts";
import { PinWatch } from "./watch.ts";

export interface StormOptions {
  /** Of an assistant; a gate of 0 makes every call that it says. */
  readonly image: Uint8Array;
  readonly tools: ToolsFile;
  readonly prompts: number;
  readonly seed: number;
  /** Another device build than the one that ships. */
  readonly wasm?: SimBoardOptions["wasm"];
}

export interface StormResult {
  /** Sentences about what must not happen, each with the words that led to it. */
  readonly broken: readonly string[];
  readonly answered: number;
  /** Prompts that the board did not take: too long. */
  readonly refused: number;
  /** Calls that the model said: made, and told and not made; and those that were made without it. */
  readonly made: number;
  readonly notMade: number;
  readonly direct: number;
  readonly pwmWrites: number;
  readonly gpioWrites: number;
}

/** Every so many prompts a call is made without the model, with numbers of all sizes. */
const DIRECT_EACH = 4;
/** And now and then much time passes, so that what has a time ends. */
const PAUSE_EACH = 50;
const PAUSE_US = 20e6;

export async function storm({ image, tools, prompts, seed, wasm }: StormOptions): Promise<StormResult> {
  const random = new Random(seed);
  const board = await AssistantBoard.open(image, { wasm });
  board.setTools(compileTools(tools));
  const watch = new PinWatch(board.sim, tools.tools);
  const broken: string[] = [];
  const counts = { answered: 0, refused: 0, made: 0, notMade: 0, direct: 0 };
  const check = (call: ToldCall): void => {
    const tool = tools.tools[call.tool];
    if (call.rc !== CALL_DONE || call.tool === TOOL_EVERY || tool === undefined || call.value === null) return;
    // What is left of a timer runs down to nothing, whatever the shortest is that can be set.
    const least = tool.drive.type === "timer" ? 0 : tool.min;
    if (call.value < least || call.value > tool.max) broken.push(`${tool.name} is at ${call.value}`);
  };
  for (let i = 0; i < prompts; i++) {
    const words = attack(random, tools.tools);
    try {
      for (const call of board.turn(words, { keep: random.below(2) === 0 }).calls) {
        if (call.rc === CALL_DONE) counts.made++;
        else counts.notMade++;
        check(call);
      }
      counts.answered++;
    } catch (error) {
      if (!(error instanceof Refused) || error.rc !== TK_RC_TOO_LONG) throw error;
      counts.refused++;
    }
    if (i % DIRECT_EACH === 0) counts.direct += direct(board, random, tools.tools.length, check);
    if (i % PAUSE_EACH === 0) board.sim.run({ maxUs: PAUSE_US });
    const told = JSON.stringify(Buffer.from(words).toString("latin1").slice(0, 200));
    broken.push(...watch.broken.splice(0).map((what) => `${what} after ${told}`));
  }
  const { pwmWrites, gpioWrites } = watch;
  return { broken, ...counts, pwmWrites, gpioWrites };
}

/**
 * @param n tools that there are; one or two more are tried
 * @returns calls that were made
 */
function direct(board: AssistantBoard, random: Random, n: number, check: (call: ToldCall) => void): number {
  const number = (): number => (random.next() | 0) >> random.below(32);
  try {
    const value = random.below(4) === 0 ? null : number();
    const call = board.call(random.below(n + 2), random.below(VERBS), value, random.below(2) === 0 ? 0 : number());
    check(call);
    return call.rc === CALL_DONE ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Refused) || error.rc !== TK_RC_BAD_ARGUMENT) throw error;
    return 0;
  }
}
