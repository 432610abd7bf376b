/**
 * The table of tools (spec/TOOLS.md, "Table"), read where it lies: in the image, in a sector of flash, in the host's memory. Everything in it is checked
 * once, before it is followed; whoever keeps a table in place sees to it that its bytes stay.
 *
 *     | header 16 | tools, 32 each | phrases, 12 each, ascending by class | texts | zeros to a multiple of 4 |
 */
import {
  DRIVE_ADC,
  DRIVE_GPIO,
  DRIVE_TIMER,
  KINDS,
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
  TOOL_KIND,
  TOOL_MIN,
  TOOL_NAME,
  TOOL_NAME_BYTES,
  TOOL_ON_VALUE,
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
  UNIT_SECONDS,
  VERB_DOWN,
  VERB_ON,
  VERB_UP,
  VERBS,
  WORD_ALIAS,
  WORD_CLASSES,
  WORD_VALUE,
} from "../../spec/tools.ts";
import { crc32_on } from "../store/crc32.ts";

/** Longest name of a tool and longest phrase. */
const NAME_MAX: u32 = 32;
const PHRASE_MAX: u32 = 48;
const NO_TOOL: u32 = 255;

@unmanaged
class Table {
  /** Address of the header; 0: there is none. */
  base: usize;
  tools: u32;
  /** Address of the phrases, and of what follows them. */
  phrases: usize;
  texts: usize;
}

const table = changetype<Table>(memory.data(offsetof<Table>(), 8));

/**
 * Takes the table at `at`; at 0: none.
 * @param at on a multiple of 4
 * @returns false when it is damaged: then there is none
 */
export function table_open(at: usize, bytes: u32): bool {
  memory.fill(changetype<usize>(table), 0, offsetof<Table>());
  if (at == 0) return true;
  if (!table_is_sound(at, bytes)) return false;
  table.base = at;
  table.tools = load<u8>(at, TBL_TOOLS);
  table.phrases = at + TBL_HEADER_BYTES + <usize>table.tools * TOOL_BYTES;
  table.texts = table.phrases + <usize>load<u16>(at, TBL_PHRASES) * PHRASE_BYTES;
  return true;
}

/** Whether `bytes` bytes at `at` (on a multiple of 4) are a table that a reader may follow: spec/TOOLS.md, "A reader refuses". The table in use stays. */
export function table_is_sound(at: usize, bytes: u32): bool {
  if (bytes < <u32>TBL_HEADER_BYTES || bytes > <u32>TOOLS_MAX_BYTES || (bytes & 3) != 0) return false;
  if (load<u32>(at, TBL_MAGIC) != TOOLS_MAGIC || load<u16>(at, TBL_VERSION) != TOOLS_V1) return false;
  const tools = <u32>load<u8>(at, TBL_TOOLS);
  const phrases = <u32>load<u16>(at, TBL_PHRASES);
  const texts = <u32>TBL_HEADER_BYTES + tools * TOOL_BYTES + phrases * PHRASE_BYTES;
  if (load<u16>(at, TBL_BYTES) != bytes || tools - 1 >= <u32>TOOLS_MAX || texts > bytes) return false;
  if (crc_of(at, bytes) != load<u32>(at, TBL_CRC)) return false;

  let p = at + TBL_HEADER_BYTES;
  for (let i: u32 = 0; i < tools; i++) {
    if (!is_tool(p) || !is_text(load<u16>(p, TOOL_NAME), load<u8>(p, TOOL_NAME_BYTES), NAME_MAX, texts, bytes)) {
      return false;
    }
    p += TOOL_BYTES;
  }
  let last: u32 = 0;
  for (let i: u32 = 0; i < phrases; i++) {
    const cls = <u32>load<u8>(p, PHRASE_CLASS);
    const tool = <u32>load<u8>(p, PHRASE_TOOL);
    if (cls < last || cls >= <u32>WORD_CLASSES) return false;
    if (tool >= tools && (tool != NO_TOOL || cls == WORD_VALUE)) return false;
    if (cls == WORD_ALIAS && load<u32>(p, PHRASE_VALUE) >= tools) return false;
    if (!is_text(load<u16>(p, PHRASE_TEXT), load<u8>(p, PHRASE_LEN), PHRASE_MAX, texts, bytes)) return false;
    last = cls;
    p += PHRASE_BYTES;
  }
  return true;
}

/** CRC-32 of the table with zeros in place of its own. */
function crc_of(at: usize, bytes: u32): u32 {
  const head = crc32_on(crc32_on(0, at, TBL_CRC), zeros, 4);
  return crc32_on(head, at + TBL_HEADER_BYTES, bytes - TBL_HEADER_BYTES);
}

/** u32: 0 */
@lazy
const zeros: usize = memory.data(4, 4);

function is_text(offset: u32, bytes: u32, most: u32, from: u32, end: u32): bool {
  return bytes - 1 < most && offset >= from && offset + bytes <= end;
}

function is_tool(t: usize): bool {
  const verbs = <u32>load<u8>(t, TOOL_VERBS);
  const drive = <u32>load<u8>(t, TOOL_DRIVE);
  const low = load<i32>(t, TOOL_MIN);
  const high = load<i32>(t, TOOL_TOP);
  const step = load<i32>(t, TOOL_STEP);
  const first = load<i32>(t, TOOL_ON_VALUE);
  const raw_low = <u32>load<u16>(t, TOOL_RAW_MIN);
  const raw_high = <u32>load<u16>(t, TOOL_RAW_MAX);
  if (<i32>load<u8>(t, TOOL_KIND) >= KINDS || verbs >> VERBS != 0 || drive > <u32>DRIVE_TIMER) return false;
  if (<i32>load<u8>(t, TOOL_UNIT) > UNIT_SECONDS || low > high || step < 0) return false;
  if (step == 0 && (verbs & ((1 << VERB_UP) | (1 << VERB_DOWN))) != 0) return false;
  if ((verbs & (1 << VERB_ON)) != 0 && (first < low || first > high)) return false;
  if (drive == DRIVE_GPIO && (raw_low | raw_high) > 1) return false;
  return drive != DRIVE_ADC || raw_low != raw_high;
}

/** Tools of the table; 0: there is none. */
export function tools_count(): u32 {
  return table.tools;
}

/** Whether the table asks for a dry run. */
export function table_is_dry(): bool {
  return table.base != 0 && (load<u8>(table.base, TBL_FLAGS) & TBL_FLAG_DRY) != 0;
}

/** Address of tool i < tools_count(): TOOL_* of spec/tools.ts are offsets from it. */
export function tool_at(i: u32): usize {
  return table.base + TBL_HEADER_BYTES + <usize>i * TOOL_BYTES;
}

/** Kind of tool i. */
@inline
export function kind_of(i: u32): u32 {
  return load<u8>(tool_at(i), TOOL_KIND);
}

/** Address of the first phrase, and the one behind the last. */
@inline
export function phrases_begin(): usize {
  return table.phrases;
}

@inline
export function phrases_end(): usize {
  return table.texts;
}

/** Address of a phrase's text. */
@inline
export function phrase_text(phrase: usize): usize {
  return table.base + <usize>load<u16>(phrase, PHRASE_TEXT);
}
