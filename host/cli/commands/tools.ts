import type { Board } from "../../../boards/board.ts";
import { TOOLS_MAX_BYTES } from "../../../spec/tools.ts";
import { listBoards, loadBoard } from "../../assets.ts";
import type { Device } from "../../device/device.ts";
import {
  callTool,
  clearDeviceTools,
  currentTable,
  deviceTools,
  setDeviceTools,
  setDryRun,
} from "../../device/tools.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { readImage } from "../../image/reader.ts";
import { checkPins, pinProblems } from "../../tools/board_pins.ts";
import { compileTools } from "../../tools/compile.ts";
import { toolsJson } from "../../tools/json.ts";
import { VERB_NAMES } from "../../tools/names.ts";
import { toolNotes } from "../../tools/notes.ts";
import { checkTools, problemsError, type ToolsFile } from "../../tools/parse.ts";
import type { ToolTable } from "../../tools/tool.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { readModel } from "../model_file.ts";
import { withDevice } from "../port.ts";
import { notAssistant, readToolsText } from "../tools_file.ts";
import { callText, emitCalls, toolNames, toolRows } from "../tools_view.ts";
import { writeWhole } from "../whole_file.ts";

const ACTIONS = ["show", "check", "set", "clear", "call", "dry-run"] as const;

export const tools: Command = {
  name: "tools",
  summary: "what plain words can drive: show, check and replace the tools of an assistant, or call one",
  usage: "show [MODEL] | check FILE | set FILE | clear | call TOOL VERB [VALUE] | dry-run on|off",
  options: {
    port: PORT_OPTION,
    baud: BAUD_OPTION,
    board: { type: "string", short: "b", value: "NAME", help: "with check: whether this board has the pins" },
    out: { type: "string", short: "o", value: "FILE", help: "with show: write the tools.json there" },
    for: { type: "string", value: "SECONDS", help: "with call: for how long" },
  },
  examples: [
    "tritkit tools check tools.json --board rp2040-pico",
    "tritkit tools show --port /dev/ttyACM0",
    "tritkit tools set tools.json --port /dev/ttyACM0",
    "tritkit tools call lamp set 40 --for 10 --port /dev/ttyACM0",
    "tritkit tools dry-run on --port /dev/ttyACM0",
  ],
  positionals: [1, 4],
  async run(context) {
    const { positionals } = context.args;
    const action = ACTIONS.find((each) => each === positionals[0]);
    if (action === undefined) throw usage(`tools does not know "${positionals[0]}", but ${ACTIONS.join(", ")}.`);
    const [fewest, most, takes] = TAKES[action];
    if (positionals.length <= fewest || positionals.length > most + 1) throw usage(`tools ${action} takes ${takes}.`);
    const stray = Object.entries(OPTIONS_OF).find(([option, owner]) => context.args.given(option) && action !== owner);
    if (stray !== undefined) throw usage(`--${stray[0]} is for tools ${stray[1]}.`);
    if (action === "check") return check(context, positionals[1]);
    if (action === "show") return show(context, positionals[1]);
    const work = { set, clear, call, "dry-run": dryRun }[action];
    return work(context, positionals.slice(1));
  },
};

/** Options of one action. */
const OPTIONS_OF = { board: "check", out: "show", for: "call" };

/** Fewest and most arguments of an action, and what they are. */
const TAKES: Record<(typeof ACTIONS)[number], [number, number, string]> = {
  show: [0, 1, "a MODEL, or --port"],
  check: [1, 1, "a FILE"],
  set: [1, 1, "a FILE"],
  clear: [0, 0, "nothing more"],
  call: [2, 3, "a TOOL, a VERB and perhaps a VALUE"],
  "dry-run": [1, 1, "on or off"],
};

/** @returns the table, its problems told one by one; none when there are some */
async function check({ args, out }: Context, path: string): Promise<number> {
  const name = args.text("board");
  const board = name === undefined ? null : await loadBoard(name);
  const { file, problems } = checkTools(path, await readToolsText(path));
  const all = [...problems, ...(problems.length === 0 && board !== null ? pinProblems(file.tools, board) : [])];
  const notes = all.length === 0 ? toolNotes(file.tools) : [];
  const bytes = all.length === 0 ? compileTools(file, path).length : null;
  out.event({
    ...{ event: "tools_check", file: path, ok: all.length === 0, tools: file.tools.length, bytes },
    ...{ bytes_max: TOOLS_MAX_BYTES, problems: all, notes },
  });
  if (bytes === null) {
    if (all.length > 1) for (const { place, what } of all) out.info(`${place}: ${what}`);
    throw problemsError(path, all);
  }
  out.text(`${path}: ${sizeText(file, bytes)}${board === null ? "" : `, ${board.name} has the pins`}\n`);
  tell(out, notes);
  return 0;
}

