/** The binary table of spec/TOOLS.md -> tools. Everything is checked before it is believed: a table may come from a device or an image of anybody's. */
import {
  DRIVE_ADC,
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
  TOOLS_MAX,
  TOOLS_MAX_BYTES,
  TOOLS_V1,
  VERB_DOWN,
  VERB_ON,
  VERB_UP,
  VERBS,
  WORD_ALIAS,
  WORD_CLASSES,
  WORD_VALUE,
} from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import { tableCrc } from "./crc.ts";
import { DRIVES, KINDS, UNITS, VERB_NAMES } from "./names.ts";
import { NAME_MAX, PHRASE_MAX } from "./parse.ts";
import type { Drive, Tool, ToolTable } from "./tool.ts";
import type { LanguageWord } from "./words.ts";

/** @throws TritkitError E_TOOLS_TABLE */
export function readTools(table: Uint8Array): ToolTable {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  if (table.length < TBL_HEADER_BYTES || view.getUint32(TBL_MAGIC, true) !== TOOLS_MAGIC)
    throw bad("is no table of tools");
  const version = view.getUint16(TBL_VERSION, true);
  if (version !== TOOLS_V1) throw bad(`has version ${version}, this tritkit reads ${TOOLS_V1}`);
  const bytes = view.getUint16(TBL_BYTES, true);
  if (bytes !== table.length || bytes > TOOLS_MAX_BYTES || bytes % 4 !== 0)
    throw bad(`says that it has ${bytes} bytes, and has ${table.length}`);
  const count = view.getUint8(TBL_TOOLS);
  const phrases = view.getUint16(TBL_PHRASES, true);
  const phrasesAt = TBL_HEADER_BYTES + count * TOOL_BYTES;
  const textsAt = phrasesAt + phrases * PHRASE_BYTES;
  if (count === 0 || count > TOOLS_MAX || textsAt > bytes)
    throw bad(`has no room for ${count} tools and ${phrases} phrases`);
  if (view.getUint32(TBL_CRC, true) !== tableCrc(table)) throw bad("is damaged: its CRC differs");

  const text = (at: number, length: number, most: number, what: string): string => {
    if (length === 0 || length > most || at < textsAt || at + length > bytes)
      throw bad(`has ${what} outside its texts`);
    return new TextDecoder().decode(table.subarray(at, at + length));
  };
  const tools = Array.from({ length: count }, (_, i) => readTool(view, TBL_HEADER_BYTES + i * TOOL_BYTES, i, text));
  const words: LanguageWord[] = [];
  let last = 0;
  for (let i = 0; i < phrases; i++) {
    const at = phrasesAt + i * PHRASE_BYTES;
    const [kind, tool] = [view.getUint8(at + PHRASE_CLASS), view.getUint8(at + PHRASE_TOOL)];
    const value = view.getInt32(at + PHRASE_VALUE, true);
    if (kind >= WORD_CLASSES || kind < last) throw bad(`has phrase ${i} in the class ${kind} behind ${last}`);
    last = kind;
    const phrase = text(
      view.getUint16(at + PHRASE_TEXT, true),
      view.getUint8(at + PHRASE_LEN),
      PHRASE_MAX,
      `phrase ${i}`,
    );
    if (tool !== TOOL_NOBODY && tool >= count) throw bad(`has phrase ${i} of tool ${tool} of ${count}`);
    if (kind === WORD_ALIAS) toolOf(tools, value, i).aliases.push(phrase);
    else if (kind === WORD_VALUE) toolOf(tools, tool, i).values.set(phrase, value);
    else words.push({ text: phrase, kind, value });
  }
  return { dryRun: (view.getUint8(TBL_FLAGS) & TBL_FLAG_DRY) !== 0, tools, words };
}

type OpenTool = Tool & { readonly aliases: string[]; readonly values: Map<string, number> };

function toolOf(tools: readonly OpenTool[], tool: number, phrase: number): OpenTool {
  if (tool < 0 || tool >= tools.length) throw bad(`has phrase ${phrase} of tool ${tool} of ${tools.length}`);
  return tools[tool];
}

function readTool(
  view: DataView,
  at: number,
  index: number,
  text: (at: number, length: number, most: number, what: string) => string,
): OpenTool {
  const byte = (field: number) => view.getUint8(at + field);
  const word = (field: number) => view.getInt32(at + field, true);
  const half = (field: number) => view.getUint16(at + field, true);
  const refuse = (what: string) => bad(`has tool ${index} with ${what}`);
  const name = text(half(TOOL_NAME), byte(TOOL_NAME_BYTES), NAME_MAX, `the name of tool ${index}`);
  const [kind, verbs, unit] = [byte(TOOL_KIND), byte(TOOL_VERBS), byte(TOOL_UNIT)];
  if (kind >= KINDS.length) throw refuse(`the kind ${kind}`);
  if (verbs >> VERBS !== 0) throw refuse(`the verbs ${verbs}`);
  if (unit >= UNITS.length) throw refuse(`the unit ${unit}`);
  const [min, max, step, on] = [word(TOOL_MIN), word(TOOL_TOP), word(TOOL_STEP), word(TOOL_ON_VALUE)];
  if (min > max) throw refuse(`min ${min} above max ${max}`);
  const has = (verb: number) => (verbs & (1 << verb)) !== 0;
  if (step < 0 || (step === 0 && (has(VERB_UP) || has(VERB_DOWN)))) throw refuse(`the step ${step}`);
  if (has(VERB_ON) && (on < min || on > max)) throw refuse(`the value ${on} for on, outside ${min}..${max}`);
  return {
    name,
    kind: KINDS[kind],
    description: "",
    aliases: [],
    verbs: VERB_NAMES.filter((_, verb) => has(verb)),
    unit: UNITS[unit] || null,
    ...{ min, max, step, on },
    values: new Map(),
    drive: readDrive(byte, half, refuse),
  };
}

function readDrive(
  byte: (field: number) => number,
  half: (field: number) => number,
  refuse: (what: string) => TritkitError,
): Drive {
  const [drive, pin, inverted] = [byte(TOOL_DRIVE), byte(TOOL_PIN), (byte(TOOL_FLAGS) & 1) !== 0];
  const raw = [half(TOOL_RAW_MIN), half(TOOL_RAW_MAX)] as const;
  if (drive === DRIVE_GPIO && (raw[0] > 1 || raw[1] > 1)) throw refuse(`the level ${Math.max(...raw)}`);
  if (drive === DRIVE_ADC && raw[0] === raw[1]) throw refuse(`the reading ${raw[0]} at min and at max`);
  const type = DRIVES[drive];
  switch (type) {
    case "none":
      return { type };
    case "gpio":
      // Levels that are the other way round are an inverted pin, too.
      return { type, pin, inverted: inverted !== raw[0] > raw[1] };
    case "pwm":
      return { type, pin, hz: half(TOOL_HZ), duty: raw, inverted };
    case "adc":
      return { type, channel: pin, raw };
    case "timer":
      return { type, pin: pin === TOOL_NOBODY ? null : pin };
    default:
      throw refuse(`the drive ${drive}`);
  }
}

function bad(what: string): TritkitError {
  return new TritkitError("E_TOOLS_TABLE", `The table of tools ${what}.`, "`tritkit tools set` puts another there.");
}
