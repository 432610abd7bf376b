// The tools of an assistant on a device (spec/TOOLS.md, spec/WIRE.md TRITKIT 8): read, replaced, tried without its model.
import { TK_TOOLS, TOOLS_IMAGE, TOOLS_PIECE, TOOLS_SET } from "../../spec/wire.ts";
import { EXIT_REFUSED, EXIT_USAGE, TritkitError, throwIfAborted } from "../errors.ts";
import { namedCall, type RawCall, type ToolCall } from "../tools/call.ts";
import { VERB_NAMES, type Verb } from "../tools/names.ts";
import { readTools } from "../tools/read.ts";
import { NO_TOOLS, type Tool, type ToolTable } from "../tools/tool.ts";
import { normalised } from "../tools/words.ts";
import type { CborMap, CborValue } from "../wire/smp.ts";
import type { Device } from "./device.ts";

/** Erasing a sector takes a chip up to seconds. */
const FLASH_DEADLINE = { deadlineMs: 10_000, attempts: 3 };
/** A table that another host replaces while it is read is read again. */
const READS = 3;

export interface DeviceTools {
  /** Where the table comes from: the model's image, `tritkit tools set`, or nowhere. */
  readonly source: "none" | "image" | "set";
  /** null: the assistant has none. */
  readonly table: ToolTable | null;
  /** As it lies there; empty without one. */
  readonly bytes: Uint8Array;
  readonly crc: number;
  /** Calls are checked and told, and nothing is driven. */
  readonly dryRun: boolean;
  /** Flash has room for a table behind the model: another one can be set. */
  readonly canSet: boolean;
}

/** @throws TritkitError E_NOT_ASSISTANT, E_TOOLS_TABLE, E_PROTOCOL, and as Device.read */
export async function deviceTools(device: Device, signal?: AbortSignal): Promise<DeviceTools> {
  for (let turn = 1; turn <= READS; turn++) {
    const head = await readPiece(device, 0, signal);
    const bytes = new Uint8Array(head.len);
    let at = 0;
    let piece = head;
    while (piece.crc === head.crc && piece.len === head.len) {
      bytes.set(piece.d.subarray(0, head.len - at), at);
      at += piece.d.length;
      if (at >= head.len) return described(head, bytes);
      piece = await readPiece(device, at, signal);
      if (piece.d.length === 0) break;
    }
  }
  throw protocolError("The device's table of tools changes while it is read.");
}

interface Piece {
  readonly body: CborMap;
  readonly len: number;
  readonly crc: number;
  readonly d: Uint8Array;
}

async function readPiece(device: Device, from: number, signal?: AbortSignal): Promise<Piece> {
  const body = await device.read(TK_TOOLS, { from }, { signal });
  const { len, crc, d } = body;
  const isRight = typeof len === "number" && len >= 0 && len <= 0xffff && typeof crc === "number";
  if (!isRight || !(d instanceof Uint8Array)) throw protocolError("The device's table of tools is malformed.");
  return { body, len, crc, d };
}

function described({ body, crc }: Piece, bytes: Uint8Array): DeviceTools {
  const source = body.src === TOOLS_IMAGE ? "image" : body.src === TOOLS_SET ? "set" : "none";
  const table = bytes.length === 0 ? null : readTools(bytes);
  return { source, table, bytes, crc, dryRun: body.dry === true, canSet: body.keep === true };
}

/** Of the devices of this process: what they had when it was read last. */
const known = new WeakMap<Device, DeviceTools>();

/** The table with which the device answers, read again only when it is another one. @throws as deviceTools */
export async function currentTable(device: Device, signal?: AbortSignal): Promise<ToolTable> {
  const before = known.get(device);
  const same = before !== undefined && before.crc === (await readPiece(device, 0, signal)).crc;
  const now = same ? before : await deviceTools(device, signal);
  known.set(device, now);
  return now.table ?? NO_TOOLS;
}

/**
 * Another table for the assistant that runs, kept over resets until its model is replaced.
 * @param bytes as compileTools makes them
 * @throws TritkitError E_NOT_ASSISTANT, E_TOOLS_NO_ROOM, E_TOOLS_TABLE, E_BUSY
 */
export async function setDeviceTools(device: Device, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  let off = 0;
  for (;;) {
    throwIfAborted(signal);
    const d = bytes.subarray(off, off + TOOLS_PIECE);
    const reply = await device.write(TK_TOOLS, { off, len: bytes.length, d }, { ...FLASH_DEADLINE, signal });
    const next = Number(reply.off);
    if (reply.ok === true && next === bytes.length) break;
    if (!(next > off && next < bytes.length))
      throw protocolError(`The device wants byte ${next} of a table after ${off}.`);
    off = next;
  }
  await device.refresh(signal);
}