/** The tools of a device, or of an image that is not flashed. */
async function show(context: Context, model: string | undefined): Promise<number> {
  const { args, signal } = context;
  if (model !== undefined && args.given("port")) throw usage("tools show takes a MODEL or a --port, not both.");
  if (model !== undefined) {
    const { assistant } = readImage(await readModel(model));
    if (assistant === null) throw notAssistant(model);
    await showTable(context, assistant.tools, assistant.table.length, { source: "image" }, "");
    return 0;
  }
  await withDevice(context, async (device) => {
    const { source, table, bytes, crc, dryRun, canSet } = await deviceTools(device, signal);
    const from = source === "set" ? "set over the wire" : source === "image" ? "the model's own" : "";
    const state = [from, dryRun ? "dry run" : "", canSet ? "" : "no room in flash for another table"];
    const told = { source, crc32: crc.toString(16).padStart(8, "0"), dry_run: dryRun, can_set: canSet };
    await showTable(context, table, bytes.length, told, state.filter(Boolean).join(", "));
  });
  return 0;
}

async function showTable(
  { args, out }: Context,
  found: ToolTable | null,
  bytes: number,
  told: Record<string, unknown>,
  state: string,
): Promise<void> {
  const json = found === null ? { tools: [] } : toolsJson(found);
  out.event({ event: "tools", bytes, bytes_max: TOOLS_MAX_BYTES, ...json, ...told });
  const path = args.text("out");
  if (found === null) {
    out.text("the assistant has no tools\n");
    if (path !== undefined) throw new TritkitError("E_NO_TOOL", "There are no tools to write.");
    return;
  }
  out.text(`${toolRows(found)}${sizeText(found, bytes)}${state === "" ? "" : `, ${state}`}\n`);
  if (path === undefined) return;
  await writeWhole(path, Buffer.from(`${JSON.stringify(json, null, 2)}\n`));
  out.info(`written ${path}`);
}

async function set(context: Context, [path]: string[]): Promise<number> {
  const { out, signal } = context;
  const { file, problems } = checkTools(path, await readToolsText(path));
  if (problems.length > 0) throw problemsError(path, problems);
  const bytes = compileTools(file, path);
  await withDevice(context, async (device) => {
    const board = await boardOf(device);
    if (board !== null) checkPins(path, file.tools, board);
    await setDeviceTools(device, bytes, signal);
    out.event({ event: "tools_set", file: path, tools: file.tools.length, bytes: bytes.length });
    out.info(`${device.hello.board} has the tools ${toolNames(file)}: ${sizeText(file, bytes.length)}`);
    tell(out, toolNotes(file.tools));
  });
  return 0;
}

/** null: a board of somebody's own, whose pins are not known here. */
async function boardOf(device: Device): Promise<Board | null> {
  return (await listBoards()).find(({ name }) => name === device.hello.board) ?? null;
}

async function clear(context: Context): Promise<number> {
  await withDevice(context, async (device) => {
    await clearDeviceTools(device, context.signal);
    context.out.event({ event: "tools_clear", tools: device.hello.tools ?? 0 });
    context.out.info("the model's own tools are in use again");
  });
  return 0;
}

async function call(context: Context, [tool, verbName, value]: string[]): Promise<number> {
  const { args, out, signal } = context;
  const verb = VERB_NAMES.find((each) => each === verbName);
  if (verb === undefined) throw usage(`There is no verb "${verbName}", but ${VERB_NAMES.join(", ")}.`);
  const seconds = args.text("for") === undefined ? undefined : args.number("for", 0);
  return withDevice(context, async (device) => {
    const made = await callTool(device, { tool, verb, value, seconds }, signal);
    emitCalls(out, [made]);
    out.text(`${callText(made, await currentTable(device, signal))}\n`);
    return made.result === "done" || made.result === "dry" ? 0 : EXIT_REFUSED;
  });
}

async function dryRun(context: Context, [word]: string[]): Promise<number> {
  if (word !== "on" && word !== "off") throw usage(`tools dry-run takes on or off, not "${word}".`);
  await withDevice(context, async (device) => {
    await setDryRun(device, word === "on", context.signal);
    context.out.event({ event: "tools_dry_run", dry_run: word === "on" });
    context.out.info(word === "on" ? "dry run: calls are told, and no pin is driven" : "calls drive pins");
  });
  return 0;
}

function sizeText({ tools: list, words }: ToolTable | ToolsFile, bytes: number): string {
  const phrases = list.reduce((sum, { aliases, values }) => sum + aliases.length + values.size, words.length);
  const count = list.length === 1 ? "1 tool" : `${list.length} tools`;
  return `${count}, ${phrases} phrases, ${bytes} of ${TOOLS_MAX_BYTES} bytes`;
}

function tell(out: Context["out"], notes: readonly string[]): void {
  for (const note of notes) out.info(`note  ${note}`);
}
