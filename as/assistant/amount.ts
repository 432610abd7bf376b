/** A slot of this turn as the argument of a call: what the user said, in thousandths of the tool's unit (spec/TOOLS.md, "A call"). */
import {
  CALL_DONE,
  CALL_RANGE,
  CALL_UNIT,
  SLOT_DEGREES,
  SLOT_PERCENT,
  SLOT_TIME,
  SLOT_TOKENS,
  SLOT_WORD,
  TOOL_MIN,
  TOOL_TOP,
  TOOL_UNIT,
  UNIT_CELSIUS,
  UNIT_PERCENT,
  UNIT_SECONDS,
  VERB_SET,
} from "../../spec/tools.ts";
import { tool_at } from "./table.ts";
import { div_down } from "./tools.ts";
import { slot_fahrenheit, slot_value, word_value } from "./words.ts";

/** 100 %, in thousandths. */
const ALL: i64 = 100000;
/** 32 F as a difference, in thousandths of a degree Celsius. */
const FAHRENHEIT_ZERO: i64 = 17778;

/** i32: the amount that was converted last. */
@lazy
const converted: usize = memory.data(4, 4);

/**
 * Converts slot TOK_SLOT + slot for a tool.
 * @returns CALL_DONE: amount() is it; CALL_UNIT; CALL_RANGE: too large to be one
 */
export function convert(slot: u32, tool: u32, verb: u32): u32 {
  const cls = slot / SLOT_TOKENS;
  const t = tool_at(tool);
  const unit = <i32>load<u8>(t, TOOL_UNIT);
  let value = <i64>slot_value(slot);
  if (cls == SLOT_WORD) {
    const at = word_value(slot, tool);
    if (at == 0) return CALL_UNIT;
    value = load<i32>(at);
  } else if (cls == SLOT_PERCENT && unit != UNIT_PERCENT) {
    const low = <i64>load<i32>(t, TOOL_MIN);
    value = div_down((<i64>load<i32>(t, TOOL_TOP) - low) * value, ALL);
    if (verb == VERB_SET) value += low;
  } else if (verb != VERB_SET && slot_fahrenheit(slot)) value += FAHRENHEIT_ZERO;
  if (cls == SLOT_DEGREES && unit != UNIT_CELSIUS) return CALL_UNIT;
  if (cls == SLOT_TIME && unit != UNIT_SECONDS) return CALL_UNIT;
  if (value != <i64>(<i32>value)) return CALL_RANGE;
  store<i32>(converted, <i32>value);
  return CALL_DONE;
}

/** What convert() found. */
export function amount(): i32 {
  return load<i32>(converted);
}
