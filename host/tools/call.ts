/** Calls that an assistant made, as a program gets them and as people read them. */
import { TOOL_EVERY, VERBS } from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import {
  type CallResult,
  resultName,
  SAYS,
  type Say,
  UNIT_SIGNS,
  UNITS,
  type Unit,
  VERB_NAMES,
  type Verb,
} from "./names.ts";
import type { ToolTable } from "./tool.ts";

export interface ToolCall {
  /** Name of the tool, "all", or null when the board has none of that kind. */
  readonly tool: string | null;
  readonly verb: Verb;
  /** After the call, or what was measured; of a call that was not made what it asked for. null: none. */
  readonly value: number | null;
  readonly unit: Unit | null;
  /** What was said with it: the value of `set`, by how much `up` and `down` go. Only of an Engine in Node, whose calls can be compared with what was meant. */
  readonly amount?: number | null;
  /** For how long; null: for good. */
  readonly seconds: number | null;
  readonly result: CallResult;
  /** How sure the model was: distance of its choice from the next best, in logits. */
  readonly margin: number;
}

/** A call as a device or an engine tells it: numbers of spec/tools.ts, thousandths, the margin in 1/65536. */
export interface RawCall {
  readonly tool: number;
  readonly verb: number;
  readonly rc: number;
  readonly value: number | null;
  readonly margin: number;
  readonly seconds: number;
}

const MARGIN_ONE = 65536;

/** @throws TritkitError E_PROTOCOL for numbers that no table has */
export function namedCall({ tool, verb, rc, value, margin, seconds }: RawCall, { tools }: ToolTable): ToolCall {
  const result = resultName(rc);
  if (result === null || !(verb >= 0 && verb < VERBS))
    throw new TritkitError(
      "E_PROTOCOL",
      `A call with verb ${verb} and result ${rc} is not known here.`,
      "Update tritkit.",
    );
  const named = tools[tool];
  return {
    tool: tool === TOOL_EVERY ? "all" : (named?.name ?? null),
    verb: VERB_NAMES[verb],
    value: value === null || isSwitch(named) ? null : value / 1000,
    unit: named?.unit ?? null,
    seconds: seconds === 0 ? null : seconds / 1000,
    result,
    margin: margin / MARGIN_ONE,
  };
}

/** A tool that is on or off has no value beside its verb. */
function isSwitch(tool: ToolTable["tools"][number] | undefined): boolean {
  return tool !== undefined && tool.unit === null && tool.min === 0 && tool.max === 1000 && tool.values.size === 0;
}

/** TOK_* of the token with which an answer began. */
export function sayName(token: number | null): Say | null {
  return token === null ? null : (SAYS[token] ?? null);
}

/** "40 %", "21.5 °C", "5 min 30 s", "on". */
export function valueText(value: number, unit: Unit | null): string {
  return unit === "seconds" ? secondsText(value) : `${value}${UNIT_SIGNS[UNITS.indexOf(unit ?? "")]}`;
}

function secondsText(seconds: number): string {
  const whole = Math.floor(seconds);
  const rest = Math.round((seconds - whole) * 1000) / 1000;
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [(whole % 60) + rest, "s"],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return said.length === 0 ? "0 s" : said.join(" ");
}
