/** What an assistant did, for the wire (spec/WIRE.md, `calls`). */
import { CALL_DONE, CALL_DRY, DRIVE_ADC, TOOL_DRIVE } from "../../spec/tools.ts";
import { call_lasts, call_margin, call_rc, call_tool, call_value, call_verb, calls_count } from "../assistant/calls.ts";
import { tool_at, tools_count } from "../assistant/table.ts";
import { put_array, put_int, put_key, put_null, put_uint } from "../wire/cbor_write.ts";
import { K_CALLS } from "../wire/keys.ts";

/** The calls of the answer. */
export function put_calls(): void {
  put_key(K_CALLS);
  put_array(calls_count());
  for (let i: u32 = 0; i < calls_count(); i++)
    put_call(call_tool(i), call_verb(i), call_rc(i), call_value(i), call_margin(i), call_lasts(i));
}

export function put_call(tool: u32, verb: u32, rc: u32, value: i32, margin: u32, lasts: i32): void {
  put_array(6);
  put_uint(tool);
  put_uint(verb);
  put_uint(rc);
  if (has_value(tool, rc)) put_int(value);
  else put_null();
  put_uint(margin);
  put_int(lasts);
}

/** One tool has one, when it was called; a sensor does not in a dry run. */
function has_value(tool: u32, rc: u32): bool {
  if (tool >= tools_count()) return false;
  return rc == CALL_DONE || (rc == CALL_DRY && load<u8>(tool_at(tool), TOOL_DRIVE) != DRIVE_ADC);
}
