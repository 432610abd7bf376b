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

/** Sentences that ask for these calls, the plainest first. */
export function sentencesFor(calls: readonly PreviousCall[], tools: readonly Tool[]): string[] {
  const ways = calls.map((call) => waysOf(call, tools));
  const longest = Math.max(...ways.map(({ length }) => length));
  const joints = calls.length === 1 ? [""] : [" and ", ", then "];
  return Array.from({ length: longest }, (_, i) => ways.map((way) => way[i % way.length])).flatMap((parts) =>
    joints.map((joint) => parts.join(joint)),
  );
}

function waysOf(call: PreviousCall, tools: readonly Tool[]): string[] {
  const tool = tools.find(({ name }) => name === call.tool);
  const names = tool === undefined ? ["everything", "all devices"] : tool.aliases.slice(0, 4);
  const value = valueText(call, tool);
  const time = call.seconds > 0 ? ` for ${timeText(call.seconds)}` : "";
  const by = value === "" ? "" : ` by ${value}`;
  const forms: Record<PreviousCall["verb"], (name: string) => string[]> = {
    on: (name) => [`turn on the ${name}${time}`, `switch the ${name} on${time}`, `please turn the ${name} on${time}`],
    off: (name) => [`turn off the ${name}${time}`, `switch the ${name} off${time}`, `cancel the ${name}`],
    set: (name) => [`set the ${name} to ${value}`, `set the ${name} for ${value}`, `put the ${name} at ${value}`],
    up: (name) => ["turn up", "increase", "raise"].map((verb) => `${verb} the ${name}${by}`),
    down: (name) => ["turn down", "decrease", "lower"].map((verb) => `${verb} the ${name}${by}`),
    get: (name) => [`what is the ${name}`, `what is the ${name} now`, `read the ${name}`, `is the ${name} on`],
  };
  return names.flatMap(forms[call.verb]);
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
