/**
 * What the runtime knows of each tool beside its entry in the table: the value that it has. Nothing is driven here; who drives (as/app) asks for the value that a
 * verb leads to, drives it, and says that it was done.
 *
 *     tool_check(tool, verb, ...) -> CALL_DONE, tool_goal()     tool_raw(tool, value) -> the pin     tool_changed(tool, value)
 *
 * Values are thousandths of the unit of the tool's argument.
 */
import {
  CALL_CANNOT,
  CALL_DONE,
  CALL_NO_TOOL,
  CALL_RANGE,
  DRIVE_GPIO,
  DRIVE_PWM,
  KINDS,
  TOOL_DRIVE,
  TOOL_FLAGS,
  TOOL_MIN,
  TOOL_NOBODY,
  TOOL_ON_VALUE,
  TOOL_RAW_MAX,
  TOOL_RAW_MIN,
  TOOL_STEP,
  TOOL_TOP,
  TOOL_VERBS,
  TOOLS_MAX,
  VERB_DOWN,
  VERB_OFF,
  VERB_ON,
  VERB_SET,
  VERB_UP,
  VERBS,
} from "../../spec/tools.ts";
import { kind_of, tool_at, tools_count } from "./table.ts";

/** Of a tool's flags. */
const INVERTED: u32 = 1;
/** Longest pulse of PWM: all of the period. */
const DUTY_MAX: u32 = 65535;
/** How long a value may last that comes with a time: 1 s to 24 h. */
const LAST_MIN: i32 = 1000;
const LAST_MAX: i32 = 86400000;

/** i32[TOOLS_MAX]: the value of each tool; behind them the last one above min: what `on` leads to. */
const STATE_BYTES: usize = TOOLS_MAX * 8;
@lazy
const values: usize = memory.data(TOOLS_MAX * 8, 4);
/** The same as tools_remember() found them. */
@lazy
const remembered: usize = memory.data(TOOLS_MAX * 8, 4);
/** u8[KINDS]: the tool of the kind that was called last, TOOL_NOBODY: none. */
@lazy
const last_called: usize = memory.data(KINDS, 4);
/** i32: where the verb that was checked last leads to. */
@lazy
const goal: usize = memory.data(4, 4);

@inline
function value_at(i: u32): usize {
  return values + ((<usize>i) << 2);
}

@inline
function on_value_at(i: u32): usize {
  return values + TOOLS_MAX * 4 + ((<usize>i) << 2);
}

/** The tools of the table are as after a reset: off, nothing called. */
export function tools_reset(): void {
  memory.fill(last_called, <u8>TOOL_NOBODY, KINDS);
  for (let i: u32 = 0; i < tools_count(); i++) {
    const tool = tool_at(i);
    store<i32>(value_at(i), load<i32>(tool, TOOL_MIN));
    store<i32>(on_value_at(i), load<i32>(tool, TOOL_ON_VALUE));
  }
}

/** Values are to be as now again, after a dry run. */
export function tools_remember(): void {
  memory.copy(remembered, values, STATE_BYTES);
}

export function tools_recall(): void {
  memory.copy(values, remembered, STATE_BYTES);
}

/** The value that a tool has. */
export function tool_value(i: u32): i32 {
  return load<i32>(value_at(i));
}

/** Tool i has this value now, and is the one of its kind that was called last. */
export function tool_changed(i: u32, value: i32): void {
  tool_became(i, value);
  if (value > load<i32>(tool_at(i), TOOL_MIN)) store<i32>(on_value_at(i), value);
  store<u8>(last_called + <usize>kind_of(i), i);
}

/** Tool of this kind that was called last, else the first one in the table, else TOOL_NOBODY. */
export function tool_of_kind(kind: u32): u32 {
  const last = <u32>load<u8>(last_called + <usize>kind);
  if (last != TOOL_NOBODY) return last;
  for (let i: u32 = 0; i < tools_count(); i++) if (kind_of(i) == kind) return i;
  return TOOL_NOBODY;
}

/** A tool's value changed by itself: a timer ran. It was not called. */
export function tool_became(i: u32, value: i32): void {
  store<i32>(value_at(i), value);
}

/** Whether a tool (or none) has a verb. */
export function tool_has(i: u32, verb: u32): bool {
  return i < tools_count() && ((<u32>load<u8>(tool_at(i), TOOL_VERBS) >> verb) & 1) != 0;
}

