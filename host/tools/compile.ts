/** Tools -> the binary table of spec/TOOLS.md. */
import {
  DRIVE_GPIO,
  PHRASE_BYTES,
  PHRASE_CLASS,
  PHRASE_LEN,
  PHRASE_TEXT,
  PHRASE_TOOL,
  PHRASE_VALUE,
  TBL_BYTES,
  TBL_CRC,
  TBL_FLAG_DRY,
  TBL_FLAGS,
  TBL_HEADER_BYTES,
  TBL_MAGIC,
  TBL_PHRASES,
  TBL_TOOLS,
  TBL_VERSION,
  TOOL_BYTES,
  TOOL_DRIVE,
  TOOL_FLAGS,
  TOOL_HZ,
  TOOL_KIND,
  TOOL_MIN,
  TOOL_NAME,
  TOOL_NAME_BYTES,
  TOOL_NOBODY,
  TOOL_ON_VALUE,
  TOOL_PIN,
  TOOL_RAW_MAX,
  TOOL_RAW_MIN,
  TOOL_STEP,
  TOOL_TOP,
  TOOL_UNIT,
  TOOL_VERBS,
  TOOLS_MAGIC,
  TOOLS_MAX_BYTES,
  TOOLS_V1,
  WORD_ALIAS,
  WORD_VALUE,
} from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import { tableCrc } from "./crc.ts";
import { DRIVES, KINDS, UNITS, VERB_NAMES } from "./names.ts";
import type { Drive, Tool, ToolTable } from "./tool.ts";

interface Phrase {
  readonly bytes: Buffer;
  readonly kind: number;
  readonly value: number;
  readonly tool: number;
}

/**
 * @param where for messages
 * @throws TritkitError E_TOOLS_TOO_LARGE
 */
export function compileTools(table: ToolTable, where = "The table"): Uint8Array {
  const phrases = phrasesOf(table);
  const texts = new Texts(TBL_HEADER_BYTES + TOOL_BYTES * table.tools.length + PHRASE_BYTES * phrases.length);
  const names = table.tools.map(({ name }) => texts.place(Buffer.from(name, "utf8")));
  const places = phrases.map(({ bytes }) => texts.place(bytes));
  const length = Math.ceil(texts.end / 4) * 4;
  if (length > TOOLS_MAX_BYTES) throw tooLarge(table, length, where);

  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint32(TBL_MAGIC, TOOLS_MAGIC, true);
  view.setUint16(TBL_VERSION, TOOLS_V1, true);
  view.setUint16(TBL_BYTES, length, true);
  view.setUint8(TBL_TOOLS, table.tools.length);
  view.setUint8(TBL_FLAGS, table.dryRun ? TBL_FLAG_DRY : 0);
  view.setUint16(TBL_PHRASES, phrases.length, true);
  for (const [i, tool] of table.tools.entries()) writeTool(view, TBL_HEADER_BYTES + i * TOOL_BYTES, tool, names[i]);
  const at = TBL_HEADER_BYTES + table.tools.length * TOOL_BYTES;
  for (const [i, phrase] of phrases.entries()) writePhrase(view, at + i * PHRASE_BYTES, phrase, places[i]);
  texts.writeTo(out);
  view.setUint32(TBL_CRC, tableCrc(out), true);
  return out;
}

/** In the order of the table: by class, the longest first, then by bytes, then by tool. */
function phrasesOf({ tools, words }: ToolTable): Phrase[] {
  const phrase = (text: string, kind: number, value: number, tool: number): Phrase => ({
    ...{ bytes: Buffer.from(text, "utf8"), kind, value, tool },
  });
  return [
    ...tools.flatMap(({ aliases }, tool) => aliases.map((text) => phrase(text, WORD_ALIAS, tool, tool))),
    ...tools.flatMap(({ values }, tool) => [...values].map(([text, value]) => phrase(text, WORD_VALUE, value, tool))),
    ...words.map(({ text, kind, value }) => phrase(text, kind, value, TOOL_NOBODY)),
  ].sort((a, b) => a.kind - b.kind || b.bytes.length - a.bytes.length || a.bytes.compare(b.bytes) || a.tool - b.tool);
}