/** The image's own table is in use again. @throws as Device.write, E_NOT_ASSISTANT */
export async function clearDeviceTools(device: Device, signal?: AbortSignal): Promise<void> {
  await device.write(TK_TOOLS, { clear: true }, { ...FLASH_DEADLINE, signal });
  await device.refresh(signal);
}

/** Until reset, or another table; what was done in it is forgotten. @throws as Device.write, E_NOT_ASSISTANT */
export async function setDryRun(device: Device, on: boolean, signal?: AbortSignal): Promise<void> {
  await device.write(TK_TOOLS, { dry: on }, { signal });
}

export interface CallRequest {
  /** Its name, or an alias. */
  readonly tool: string;
  readonly verb: Verb;
  /** In the tool's unit: what `set` sets, by how much `up` and `down` go; or a word that is a value of the tool. */
  readonly value?: number | string;
  /** For how long. */
  readonly seconds?: number;
}

/**
 * Makes a call without the model, by the same rules. What becomes of it, a refusal included, is the result.
 * @throws TritkitError E_NO_TOOL, E_USAGE, E_NOT_ASSISTANT, and as Device.write
 */
export async function callTool(device: Device, request: CallRequest, signal?: AbortSignal): Promise<ToolCall> {
  const table = await currentTable(device, signal);
  const index = toolIndex(table, request.tool);
  if (request.value !== undefined && !TAKES_VALUE.includes(request.verb))
    throw new TritkitError("E_USAGE", `"${request.verb}" takes no value.`, "`set`, `up` and `down` do.", EXIT_USAGE);
  const value = amount(table.tools[index], request.value);
  const seconds = milliseconds(request.seconds);
  const doing: CborValue[] = [index, VERB_NAMES.indexOf(request.verb), value, seconds];
  const [call] = rawCalls(await device.write(TK_TOOLS, { do: doing }, { signal }));
  if (call === undefined) throw protocolError("The device did not say what became of the call.");
  return namedCall(call, table);
}

function toolIndex({ tools }: ToolTable, name: string): number {
  const phrase = normalised(name);
  const byName = tools.findIndex((tool) => normalised(tool.name) === phrase);
  const index = byName >= 0 ? byName : tools.findIndex(({ aliases }) => aliases.includes(phrase));
  if (index >= 0) return index;
  const names = tools.map((tool) => tool.name).join(", ");
  throw new TritkitError("E_NO_TOOL", `There is no tool "${name}".`, `There are: ${names || "none"}.`, EXIT_USAGE);
}

const TAKES_VALUE: readonly Verb[] = ["set", "up", "down"];

/** 0 on the wire is "for good": nobody who asks for a time means that. */
function milliseconds(seconds: number | undefined): number {
  if (seconds === undefined) return 0;
  const rounded = Math.round(seconds * 1000);
  if (rounded > 0 && rounded < 2 ** 31) return rounded;
  throw new TritkitError("E_USAGE", `A call cannot last ${seconds} s.`, "It takes 1 to 86400 seconds.", EXIT_USAGE);
}

/** Thousandths of the tool's unit. */
function amount({ name, values }: Tool, value: number | string | undefined): number | null {
  if (value === undefined) return null;
  const said = typeof value === "string" ? values.get(normalised(value)) : undefined;
  const thousandths = said ?? (value === "" ? Number.NaN : Math.round(Number(value) * 1000));
  if (Math.abs(thousandths) < 2 ** 31) return thousandths;
  const words = values.size === 0 ? "" : `, or ${[...values.keys()].join(", ")}`;
  throw new TritkitError("E_USAGE", `"${value}" is no value of ${name}.`, `It takes a number${words}.`, EXIT_USAGE);
}

/** `calls` of a reply: none when it has none. @throws TritkitError E_PROTOCOL */
export function rawCalls({ calls = [] }: CborMap): RawCall[] {
  if (!Array.isArray(calls)) throw protocolError("The device's calls are malformed.");
  return calls.map((call) => {
    if (!Array.isArray(call)) throw protocolError("The device's calls are malformed.");
    const [tool, verb, rc, value, margin, seconds] = call;
    const numbers = { tool, verb, rc, margin, seconds };
    const isRight = Object.values(numbers).every((each) => typeof each === "number" && Number.isInteger(each));
    if (!isRight || !(value === null || typeof value === "number"))
      throw protocolError("The device's calls are malformed.");
    return { ...(numbers as Record<keyof typeof numbers, number>), value };
  });
}

function protocolError(message: string): TritkitError {
  return new TritkitError("E_PROTOCOL", message, "Flash the firmware of this version of tritkit.", EXIT_REFUSED);
}
