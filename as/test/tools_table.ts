/** Tables of tools (TOOLS.md, "Table") made by hand for tests: any field may be anything, the checksum is right. */
import { crc32 } from "node:zlib";
import * as T from "../../spec/tools.ts";

export interface ToolEntry {
  name: string;
  aliases?: string[];
  kind: number;
  verbs: number[];
  drive: number;
  pin?: number;
  inverted?: boolean;
  unit?: number;
  hz?: number;
  min?: number;
  max?: number;
  step?: number;
  on?: number;
  raw?: [min: number, max: number];
}

export const ON_OFF = [T.VERB_ON, T.VERB_OFF, T.VERB_GET];
export const ALL_VERBS = [T.VERB_ON, T.VERB_OFF, T.VERB_SET, T.VERB_UP, T.VERB_DOWN, T.VERB_GET];

const align4 = (n: number) => (n + 3) & ~3;

/** The table of these tools with their aliases. */
export function toolsTable(tools: ToolEntry[], dry = false): Buffer {
  const phrases = tools
    .flatMap(({ name, aliases }, tool) => (aliases ?? [name]).map((text) => ({ text, tool })))
    .sort((a, b) => b.text.length - a.text.length || (a.text < b.text ? -1 : 1));
  const texts = T.TBL_HEADER_BYTES + tools.length * T.TOOL_BYTES + phrases.length * T.PHRASE_BYTES;
  const words = [...tools.map(({ name }) => name), ...phrases.map(({ text }) => text)];
  const table = Buffer.alloc(align4(texts + words.reduce((sum, text) => sum + text.length, 0)));
  let end = texts;
  const put = (text: string) => {
    table.write(text, end, "latin1");
    end += text.length;
    return end - text.length;
  };
  table.writeUInt32LE(T.TOOLS_MAGIC, T.TBL_MAGIC);
  table.writeUInt16LE(T.TOOLS_V1, T.TBL_VERSION);
  table.writeUInt16LE(table.length, T.TBL_BYTES);
  table.writeUInt8(tools.length, T.TBL_TOOLS);
  table.writeUInt8(dry ? T.TBL_FLAG_DRY : 0, T.TBL_FLAGS);
  table.writeUInt16LE(phrases.length, T.TBL_PHRASES);
  for (const [i, tool] of tools.entries()) {
    const at = T.TBL_HEADER_BYTES + i * T.TOOL_BYTES;
    table.writeUInt8(tool.kind, at + T.TOOL_KIND);
    table.writeUInt8(
      tool.verbs.reduce((bits, verb) => bits | (1 << verb), 0),
      at + T.TOOL_VERBS,
    );
    table.writeUInt8(tool.drive, at + T.TOOL_DRIVE);
    table.writeUInt8(tool.pin ?? 0, at + T.TOOL_PIN);
    table.writeUInt8(tool.inverted ? 1 : 0, at + T.TOOL_FLAGS);
    table.writeUInt8(tool.unit ?? T.UNIT_NONE, at + T.TOOL_UNIT);
    table.writeUInt8(tool.name.length, at + T.TOOL_NAME_BYTES);
    table.writeUInt16LE(put(tool.name), at + T.TOOL_NAME);
    table.writeUInt16LE(tool.hz ?? 0, at + T.TOOL_HZ);
    table.writeInt32LE(tool.min ?? 0, at + T.TOOL_MIN);
    table.writeInt32LE(tool.max ?? 1000, at + T.TOOL_TOP);
    table.writeInt32LE(tool.step ?? 1000, at + T.TOOL_STEP);
    table.writeInt32LE(tool.on ?? tool.max ?? 1000, at + T.TOOL_ON_VALUE);
    table.writeUInt16LE(tool.raw?.[0] ?? 0, at + T.TOOL_RAW_MIN);
    table.writeUInt16LE(tool.raw?.[1] ?? 1, at + T.TOOL_RAW_MAX);
  }
  for (const [i, { text, tool }] of phrases.entries()) {
    const at = T.TBL_HEADER_BYTES + tools.length * T.TOOL_BYTES + i * T.PHRASE_BYTES;
    table.writeUInt16LE(put(text), at + T.PHRASE_TEXT);
    table.writeUInt8(text.length, at + T.PHRASE_LEN);
    table.writeUInt8(T.WORD_ALIAS, at + T.PHRASE_CLASS);
    table.writeInt32LE(tool, at + T.PHRASE_VALUE);
    table.writeUInt8(255, at + T.PHRASE_TOOL);
  }
  table.writeUInt32LE(crc32(table), T.TBL_CRC);
  return table;
}

/** A desk with one tool of each drive. */
export const DESK: ToolEntry[] = [
  {
    name: "lamp",
    aliases: ["lamp", "desk lamp"],
    kind: T.TOOL_LIGHT,
    verbs: ALL_VERBS,
    drive: T.DRIVE_PWM,
    pin: 15,
    unit: T.UNIT_PERCENT,
    hz: 1000,
    max: 100000,
    step: 20000,
    raw: [0, 65535],
  },
  { name: "pump", kind: T.TOOL_SWITCH, verbs: ON_OFF, drive: T.DRIVE_GPIO, pin: 14 },
  {
    name: "temperature",
    kind: T.TOOL_TEMPERATURE,
    verbs: [T.VERB_GET],
    drive: T.DRIVE_ADC,
    pin: 0,
    unit: T.UNIT_CELSIUS,
    min: -40000,
    max: 125000,
    raw: [0, 65535],
  },
  {
    name: "timer",
    kind: T.TOOL_TIMER,
    verbs: [T.VERB_SET, T.VERB_OFF, T.VERB_UP, T.VERB_DOWN, T.VERB_GET],
    drive: T.DRIVE_TIMER,
    pin: 13,
    unit: T.UNIT_SECONDS,
    min: 1000,
    max: 86400000,
    step: 60000,
  },
  {
    name: "fan",
    kind: T.TOOL_FAN,
    verbs: ALL_VERBS,
    drive: T.DRIVE_PWM,
    pin: 16,
    inverted: true,
    unit: T.UNIT_PERCENT,
    hz: 25000,
    max: 100000,
    step: 25000,
    on: 50000,
    raw: [13107, 65535],
  },
];
