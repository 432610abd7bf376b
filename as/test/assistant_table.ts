/** Tables of tools for tests: those of spec/vectors/tools.json, and random ones made here from TOOLS.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as T from "../../spec/tools.ts";
import type { Random } from "./random.ts";

/** Names of the special tokens, in the order of their numbers. */
export const SPECIALS = [
  ..."call none decline ask say user board confirm on off set up down get verb6 verb7".split(" "),
  ...["", "2"].flatMap((n) =>
    "light fan heater cooler switch cover lock volume timer temperature humidity luminance sensor robot maker alarm"
      .split(" ")
      .map((kind) => kind + n),
  ),
  ...[..."npdtw"].flatMap((c) => [`${c}1`, `${c}2`, `${c}3`]),
  "all",
];

export interface WordsCase {
  text: string;
  items: string[];
  slots: [slot: string, value: number | string][];
  tools: [token: string, tool: string][];
}

export interface TableVector {
  tools: { name: string; tools: { name: string }[] };
  binary: string;
  cases: WordsCase[];
}

export function tableVectors(): TableVector[] {
  return JSON.parse(readFileSync(join(ROOT, "spec/vectors/tools.json"), "utf8"));
}

/** The table again with a right CRC-32. */
export function sealed(table: Uint8Array): Uint8Array {
  const copy = table.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(T.TBL_CRC, 0, true);
  view.setUint32(T.TBL_CRC, crc32(copy) >>> 0, true);
  return copy;
}

export interface Tool {
  kind: number;
  verbs: number;
  drive: number;
  pin: number;
  flags: number;
  unit: number;
  min: number;
  max: number;
  step: number;
  on: number;
  rawMin: number;
  rawMax: number;
}

export interface Phrase {
  text: string;
  cls: number;
  value: number;
  tool: number;
}

/** The table of these tools and phrases, as TOOLS.md lays it out. */
export function assemble(tools: Tool[], phrases: Phrase[], flags = 0): Uint8Array {
  const texts = T.TBL_HEADER_BYTES + tools.length * T.TOOL_BYTES + phrases.length * T.PHRASE_BYTES;
  const bytes: number[] = [];
  const text = (value: string) => {
    const at = texts + bytes.length;
    bytes.push(...Buffer.from(value));
    return at;
  };
  const head = new DataView(new ArrayBuffer(texts));
  tools.forEach((tool, i) => {
    const at = T.TBL_HEADER_BYTES + i * T.TOOL_BYTES;
    head.setUint8(at + T.TOOL_KIND, tool.kind);
    head.setUint8(at + T.TOOL_VERBS, tool.verbs);
    head.setUint8(at + T.TOOL_DRIVE, tool.drive);
    head.setUint8(at + T.TOOL_PIN, tool.pin);
    head.setUint8(at + T.TOOL_FLAGS, tool.flags);
    head.setUint8(at + T.TOOL_UNIT, tool.unit);
    head.setUint8(at + T.TOOL_NAME_BYTES, 2);
    head.setUint16(at + T.TOOL_NAME, text(`t${String.fromCharCode(97 + i)}`), true);
    head.setUint16(at + T.TOOL_HZ, 1000, true);
    head.setInt32(at + T.TOOL_MIN, tool.min, true);
    head.setInt32(at + T.TOOL_TOP, tool.max, true);
    head.setInt32(at + T.TOOL_STEP, tool.step, true);
    head.setInt32(at + T.TOOL_ON_VALUE, tool.on, true);
    head.setUint16(at + T.TOOL_RAW_MIN, tool.rawMin, true);
    head.setUint16(at + T.TOOL_RAW_MAX, tool.rawMax, true);
  });
  const sorted = [...phrases].sort(
    (a, b) =>
      a.cls - b.cls ||
      Buffer.byteLength(b.text) - Buffer.byteLength(a.text) ||
      Buffer.compare(Buffer.from(a.text), Buffer.from(b.text)) ||
      a.tool - b.tool,
  );
  sorted.forEach((phrase, i) => {
    const at = T.TBL_HEADER_BYTES + tools.length * T.TOOL_BYTES + i * T.PHRASE_BYTES;
    head.setUint16(at + T.PHRASE_TEXT, text(phrase.text), true);
    head.setUint8(at + T.PHRASE_LEN, Buffer.byteLength(phrase.text));
    head.setUint8(at + T.PHRASE_CLASS, phrase.cls);
    head.setInt32(at + T.PHRASE_VALUE, phrase.value, true);
    head.setUint8(at + T.PHRASE_TOOL, phrase.tool);
  });
  const table = new Uint8Array(Math.ceil((texts + bytes.length) / 4) * 4);
  table.set(new Uint8Array(head.buffer));
  table.set(bytes, texts);
  const view = new DataView(table.buffer);
  view.setUint32(T.TBL_MAGIC, T.TOOLS_MAGIC, true);
  view.setUint16(T.TBL_VERSION, T.TOOLS_V1, true);
  view.setUint16(T.TBL_BYTES, table.length, true);
  view.setUint8(T.TBL_TOOLS, tools.length);
  view.setUint8(T.TBL_FLAGS, flags);
  view.setUint16(T.TBL_PHRASES, phrases.length, true);
  return sealed(table);
}

/** A sound table: any tools, and phrases of few letters, so that they meet in few letters of text. */
export function randomTable(random: Random): Uint8Array {
  const any32 = () => random.pick([0, 1, -1, 2 ** 31 - 1, -(2 ** 31), random.between(-200000, 200000)]);
  const tools = Array.from({ length: random.between(1, T.TOOLS_MAX) }, (): Tool => {
    const drive = random.between(T.DRIVE_NONE, T.DRIVE_TIMER);
    const [min, max] = [any32(), any32()].sort((a, b) => a - b);
    const raw = drive === T.DRIVE_GPIO ? 1 : 65535;
    const rawMin = random.between(0, raw);
    return {
      kind: random.between(0, T.KINDS - 1),
      verbs: random.between(0, 63),
      drive,
      pin: random.between(0, 255),
      flags: random.between(0, 1),
      unit: random.between(0, T.UNIT_SECONDS),
      min,
      max,
      step: random.pick([1, 2 ** 31 - 1, random.between(1, 5000)]),
      on: random.pick([min, max]),
      rawMin,
      rawMax: drive === T.DRIVE_ADC && rawMin === raw ? 0 : drive === T.DRIVE_ADC ? raw : random.between(0, raw),
    };
  });
  const word = () => Array.from({ length: random.between(1, 3) }, () => random.pick([..."abcs5%"])).join("");
  const phrases = Array.from({ length: random.between(0, 120) }, (): Phrase => {
    const cls = random.between(0, T.WORD_CLASSES - 1);
    const tool = random.between(0, tools.length - 1);
    return {
      text: random.between(0, 2) === 0 ? `${word()} ${word()}` : word(),
      cls,
      value: cls === T.WORD_ALIAS ? tool : random.pick([any32(), 1000, 5000, 60]),
      tool: cls <= T.WORD_VALUE ? tool : T.TOOL_NOBODY,
    };
  });
  return assemble(tools, phrases, random.between(0, 1));
}
