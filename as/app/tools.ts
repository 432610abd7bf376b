/**
 * Acts on calls (spec/TOOLS.md, "A call"): what a verb leads to, assistant/tools.ts knows; here pins are driven, sensors read, and what has a time is ended.
 *
 *     call -> tool_check -> drive -> tool_changed
 *                             \-> Timed: left ms -> the value from before, or the pin of a timer: high for a second
 */
import {
  CALL_CANNOT,
  CALL_DONE,
  CALL_DRY,
  CALL_FAILED,
  CALL_NO_TOOL,
  DRIVE_ADC,
  DRIVE_GPIO,
  DRIVE_NONE,
  DRIVE_PWM,
  DRIVE_TIMER,
  TOOL_DRIVE,
  TOOL_EVERY,
  TOOL_HZ,
  TOOL_MIN,
  TOOL_PIN,
  TOOLS_MAX,
  VERB_DOWN,
  VERB_GET,
  VERB_OFF,
} from "../../spec/tools.ts";
import {
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_rc,
  call_result,
  call_tool,
  call_verb,
  calls_count,
} from "../assistant/calls.ts";
import { table_is_dry, tool_at, tools_count } from "../assistant/table.ts";
import {
  tool_became,
  tool_changed,
  tool_check,
  tool_goal,
  tool_is_meant_by_all,
  tool_measured,
  tool_raw,
  tool_value,
  tools_recall,
  tools_remember,
} from "../assistant/tools.ts";
import { adc_read, gpio_write, pwm_write, ticks } from "../hal.ts";

/** How long a timer's pin is high, and the number of the pin that none is. */
const PULSE_MS: u32 = 1000;
const NO_PIN: u32 = 255;
const US_PER_MS: u32 = 1000;

/** What happens when the time is over. */
const NOTHING: u8 = 0;
const BACK: u8 = 1; // the value from before comes back
const RING: u8 = 2; // a timer's pin becomes high
const END_PULSE: u8 = 3; // and low again

@unmanaged
class Timed {
  left: u32; // ms
  back: i32;
  then: u8;
}

@unmanaged
class Acts {
  /** Tools with a time, and ticks up to which their times were counted. */
  running: u32;
  counted: u32;
  dry: u32;
}

const acts = changetype<Acts>(memory.data(offsetof<Acts>()));
const timed: usize = memory.data(TOOLS_MAX * offsetof<Timed>(), 4);

@inline
function time_of(i: u32): Timed {
  return changetype<Timed>(timed + <usize>i * offsetof<Timed>());
}

/** A table was opened, or none is. */
export function tools_begin(): void {
  acts.dry = u32(table_is_dry());
  tools_remember();
}

/** The table goes, which must still be there: nothing stays on that nobody could turn off any more. */
export function tools_end(): void {
  tools_set_dry(false);
  end_times();
  for (let i: u32 = 0; i < tools_count(); i++) {
    const low = load<i32>(tool_at(i), TOOL_MIN);
    if (tool_value(i) > low && drive(i, low)) tool_became(i, low);
  }
}

export function tools_dry(): bool {
  return acts.dry != 0;
}

/** A dry run begins or ends. What it did is forgotten: tools have the values that they had before, which their pins still have. */
export function tools_set_dry(dry: bool): void {
  if (dry == tools_dry()) return;
  end_times();
  if (dry) tools_remember();
  else tools_recall();
  acts.dry = u32(dry);
}

/** What has a time ends now. */
function end_times(): void {
  for (let i: u32 = 0; i < tools_count(); i++) {
    const t = time_of(i);
    if (t.then == RING) stop(t);
    else if (t.then != NOTHING) due(i);
  }
}

/** Makes the calls of the answer that are complete and were not made yet. */
export function tools_act(): void {
  for (let i: u32 = 0; i < calls_count(); i++) {
    if (call_rc(i) != CALL_DONE || call_has_value(i)) continue;
    const tool = call_tool(i);
    const rc = tools_call(tool, call_verb(i), call_has_argument(i), call_argument(i), call_lasts(i));
    call_result(i, rc, tool < tools_count() ? tool_value(tool) : 0);
  }
}

/**
 * Makes a call; afterwards tool_value() is the result.
 * @param tool its index, or TOOL_EVERY: all that have the verb and a drive of GPIO or PWM
 * @param has,amount,lasts as tool_check() takes them
 * @returns CALL_*; of all of them the worst
 */
