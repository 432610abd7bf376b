// How tools and their calls look: a table for people, one line for each call, events for programs.
import type { Board } from "../../boards/board.ts";
import type { Device } from "../device/device.ts";
import { deviceTools } from "../device/tools.ts";
import type { Answer } from "../generation.ts";
import type { Image } from "../image/reader.ts";
import { pinProblems } from "../tools/board_pins.ts";
import { type ToolCall, valueText } from "../tools/call.ts";
import { hasArgument, toolsJson } from "../tools/json.ts";
import type { Drive, Tool, ToolTable } from "../tools/tool.ts";
import type { Output } from "./output.ts";
import { table } from "./table.ts";

/** "lamp, fan, heater" */
export function toolNames({ tools }: ToolTable): string {
  return tools.map(({ name }) => name).join(", ");
}

/** What an assistant's user can talk about; nothing of another model. */
export async function tellTools(out: Output, device: Device): Promise<void> {
  if (device.hello.tools === null) return;
  const { table, dryRun } = await deviceTools(device);
  const names = table === null ? "none: `tritkit tools set` gives it some" : toolNames(table);
  out.info(`tools  ${names}${dryRun ? "   dry run: no pin is driven" : ""}`);
}

/** What of an assistant's own tools a board cannot do: its calls will fail. Waits for nothing: a demo that is recorded lives in simulated time. */
export function tellPins(out: Output, image: Image, board: Board): void {
  const tools = image.assistant?.tools?.tools ?? [];
  const problems = pinProblems(tools, board);
  for (const { place, what } of problems.slice(0, TOLD_MOST)) {
    const { name } = tools[Number(/\d+/.exec(place))];
    out.info(`note  ${name} will not work: ${what}; \`tritkit tools set\` gives the board other tools`);
  }
  if (problems.length > TOLD_MOST) out.info(`note  nor will ${problems.length - TOLD_MOST} other tools`);
}

/** A board without PWM lacks it for every tool. */
const TOLD_MOST = 2;

/** A row for each tool. */
export function toolRows({ tools }: ToolTable): string {
  const rows = tools.map((tool) => [
    tool.name,
    tool.kind,
    tool.verbs.join(" "),
    rangeText(tool),
    driveText(tool.drive),
    tool.aliases.join(", "),
  ]);
  return table(["tool", "kind", "verbs", "range", "drive", "words"], rows);
}

/** Fields of the event that tells a table. */
export function tableJson(found: ToolTable): Record<string, unknown> {
  return toolsJson(found);
}

function rangeText(tool: Tool): string {
  const { unit, min, max, values } = tool;
  if (!hasArgument(tool)) return "-";
  const range = `${min / 1000}..${valueText(max / 1000, unit === "seconds" ? null : unit)}${unit === "seconds" ? " s" : ""}`;
  return [range, ...[...values].map(([word, value]) => `${word} ${value / 1000}`)].join(", ");
}

function driveText(drive: Drive): string {
  switch (drive.type) {
    case "none":
      return "none";
    case "adc":
      return `adc channel ${drive.channel}`;
    case "timer":
      return drive.pin === null ? "timer" : `timer, pin ${drive.pin}`;
    default: {
      const hz = drive.type === "pwm" ? `, ${drive.hz} Hz` : "";
      return `${drive.type} pin ${drive.pin}${hz}${drive.inverted ? ", inverted" : ""}`;
    }
  }
}

/** What an assistant's answer came to, for people; "" of a model that is none. */
export function answerText({ calls = [], say, text }: Answer, found: ToolTable): string {
  if (say === undefined) return "";
  const unsure = calls.filter(({ result }) => result === "unsure");
  const lines = calls.filter(({ result }) => result !== "unsure").map((call) => callText(call, found));
  if (unsure.length > 0) lines.push(`did you mean: ${unsure.map(wishText).join(", ")}? (yes/no)`);
  if (lines.length > 0) return lines.join("\n");
  if (text.trim() !== "") return "";
  return SILENT[say ?? ""] ?? SILENT.none;
}

/** Where the model had nothing to say itself. */
const SILENT: Record<string, string> = {
  none: "nothing to do",
  decline: "I cannot do that.",
  ask: "What should I do?",
  say: "I have nothing to say to that.",
  confirm: "nothing was waiting",
  call: "nothing to do",
};

/** "lamp  on", "fan  40 %", "fan  not done: 140 % is outside 0..100 %" */
export function callText(call: ToolCall, found: ToolTable): string {
  const { tool, verb, result } = call;
  if (tool === null) return "not done: the board has no such tool";
  const known = found.tools.find((each) => each.name === tool) ?? null;
  const dry = result === "dry" ? "  (dry run)" : "";
  if (result === "done" || result === "dry") return `${tool}  ${doneText(asMeasured(call, known))}${dry}`;
  return `${tool}  not done: ${whyText(call, known, verb)}`;
}

/** With a tenth of what a sensor measures: an ADC's last digits are noise. Programs read them all. */
function asMeasured(call: ToolCall, tool: Tool | null): ToolCall {
  const { value } = call;
  return value === null || tool?.drive.type !== "adc" ? call : { ...call, value: Math.round(value * 10) / 10 };
}

/** "on", "off", "40 %", "21.5 °C for 10 min" */
function doneText({ tool, verb, value, unit, seconds }: ToolCall): string {
  const lasts = seconds === null ? "" : ` for ${valueText(seconds, "seconds")}`;
  // A lamp that was turned on says how bright it is.
  if (verb === "off" || value === null) return `${verb === "get" && tool !== null ? "no value" : verb}${lasts}`;
  return `${verb === "on" ? "on, " : ""}${valueText(value, unit)}${lasts}`;
}

/** "lamp off", "fan 40 %": what a call that waits would do. */
function wishText({ tool, verb, value, unit, seconds }: ToolCall): string {
  const lasts = seconds === null ? "" : ` for ${valueText(seconds, "seconds")}`;
  const amount = value === null ? "" : valueText(value, unit);
  const what =
    verb === "set" ? amount : [verb, verb === "up" || verb === "down" ? amount : ""].filter(Boolean).join(" by ");
  return `${tool ?? "?"} ${what || verb}${lasts}`;
}

/** For how long a value may last, seconds (spec/TOOLS.md, "A call"). */
const LASTS = { min: 1, max: 24 * 3600 };

function whyText({ value, unit, seconds, result }: ToolCall, tool: Tool | null, verb: string): string {
  switch (result) {
    case "no_tool":
      return "no tool of the board can";
    case "cannot":
      return `it cannot be ${verb === "set" ? "set to a value" : verb === "get" ? "asked" : `turned ${verb}`}`;
    case "range": {
      if (seconds !== null && (seconds < LASTS.min || seconds > LASTS.max)) {
        const [said, low, high] = [seconds, LASTS.min, LASTS.max].map((each) => valueText(each, "seconds"));
        return `${said} is outside ${low}..${high}`;
      }
      const said = value === null ? "that" : valueText(value, unit);
      return tool === null
        ? `${said} is outside its range`
        : `${said} is outside ${rangeText({ ...tool, values: new Map() })}`;
    }
    case "unit":
      return unit === null ? "that is no value of it" : `that is no value in ${unit}`;
    default:
      return "the board's pins refused it";
  }
}

export function emitCalls(out: Output, calls: readonly ToolCall[]): void {
  for (const call of calls) out.event({ event: "call", ...call });
}
