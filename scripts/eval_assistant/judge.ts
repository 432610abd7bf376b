/**
 * Whether an answer is what was wanted, to the value. The board tells values after a call, so that "brighter" on a lamp at 50 % is 70 %: what a call should have come
 * to is computed here, from spec/TOOLS.md and the values before, and nowhere else.
 *
 *     exact        the beginning of the answer is the wanted one, and the calls are the same tools, verbs, values and times in the same order
 *                  what was to be declined may also be a call of tools of which the board has none: it says so, and nothing is done
 *     at a gate    right     exact, and no margin is below the gate
 *                  wrong     a call was made that was not wanted
 *                  asked     a call was held back, and none that was not wanted was made
 *                  missed    neither: something else was said, a call is missing or the board could not make it
 */
import { SAYS, VERB_NAMES } from "../../host/tools/names.ts";
import type { Tool } from "../../host/tools/tool.ts";
import { CALL_DONE, CALL_DRY, CALL_NO_TOOL, CALL_RANGE, TOOL_EVERY } from "../../spec/tools.ts";
import { type SaidCall, saidCalls } from "./answer.ts";
import type { ToldCall, Turn } from "./assistant_board.ts";
import type { Example, WantedCall } from "./examples.ts";

export interface Verdict {
  readonly exact: boolean;
  /** "on light", "none", "on light + off fan". */
  readonly wanted: string;
  readonly got: string;
  readonly calls: readonly JudgedCall[];
}

/** A call that the model said. */
export interface JudgedCall {
  readonly wanted: boolean;
  /** The board could make it. */
  readonly possible: boolean;
  /** 1/65536; of a call that no gate holds back, infinite. */
  readonly margin: number;
}

export type Outcome = "right" | "asked" | "missed" | "wrong";
export const OUTCOMES: readonly Outcome[] = ["right", "asked", "missed", "wrong"];

/** A timer runs while one speaks: thousandths of a second. */
const TIMER_DRIFT = 5000;

/**
 * @param base id of the first special token
 * @param values of the tools before the turn, thousandths
 */
export function judge(example: Example, turn: Turn, base: number, values: readonly number[]): Verdict {
  const { tools } = example.tools;
  const said = saidCalls(turn.ids, base);
  const now = [...values];
  const say = turn.say === null ? "nothing" : SAYS[turn.say];
  const isCall = example.say === "call";
  // A confirmation makes calls that an answer before said: no gate holds them back.
  const confirmed = say === "confirm" ? turn.calls : [];
  const told = say === "call" ? turn.calls : [];
  const open = new Set(example.calls.keys());
  let inOrder = told.length === example.calls.length;
  const calls = told.map((call, i) => {
    const places = [i, ...open].filter((place) => open.has(place));
    const place = places.find((each) => isWanted(example.calls[each], call, said[i], tools, now));
    if (place !== undefined) open.delete(place);
    inOrder &&= place === i;
    if (call.value !== null && call.tool < tools.length) now[call.tool] = call.value;
    return {
      wanted: place !== undefined,
      possible: isMade(call),
      margin: call.rc === CALL_NO_TOOL ? Number.POSITIVE_INFINITY : call.margin,
    };
  });
  const declined = example.say === "decline" && told.length > 0 && told.every(({ rc }) => rc === CALL_NO_TOOL);
  const exact = declined || (say === example.say && (!isCall || inOrder));
  return {
    exact,
    wanted: wantedLabel(example),
    got: declined
      ? "decline"
      : say === "call"
        ? told.map((call, i) => toldLabel(call, said[i], tools)).join(" + ")
        : say,
    calls: [
      ...calls,
      ...confirmed.map((call) => ({ wanted: exact, possible: isMade(call), margin: Number.POSITIVE_INFINITY })),
    ],
  };
}

/** "on light + off fan", "none". */
export function wantedLabel({ say, calls, tools }: Example): string {
  if (say !== "call") return say;
  const kindOf = (tool: string): string => tools.tools.find(({ name }) => name === tool)?.kind ?? tool;
  return calls.map(({ verb, tool }) => `${verb} ${kindOf(tool)}`).join(" + ");
}

/** What becomes of the user's words with a gate, in 1/65536. */
export function outcome({ exact, calls }: Verdict, gate: number): Outcome {
  const made = calls.filter(({ margin }) => margin >= gate);
  if (made.some(({ wanted, possible }) => possible && !wanted)) return "wrong";
  if (made.length < calls.length) return "asked";
  return exact ? "right" : "missed";
}

function isWanted(want: WantedCall, told: ToldCall, said: SaidCall, tools: readonly Tool[], values: number[]): boolean {
  const every = want.tool === "all";
  const index = every ? TOOL_EVERY : tools.findIndex(({ name }) => name === want.tool);
  if (told.tool !== index || VERB_NAMES[told.verb] !== want.verb || told.seconds !== want.seconds) return false;
  if (every || !["set", "up", "down"].includes(want.verb)) return true;
  const tool = tools[index];
  if (want.verb === "set") {
    const inside = want.value !== null && want.value >= tool.min && want.value <= tool.max;
    return told.value === want.value && (inside ? isMade(told) : told.rc === CALL_RANGE);
  }
  if ((want.value !== null) !== (said.slot !== null)) return false;
  const by = (want.value ?? tool.step) * (want.verb === "up" ? 1 : -1);
  const goal = Math.min(tool.max, Math.max(tool.min, values[index] + by));
  const drift = tool.drive.type === "timer" ? TIMER_DRIFT : 0;
  return isMade(told) && told.value !== null && told.value <= goal && told.value >= goal - drift;
}

function isMade({ rc }: ToldCall): boolean {
  return rc === CALL_DONE || rc === CALL_DRY;
}

function toldLabel({ verb, tool }: ToldCall, said: SaidCall, tools: readonly Tool[]): string {
  return `${VERB_NAMES[verb]} ${tools[tool]?.kind ?? said.target}`;
}
