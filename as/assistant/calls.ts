/**
 * The calls of an answer: what the model said, with the user's numbers in it, and what became of it (spec/TOOLS.md, "A call"). A call joins the list as soon as its
 * last token is known, in the midst of an answer; whoever acts (as/app) makes it then, or when the answer is done, in the order of the list:
 *
 *     for (; i < calls_count(); i++) {
 *       if (call_rc(i) != CALL_DONE) continue;           it is not to be made: the reason stands there
 *       for each tool that it means (call_tool(i), or with TOOL_EVERY all of which tool_is_meant_by_all()):
 *         rc = tool_check(tool, call_verb(i), call_has_argument(i), call_argument(i), call_lasts(i))
 *         CALL_DONE: drive tool_goal(), or do not (dry run), then tool_changed(tool, the value that it has now)
 *       call_result(i, rc, value)
 *     }
 *
 * Calls that the model was unsure of wait (CALL_UNSURE) until the next turn: when its answer is `confirm` they are its calls.
 */
import { CALL_DONE, CALL_DRY, CALLS_MAX } from "../../spec/tools.ts";

@unmanaged
class Call {
  verb: u8;
  /** TOK_* of the tool and of the slot (0: none), as the model said them. */
  target: u8;
  slot: u8;
  /** Index of the tool, TOOL_EVERY or TOOL_NOBODY. */
  tool: u8;
  /** CALL_*: why it cannot be made, whatever the model's margin; CALL_DONE. */
  checked: u8;
  /** CALL_*: as told. */
  rc: u8;
  has_argument: bool;
  has_value: bool;
  argument: i32;
  value: i32;
  lasts: i32;
  margin: u32;
}

@unmanaged
class Calls {
  /** Calls of this answer. */
  n: u32;
  /** Calls of the answer before, until this one says its first token: they lie where this answer's will. */
  before: u32;
}

@lazy
const list: usize = memory.data(CALLS_MAX * offsetof<Call>(), 4);
const calls = changetype<Calls>(memory.data(offsetof<Calls>(), 8));

@inline
function at(i: u32): Call {
  return changetype<Call>(list + <usize>i * offsetof<Call>());
}

/** Calls of this answer so far. */
export function calls_count(): u32 {
  return calls.n;
}

/** Tool of call i: its index, TOOL_EVERY, or TOOL_NOBODY (rc CALL_NO_TOOL). */
export function call_tool(i: u32): u32 {
  return at(i).tool;
}

/** VERB_* of call i. */
export function call_verb(i: u32): u32 {
  return at(i).verb;
}

/** CALL_* of call i. CALL_DONE of one without a result (call_has_value): it is to be made. */
export function call_rc(i: u32): u32 {
  return at(i).rc;
}

/** What was said with it, in thousandths of the tool's unit: the value of `set`, the amount of `up` and `down`; 0 without call_has_argument(). */
export function call_argument(i: u32): i32 {
  return at(i).argument;
}

export function call_has_argument(i: u32): bool {
  return at(i).has_argument;
}

/** For how long, in thousandths of a second; 0: until the next call. */
export function call_lasts(i: u32): i32 {
  return at(i).lasts;
}

/** The value after the call, or what was measured, where call_has_value(). */
export function call_value(i: u32): i32 {
  return at(i).value;
}

export function call_has_value(i: u32): bool {
  return at(i).has_value;
}

/** Distance of the model's choice from the next best one, logits with 16 fraction bits. */
export function call_margin(i: u32): u32 {
  return at(i).margin;
}

/** Call i was made, or could not be: `value` counts when it was (CALL_DONE, CALL_DRY). */
export function call_result(i: u32, rc: u32, value: i32): void {
  const call = at(i);
  call.rc = <u8>rc;
  call.value = value;
  call.has_value = rc == CALL_DONE || rc == CALL_DRY;
}

/** There are no calls, and none waits. */
export function calls_reset(): void {
  calls.n = 0;
  calls.before = 0;
}