/** Texts behind everything else; equal ones are there once. */
class Texts {
  end: number;
  readonly #places = new Map<string, number>();
  readonly #start: number;
  readonly #texts: Buffer[] = [];

  constructor(start: number) {
    this.#start = start;
    this.end = start;
  }

  place(text: Buffer): number {
    const key = text.toString("latin1");
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const at = this.end;
    this.#places.set(key, at);
    this.#texts.push(text);
    this.end += text.length;
    return at;
  }

  writeTo(out: Uint8Array): void {
    out.set(Buffer.concat(this.#texts), this.#start);
  }
}

function writeTool(view: DataView, at: number, tool: Tool, name: number): void {
  const { drive } = tool;
  view.setUint8(at + TOOL_KIND, KINDS.indexOf(tool.kind));
  view.setUint8(
    at + TOOL_VERBS,
    tool.verbs.reduce((bits, verb) => bits | (1 << VERB_NAMES.indexOf(verb)), 0),
  );
  view.setUint8(at + TOOL_DRIVE, DRIVES.indexOf(drive.type));
  view.setUint8(at + TOOL_PIN, pinOf(drive));
  view.setUint8(at + TOOL_FLAGS, "inverted" in drive && drive.inverted ? 1 : 0);
  view.setUint8(at + TOOL_UNIT, UNITS.indexOf(tool.unit ?? ""));
  view.setUint8(at + TOOL_NAME_BYTES, Buffer.byteLength(tool.name, "utf8"));
  view.setUint16(at + TOOL_NAME, name, true);
  view.setUint16(at + TOOL_HZ, drive.type === "pwm" ? drive.hz : 0, true);
  view.setInt32(at + TOOL_MIN, tool.min, true);
  view.setInt32(at + TOOL_TOP, tool.max, true);
  view.setInt32(at + TOOL_STEP, tool.step, true);
  view.setInt32(at + TOOL_ON_VALUE, tool.on, true);
  const [low, high] = rawOf(drive);
  view.setUint16(at + TOOL_RAW_MIN, low, true);
  view.setUint16(at + TOOL_RAW_MAX, high, true);
}

function pinOf(drive: Drive): number {
  switch (drive.type) {
    case "none":
      return 0;
    case "adc":
      return drive.channel;
    case "timer":
      return drive.pin ?? TOOL_NOBODY;
    default:
      return drive.pin;
  }
}

function rawOf(drive: Drive): readonly [number, number] {
  if (drive.type === "pwm") return drive.duty;
  if (drive.type === "adc") return drive.raw;
  return [0, DRIVES.indexOf(drive.type) === DRIVE_GPIO ? 1 : 0];
}

function writePhrase(view: DataView, at: number, { bytes, kind, value, tool }: Phrase, text: number): void {
  view.setUint16(at + PHRASE_TEXT, text, true);
  view.setUint8(at + PHRASE_LEN, bytes.length);
  view.setUint8(at + PHRASE_CLASS, kind);
  view.setInt32(at + PHRASE_VALUE, value, true);
  view.setUint8(at + PHRASE_TOOL, tool);
}

function tooLarge({ tools }: ToolTable, length: number, where: string): TritkitError {
  const sizes = tools.map(({ name, aliases, values }) => {
    const texts = [...aliases, ...values.keys()];
    const bytes = texts.reduce((sum, text) => sum + PHRASE_BYTES + Buffer.byteLength(text, "utf8"), TOOL_BYTES);
    return { bytes, name: `${name} (${bytes} bytes, ${texts.length} ${texts.length === 1 ? "phrase" : "phrases"})` };
  });
  const largest = sizes.sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  return new TritkitError(
    "E_TOOLS_TOO_LARGE",
    `${where} would make a table of ${length} bytes, a board takes ${TOOLS_MAX_BYTES}.`,
    `Leave out tools or aliases; the largest are ${largest.map(({ name }) => name).join(", ")}.`,
  );
}
