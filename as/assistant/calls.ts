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
import {
  CALL_CANNOT,
  CALL_DONE,
  CALL_DRY,
  CALL_NO_TOOL,
  CALL_RANGE,
  CALL_UNSURE,
  CALLS_MAX,
  KINDS,
  TOK_ALL,
  TOK_KIND,
  TOK_SLOT,
  TOOL_EVERY,
  TOOL_NOBODY,
  VERB_OFF,
  VERB_ON,
} from "../../spec/tools.ts";
import { amount, convert } from "./amount.ts";
import { tool_check, tool_has, tool_of_kind } from "./tools.ts";
import { mentioned, slot_value } from "./words.ts";

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

/** TOK_* of call i, as the model said them: tool and slot (0: none). */
export function call_target(i: u32): u32 {
  return at(i).target;
}

export function call_slot(i: u32): u32 {
  return at(i).slot;
}

/** Whether one of this answer's calls waits for a confirmation. */
export function calls_unsure(): bool {
  return any_unsure(calls.n);
}

/** Whether one of the answer before does, until this one says its first token. */
export function calls_waiting(): bool {
  return any_unsure(calls.before);
}

function any_unsure(n: u32): bool {
  for (let i: u32 = 0; i < n; i++) if (at(i).rc == CALL_UNSURE) return true;
  return false;
}

/** An answer begins. */
export function calls_begin(keep: bool): void {
  calls.before = keep ? calls.n : 0;
  calls.n = 0;
}

/** The answer said its first token: calls that wait become its own, or are forgotten. */
export function calls_confirm(confirmed: bool): void {
  const before = calls.before;
  calls.before = 0;
  for (let i: u32 = 0; confirmed && i < before; i++) {
    if (at(i).rc != CALL_UNSURE) continue;
    const call = at(calls.n++);
    memory.copy(changetype<usize>(call), changetype<usize>(at(i)), offsetof<Call>());
    call.rc = call.checked;
  }
}

/**
 * The model said a call; there are less than CALLS_MAX.
 * @param verb VERB_*
 * @param target TOK_* of the tool
 * @param slot TOK_* of the slot, 0: none; of `on` and `off` a time
 * @param gate margin below which it waits, unless there is no such tool
 */
export function calls_add(verb: u32, target: u32, slot: u32, margin: u32, gate: u32): void {
  const call = at(calls.n++);
  memory.fill(changetype<usize>(call), 0, offsetof<Call>());
  const tool = target == TOK_ALL ? TOOL_EVERY : meant(target - TOK_KIND);
  let rc: u32 = tool == TOOL_NOBODY ? CALL_NO_TOOL : CALL_DONE;
  if (slot != 0) {
    if (verb == VERB_ON || verb == VERB_OFF) {
      call.lasts = slot_value(slot - TOK_SLOT);
      if (call.lasts == 0 && rc == CALL_DONE) rc = CALL_RANGE;
    } else if (rc == CALL_DONE) {
      rc = tool_has(tool, verb) ? convert(slot - TOK_SLOT, tool, verb) : CALL_CANNOT;
      call.has_argument = rc == CALL_DONE;
      if (call.has_argument) call.argument = amount();
    }
  }
  if (rc == CALL_DONE && tool != TOOL_EVERY) {
    rc = tool_check(tool, verb, call.has_argument, call.argument, call.lasts);
  }
  call.verb = <u8>verb;
  call.target = <u8>target;
  call.slot = <u8>slot;
  call.tool = <u8>tool;
  call.checked = <u8>rc;
  call.rc = <u8>(margin < gate && rc != CALL_NO_TOOL ? CALL_UNSURE : rc); // to confirm what no tool can do is no use
  call.margin = margin;
}

/** The tool that TOK_KIND + k means; one of a kind that is not mentioned is the one that was called last, or the first. */
function meant(k: u32): u32 {
  const tool = mentioned(k);
  return tool == TOOL_NOBODY && k < <u32>KINDS ? tool_of_kind(k) : tool;
}
