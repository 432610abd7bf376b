/** What an assistant did, for the wire (spec/WIRE.md, `calls`). */
import { CALL_DONE, CALL_DRY, CALL_RANGE, CALL_UNSURE, DRIVE_ADC, TOOL_DRIVE } from "../../spec/tools.ts";
import {
  call_argument,
  call_has_argument,
  call_has_value,
  call_lasts,
  call_margin,
  call_rc,
  call_tool,
  call_value,
  call_verb,
  calls_count,
} from "../assistant/calls.ts";
import { tool_at, tools_count } from "../assistant/table.ts";
import { put_array, put_int, put_key, put_null, put_uint } from "../wire/cbor_write.ts";
import { K_CALLS } from "../wire/keys.ts";

/** The calls of the answer. */
export function put_calls(): void {
  put_key(K_CALLS);
  put_array(calls_count());
  for (let i: u32 = 0; i < calls_count(); i++) {
    // Of one that was not made what it asked for: whoever tells of it, or asks back, needs the number.
    const value = call_has_value(i) ? call_value(i) : call_argument(i);
    put_call(call_tool(i), call_verb(i), call_rc(i), call_has_argument(i), value, call_margin(i), call_lasts(i));
  }
}

/** @param asks whether a call that was not made asked for `value` */
export function put_call(tool: u32, verb: u32, rc: u32, asks: bool, value: i32, margin: u32, lasts: i32): void {
  put_array(6);
  put_uint(tool);
  put_uint(verb);
  put_uint(rc);
  if (has_value(tool, rc, asks)) put_int(value);
  else put_null();
  put_uint(margin);
  put_int(lasts);
}

/** One tool has one, when it was called; a sensor does not in a dry run. */
function has_value(tool: u32, rc: u32, asks: bool): bool {
  if (tool >= tools_count()) return false;
  if (asks && (rc == CALL_RANGE || rc == CALL_UNSURE)) return true;
  return rc == CALL_DONE || (rc == CALL_DRY && load<u8>(tool_at(tool), TOOL_DRIVE) != DRIVE_ADC);
}
