/** Tools -> a tools.json that makes the same table again. A table holds no descriptions; what has its usual value is left out where that is unmistakable. */
import type { Drive, Tool, ToolTable } from "./tool.ts";
import { normalised } from "./words.ts";

export function toolsJson({ dryRun, tools }: ToolTable): Record<string, unknown> {
  return { dry_run: dryRun, tools: tools.map(toolJson) };
}

export function toolJson({ name, kind, description, aliases, verbs, drive, ...tool }: Tool): Record<string, unknown> {
  return {
    ...{ name, kind },
    ...(description === "" ? {} : { description }),
    aliases: aliases.filter((alias) => alias !== normalised(name)),
    verbs,
    ...(hasArgument(drive, tool) ? { argument: argumentJson(tool, verbs) } : {}),
    drive: driveJson(drive),
  };
}

/** Is there more to say than on and off? */
export function hasArgument(drive: Drive, { unit, min, max, values }: Pick<Tool, "unit" | "min" | "max" | "values">) {
  if (drive.type === "gpio") return false;
  return drive.type !== "none" || unit !== null || min !== 0 || max !== 1000 || values.size > 0;
}

type Numbers = Pick<Tool, "unit" | "min" | "max" | "step" | "on" | "values">;

function argumentJson({ unit, min, max, step, on, values }: Numbers, verbs: Tool["verbs"]): Record<string, unknown> {
  const moves = verbs.includes("up") || verbs.includes("down");
  return {
    ...(unit === null ? {} : { unit }),
    min: min / 1000,
    max: max / 1000,
    ...(moves || step > 0 ? { step: step / 1000 } : {}),
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
