/** Tools -> a tools.json that makes the same table again. A table holds no descriptions; what has its usual value is left out where that is unmistakable. */
import type { Drive, Tool, ToolTable } from "./tool.ts";
import { normalised } from "./words.ts";

export function toolsJson({ dryRun, tools }: ToolTable): Record<string, unknown> {
  return { dry_run: dryRun, tools: tools.map(toolJson) };
}

export function toolJson(tool: Tool): Record<string, unknown> {
  const { name, kind, description, aliases, verbs, drive } = tool;
  return {
    ...{ name, kind },
    ...(description === "" ? {} : { description }),
    aliases: aliases.filter((alias) => alias !== normalised(name)),
    verbs,
    ...(hasArgument(tool) ? { argument: argumentJson(tool) } : {}),
    drive: driveJson(drive),
  };
}

/** Is there more to say than on and off? */
export function hasArgument({ verbs, drive, unit, min, max, step, on, values }: Tool): boolean {
  if (drive.type !== "none") return drive.type !== "gpio";
  const isSwitch = unit === null && min === 0 && max === 1000 && on === max && step === (moves(verbs) ? max : 0);
  return !isSwitch || values.size > 0;
}

function moves(verbs: Tool["verbs"]): boolean {
  return verbs.includes("up") || verbs.includes("down");
}

function argumentJson({ verbs, unit, min, max, step, on, values }: Tool): Record<string, unknown> {
  return {
    ...(unit === null ? {} : { unit }),
    min: min / 1000,
    max: max / 1000,
    ...(moves(verbs) || step > 0 ? { step: step / 1000 } : {}),
    ...(verbs.includes("on") ? { on: on / 1000 } : {}),
    ...(values.size === 0
      ? {}
      : { values: Object.fromEntries([...values].map(([word, value]) => [word, value / 1000])) }),
  };
}

function driveJson(drive: Drive): Record<string, unknown> {
  if (drive.type === "timer") return drive.pin === null ? { type: "timer" } : { ...drive };
  const { inverted = false, ...rest } = { inverted: false, ...drive };
  return inverted ? { ...rest, inverted } : rest;
}