/**
 * Whether a verb can be done with a tool, and where it leads: tool_goal().
 * @param has whether there is an amount: the value of `set`, by how much of `up` and `down`
 * @param amount in thousandths of the tool's unit
 * @param lasts for how long, in thousandths of a second; 0: until the next call
 * @returns CALL_DONE, or CALL_NO_TOOL (no such tool), CALL_CANNOT (no such verb, or what it needs is missing), CALL_RANGE
 */
export function tool_check(i: u32, verb: u32, has: bool, amount: i32, lasts: i32): u32 {
  if (i >= tools_count()) return CALL_NO_TOOL;
  const tool = tool_at(i);
  if (verb >= <u32>VERBS || !tool_has(i, verb)) return CALL_CANNOT;
  const low = load<i32>(tool, TOOL_MIN);
  const high = load<i32>(tool, TOOL_TOP);
  let value = <i64>tool_value(i);
  if (verb == VERB_SET) {
    if (!has) return CALL_CANNOT;
    if (amount < low || amount > high) return CALL_RANGE;
    value = amount;
  } else if (verb == VERB_UP || verb == VERB_DOWN) {
    if (!has) amount = load<i32>(tool, TOOL_STEP);
    if (amount < 0) return CALL_RANGE;
    value += verb == VERB_UP ? <i64>amount : -(<i64>amount);
    value = max<i64>(low, min<i64>(high, value));
  } else if (verb == VERB_ON) value = load<i32>(on_value_at(i));
  else if (verb == VERB_OFF) value = low;
  if (lasts != 0 && (lasts < LAST_MIN || lasts > LAST_MAX)) return CALL_RANGE;
  store<i32>(goal, <i32>value);
  return CALL_DONE;
}

/** The value that tool_check() found, within min..max. */
export function tool_goal(): i32 {
  return load<i32>(goal);
}

/** Whether `all` means tool i with this verb: it has the verb and a drive of GPIO or PWM. */
export function tool_is_meant_by_all(i: u32, verb: u32): bool {
  const drive = <i32>load<u8>(tool_at(i), TOOL_DRIVE);
  return tool_has(i, verb) && (drive == DRIVE_GPIO || drive == DRIVE_PWM);
}

/** What a value becomes at the drive of tool i, DRIVE_GPIO (a level) or DRIVE_PWM (a duty of 0..65535). */
export function tool_raw(i: u32, value: i32): u32 {
  const tool = tool_at(i);
  const low = load<i32>(tool, TOOL_MIN);
  const raw_low = <i64>load<u16>(tool, TOOL_RAW_MIN);
  const raw_high = <i64>load<u16>(tool, TOOL_RAW_MAX);
  const is_level = load<u8>(tool, TOOL_DRIVE) == DRIVE_GPIO;
  let raw = value > low ? raw_high : raw_low;
  if (!is_level && value > low) {
    raw = raw_low + div_down((raw_high - raw_low) * (<i64>value - low), <i64>load<i32>(tool, TOOL_TOP) - low);
  }
  if ((load<u8>(tool, TOOL_FLAGS) & INVERTED) == 0) return <u32>raw;
  return is_level ? <u32>raw ^ 1 : DUTY_MAX - <u32>raw;
}

/** What the ADC of tool i measured, as a value. */
export function tool_measured(i: u32, raw: u32): i32 {
  const tool = tool_at(i);
  const low = <i64>load<i32>(tool, TOOL_MIN);
  const high = <i64>load<i32>(tool, TOOL_TOP);
  const raw_low = <i64>load<u16>(tool, TOOL_RAW_MIN);
  const range = <i64>load<u16>(tool, TOOL_RAW_MAX) - raw_low;
  const over = <i64>raw - raw_low;
  const value = low + (range > 0 ? div_down((high - low) * over, range) : div_down((low - high) * over, -range));
  return <i32>max(low, min(high, value));
}

/** a / b rounded down, b > 0. As unsigned numbers: a device has no other use for the signed division of 64 bits. */
export function div_down(a: i64, b: i64): i64 {
  return a < 0 ? -(<i64>(<u64>(b - 1 - a) / <u64>b)) : <i64>(<u64>a / <u64>b);
}
