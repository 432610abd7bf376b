// Steps of an assistant: another table of tools, a call without its model, and what an answer called (spec/TOOLS.md).
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { callTool, setDeviceTools } from "../../device/tools.ts";
import { TritkitError } from "../../errors.ts";
import { checkPins } from "../../tools/board_pins.ts";
import type { ToolCall } from "../../tools/call.ts";
import { compileTools } from "../../tools/compile.ts";
import type { Verb } from "../../tools/names.ts";
import { parseTools } from "../../tools/parse.ts";
import type { Bench, Chat } from "../bench.ts";
import type { Action, Given } from "./step.ts";

export const TOOLS_STEPS: Readonly<Record<string, Action>> = {
  async tools({ bench, scenario }, { text, until }) {
    const path = resolve(scenario.folder, text);
    const file = parseTools(text, await toolsText(path));
    checkPins(text, file.tools, bench.board);
    const bytes = compileTools(file, text);
    const end = until();
    const device = await bench.device(end);
    await bench.settle(setDeviceTools(device, bytes), end, "");
    return `${file.tools.length} tools, ${bytes.length} bytes`;
  },
  async call({ bench }, { text, option, until }) {
    const end = until();
    const device = await bench.device(end);
    const seconds = option<number>("seconds");
    const request = {
      tool: text,
      verb: option<Verb>("verb") as Verb,
      value: option<number | string>("amount"),
      seconds,
    };
    const call = await bench.settle(callTool(device, request), end, "");
    const wanted = option<string>("result") ?? "done";
    if (call.result !== wanted) throw missed(`The call's result is "${call.result}", not "${wanted}"`);
    return callText(call);
  },
  async expect_call({ bench }, given) {
    const chat = await answered(bench, given);
    const [call] = chat.calls;
    if (call === undefined) throw missed(`The answer has no more calls; ${saidText(chat)}`);
    const wanted = { ...fieldsOf(given), tool: given.text };
    const wrong = Object.entries(wanted).find(([key, value]) => !sameField(call[key as keyof ToolCall], value));
    if (wrong !== undefined)
      throw missed(`The next call is ${callText(call)}: its ${wrong[0]} is not ${JSON.stringify(wrong[1])}`);
    chat.calls.shift();
    return callText(call);
  },
  async expect_calls({ bench }, given) {
    const chat = await answered(bench, given);
    if (chat.calls.length === given.number) return "";
    throw missed(`${chat.calls.length} calls are left, not ${given.number}: ${chat.calls.map(callText).join("; ")}`);
  },
  async expect_say({ bench }, given) {
    const chat = await answered(bench, given);
    const say = chat.ended?.answer?.say ?? null;
    if (say !== given.text) throw missed(`The answer begins with ${JSON.stringify(say)}, not "${given.text}"`);
    return "";
  },
};

async function toolsText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    const hint = "Paths begin at the scenario's folder.";
    throw new TritkitError("E_FILE_NOT_FOUND", `There is no file ${path}.`, hint, 1, { cause });
  });
}

/** The turn, when its answer is complete: what it called is known only then. @throws what ended it */
async function answered(bench: Bench, { until }: Given): Promise<Chat> {
  if (bench.chat === null) throw new TritkitError("E_STEP_EXPECT", "Nothing was asked yet.", 'A step "chat" asks.');
  await bench.answered(until());
  return bench.chat;
}

/** What a step says of a call beside its tool. */
function fieldsOf({ option }: Given): Partial<ToolCall> {
  const fields = ["verb", "value", "seconds", "result"].map((key) => [key, option(key)]);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function sameField(found: unknown, wanted: unknown): boolean {
  // Values are thousandths; a table that has another unit in between does not make them exact.
  if (typeof found === "number" && typeof wanted === "number") return Math.abs(found - wanted) < 0.0005;
  return found === wanted;
}

/** "fan set 40 percent for 10 s, done". */
function callText({ tool, verb, value, unit, seconds, result }: ToolCall): string {
  const amount = value === null ? "" : ` ${value}${unit === null ? "" : ` ${unit}`}`;
  const lasts = seconds === null ? "" : ` for ${seconds} s`;
  return `${tool ?? "no tool"} ${verb}${amount}${lasts}, ${result}`;
}

function saidText({ ended }: Chat): string {
  const say = ended?.answer?.say ?? null;
  return say === null ? "it is no assistant's" : `it begins with "${say}"`;
}

function missed(what: string): TritkitError {
  return new TritkitError("E_STEP_EXPECT", `${what}.`);
}