export function tools_call(tool: u32, verb: u32, has: bool, amount: i32, lasts: i32): u32 {
  tools_step();
  if (tool != TOOL_EVERY) return one(tool, verb, has, amount, lasts);
  let worst = -1;
  for (let i: u32 = 0; i < tools_count(); i++) {
    if (tool_is_meant_by_all(i, verb)) worst = max<i32>(worst, one(i, verb, has, amount, lasts));
  }
  return worst < 0 ? CALL_NO_TOOL : worst;
}

function one(i: u32, verb: u32, has: bool, amount: i32, lasts: i32): u32 {
  if (i >= tools_count()) return CALL_NO_TOOL;
  const type = <u32>load<u8>(tool_at(i), TOOL_DRIVE);
  const t = time_of(i);
  if (type == DRIVE_TIMER) tool_became(i, t.then == RING ? t.left : 0);
  const rc = tool_check(i, verb, has, amount, lasts);
  if (rc != CALL_DONE) return rc;
  const before = tool_value(i);
  let value = tool_goal();
  if (verb == VERB_GET) {
    if (type == DRIVE_ADC && acts.dry == 0) {
      const raw = adc_read(load<u8>(tool_at(i), TOOL_PIN));
      if (raw < 0) return CALL_FAILED;
      value = tool_measured(i, raw);
    }
  } else {
    if (type == DRIVE_ADC) return CALL_CANNOT;
    if (type == DRIVE_TIMER) {
      if (t.then == END_PULSE) due(i);
      if (verb == VERB_OFF || (verb == VERB_DOWN && t.then != RING)) value = 0;
    } else if (!drive(i, value)) return CALL_FAILED;
    // Of two calls with a time, one in the time of the other, the value from before both comes back.
    const back = t.then == BACK ? t.back : before;
    stop(t);
    if (type == DRIVE_TIMER) start(t, RING, value, 0);
    else start(t, BACK, lasts, back);
  }
  tool_changed(i, value);
  return acts.dry != 0 ? CALL_DRY : CALL_DONE;
}

/** Whether a pin is that of a tool. */
export function tools_drive(pin: u32): bool {
  for (let i: u32 = 0; i < tools_count(); i++) {
    const type = <u32>load<u8>(tool_at(i), TOOL_DRIVE);
    if (<u32>load<u8>(tool_at(i), TOOL_PIN) == pin && type != DRIVE_NONE && type != DRIVE_ADC) return true;
  }
  return false;
}

/** Puts a value on the pin of tool i, but in a dry run; false when the HAL lacks it. */
function drive(i: u32, value: i32): bool {
  if (acts.dry != 0) return true;
  const tool = tool_at(i);
  const type = <u32>load<u8>(tool, TOOL_DRIVE);
  const pin = <i32>load<u8>(tool, TOOL_PIN);
  if (type == DRIVE_GPIO) return gpio_write(pin, tool_raw(i, value)) == 0;
  if (type == DRIVE_PWM) return pwm_write(pin, tool_raw(i, value), load<u16>(tool, TOOL_HZ)) == 0;
  return true;
}

function stop(t: Timed): void {
  acts.running -= u32(t.then != NOTHING);
  t.then = NOTHING;
}

/** Of a Timed that is stopped. Nothing when there is no time. */
function start(t: Timed, then: u8, ms: i32, back: i32): void {
  if (ms <= 0) return;
  if (acts.running++ == 0) acts.counted = ticks();
  t.left = ms;
  t.back = back;
  t.then = then;
}

/** Counts the time that passed; whether anything was due. */
export function tools_step(): bool {
  if (acts.running == 0) return false;
  const ms = (ticks() - acts.counted) / US_PER_MS;
  acts.counted += ms * US_PER_MS;
  let was_due = false;
  for (let i: u32 = 0; i < tools_count(); i++) {
    const t = time_of(i);
    if (t.then == NOTHING) continue;
    if (t.left > ms) {
      t.left -= ms;
      continue;
    }
    due(i);
    was_due = true;
  }
  return was_due;
}

/** Whether something has its time: poll must not sleep for long. */
export function tools_wait(): bool {
  return acts.running != 0;
}

/** The time of tool i is over. */
function due(i: u32): void {
  const t = time_of(i);
  const then = t.then;
  const pin = <u32>load<u8>(tool_at(i), TOOL_PIN);
  stop(t);
  if (then == BACK) {
    if (drive(i, t.back)) tool_became(i, t.back);
  } else if (pin != NO_PIN && acts.dry == 0) {
    gpio_write(pin, i32(then == RING));
    if (then == RING) start(t, END_PULSE, PULSE_MS, 0);
  }
}
