/**
 * The turn before: sentences that lead to given calls. The model is asked with them until its answer is those calls, token for token, because only what it said
 * itself is *previous* to it (spec/TOOLS.md).
 */
import type { Unit } from "../../host/tools/names.ts";
import type { Tool } from "../../host/tools/tool.ts";
import type { Example, PreviousCall } from "./examples.ts";

const CLASS_OF: Record<Unit, string> = { percent: "p1", celsius: "d1", seconds: "t1" };

/** The token's name of the slot that a call is to have; null: none. */
export function slotOf(call: PreviousCall, tools: readonly Tool[]): string | null {
  if (call.slot !== null) return call.slot;
  if (call.tool === "all") return null;
  const tool = tools.find(({ name }) => name === call.tool);
  if (call.value !== null) return tool?.unit == null ? "n1" : CLASS_OF[tool.unit];
  return call.seconds > 0 ? "t1" : null;
}

/** Equal for equal turns before. */
export function previousKey({ table, previous, unsure }: Example): string {
  return JSON.stringify([table, previous, unsure && previous.length > 0]);
}

/** Joints of calls; the empty one stands for a single call. */
const JOINTS = [" and ", ", then ", " and then ", " also "];
/** Between what was said first and what is meant, where the slot is not the first of its class. */
const CORRECTIONS = [" no ", ", sorry, ", " no wait ", " I mean "];
const SENTENCES_MOST = 64;

/** Sentences that ask for these calls, the plainest first. */
export function sentencesFor(calls: readonly PreviousCall[], tools: readonly Tool[]): string[] {
  const ways = calls.map((call) => waysOf(call, tools));
  const combinations = ways.reduce((product, { length }) => product * length, calls.length === 1 ? 1 : JOINTS.length);
  const sentences = Array.from({ length: Math.min(combinations, SENTENCES_MOST) }, (_, k) => {
    // Of each call another way from one sentence to the next, out of step with one another.
    const parts = ways.map((way, i) => way[(k * (2 * i + 1) + Math.floor(k / way.length)) % way.length]);
    return parts.join(JOINTS[k % JOINTS.length]);
  });
  return [...new Set(sentences)];
}

function waysOf(call: PreviousCall, tools: readonly Tool[]): string[] {
  const tool = tools.find(({ name }) => name === call.tool);
  const names = tool === undefined ? ["everything", "all devices"] : tool.aliases.slice(0, 4);
  const value = valueText(call, tool);
  const spoken = call.value !== null || call.slot === null ? (call.seconds > 0 ? timeText(call.seconds) : "") : value;
  const [time, by, to, at] = [
    corrected(spoken, call, " for "),
    corrected(value, call, " by "),
    corrected(value, call, " to "),
    corrected(value, call, " at "),
  ];
  const each = (words: readonly string[], tails: readonly string[]) => (name: string) =>
    tails.flatMap((tail) => words.map((word) => `${word.replace("X", name)}${tail}`));
  const forms: Record<PreviousCall["verb"], (name: string) => string[]> = {
    on: each(["turn on the X", "switch the X on", "please turn the X on"], time),
    off: each(["turn off the X", "switch the X off", "cancel the X"], time),
    set: each(["set the X", "put the X", "please set the X"], [...to, ...at]),
    up: each(["turn up the X", "increase the X", "raise the X", "turn the X up"], by),
    down: each(["turn down the X", "decrease the X", "lower the X", "turn the X down"], by),
    get: each(["what is the X", "what is the X now", "read the X", "is the X on", "tell me the X"], [""]),
  };
  return names.flatMap(forms[call.verb]);
}

/** Where the slot is the second or third of its class, quantities of the class that are taken back go before it. */
function corrected(value: string, { slot }: PreviousCall, preposition: string): string[] {
  if (value === "") return [""];
  const before = Number(slot?.[1] ?? 1) - 1;
  if (before === 0) return [`${preposition}${value}`];
  // One more than what is meant: another value, and as sensible.
  const other = value.replace(/^\d+/, (number) => String(Number(number) + 1));
  return CORRECTIONS.flatMap((joint) =>
    [joint, `${joint}${preposition.trim()} `].map((j) => `${preposition}${`${other}${j}`.repeat(before)}${value}`),
  );
}

/** The value as one says it when its slot is to be of that class. */
function valueText(call: PreviousCall, tool: Tool | undefined): string {
  if (tool === undefined || (call.value === null && call.slot === null)) return "";
  const number = String((call.value ?? tool.on) / 1000);
  switch (slotOf(call, [tool])?.[0]) {
    case "p":
      return `${number} percent`;
    case "d":
      return `${number} degrees`;
    case "t":
      return timeText(call.value ?? tool.on);
    case "w": {
      const words = [...tool.values];
      return (words.find(([, value]) => value === call.value) ?? words[0])?.[0] ?? number;
    }
    default:
      return number;
  }
}

/** @param ms thousandths of a second */
function timeText(ms: number): string {
  const seconds = ms / 1000;
  return seconds % 60 === 0 ? `${seconds / 60} minutes` : `${seconds} seconds`;
}
