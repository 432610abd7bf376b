/**
 * The turn before: sentences that lead to given calls. The model is asked with them until its answer is those calls, token for token, because only what it said
 * itself is *previous* to it (spec/TOOLS.md).
 */
import type { Tool } from "../../host/tools/tool.ts";
import type { Example, PreviousCall } from "./examples.ts";

/** The token's name of the slot that a call is to have; null: none. */
export function slotOf(call: PreviousCall, tools: readonly Tool[]): string | null {
  if (call.slot !== null) return call.slot;
  if (call.tool === "all") return null;
  const tool = tools.find(({ name }) => name === call.tool);
  if (call.value !== null) return { percent: "p1", celsius: "d1", seconds: "t1" }[tool?.unit ?? ""] ?? "n1";
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
  return names.flatMap((name) => {
    switch (call.verb) {
      case "on":
        return [`turn on the ${name}${time}`, `switch the ${name} on${time}`, `please turn the ${name} on${time}`];
      case "off":
        return [`turn off the ${name}${time}`, `switch the ${name} off${time}`, `cancel the ${name}`];
      case "set":
        return [`set the ${name} to ${value}`, `set the ${name} for ${value}`, `put the ${name} at ${value}`];
      case "up":
        return ["turn up", "increase", "raise"].map((verb) => `${verb} the ${name}${value === "" ? "" : ` by ${value}`}`);
      case "down":
        return ["turn down", "decrease", "lower"].map((verb) => `${verb} the ${name}${value === "" ? "" : ` by ${value}`}`);
      case "get":
        return [`what is the ${name}`, `what is the ${name} now`, `read the ${name}`, `is the ${name} on`];
    }
  });
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
