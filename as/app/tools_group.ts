/**
 * The table of tools that is in use, and the command `tools` (spec/WIRE.md, TRITKIT 8).
 *
 *     running_open -> tools_open: the table that was set, else the image's
 *     pieces -> intake -> checked -> flash -> in use
 */
import { CALL_DONE, CALL_DRY, TBL_BYTES, TBL_CRC, TBL_HEADER_BYTES, TOOLS_MAX_BYTES, VERBS } from "../../spec/tools.ts";
import {
  OP_READ,
  RC_UNKNOWN,
  TK_RC_BAD_ARGUMENT,
  TK_RC_BAD_STATE,
  TK_RC_BUSY,
  TK_RC_CORRUPT,
  TK_RC_NO_ROOM,
  TOOLS_IMAGE,
  TOOLS_NONE,
  TOOLS_PIECE,
  TOOLS_SET,
} from "../../spec/wire.ts";
import { assistant_open, is_assistant } from "../assistant/assistant.ts";
import { table_is_sound, tool_at, tools_count } from "../assistant/table.ts";
import { tool_value } from "../assistant/tools.ts";
import { gen_forget } from "../generate.ts";
import { run } from "../memory/run_state.ts";
import { tools_keep, tools_kept, tools_kept_bytes, tools_room } from "../store/tools_store.ts";
import { fields_wrong, has, want_bool, want_bytes, want_item, want_len, want_uint } from "../wire/cbor_read.ts";
import { put_array, put_bool, put_bytes, put_key, put_uint } from "../wire/cbor_write.ts";
import {
  F_CLEAR,
  F_D,
  F_DO,
  F_DRY,
  F_FROM,
  F_LEN,
  F_OFF,
  K_CALLS,
  K_CRC,
  K_D,
  K_DRY,
  K_FROM,
  K_KEEP,
  K_LEN,
  K_OFF,
  K_OK,
  K_SRC,
} from "../wire/keys.ts";
import { put_call } from "./calls_report.ts";
import { generation_free } from "./generation.ts";
import { INTAKE_TABLE, intake_at, intake_is, intake_take } from "./intake.ts";
import { ANSWERED, reply_error } from "./reply.ts";
import { tools_begin, tools_call, tools_dry, tools_end, tools_set_dry } from "./tools.ts";

/** Item of `do` that is not there: no tool's range is worth its loss. */
const NO_ITEM: i32 = i32.MIN_VALUE;

@unmanaged
class Source {
  slot: u32; // of the image that runs
  image: usize; // its own table, 0: none
  image_bytes: u32;
  src: u32; // TOOLS_*
  // a table that comes in pieces
  len: u32;
  off: u32;
  done: u32; // 1: it is in use
  rc: u32; // why it is not
}

const source = changetype<Source>(memory.data(offsetof<Source>()));

/** A model was opened from a slot, its image's table with it: one that was set counts instead. */
export function tools_open(slot: u32): void {
  const s = source;
  memory.fill(changetype<usize>(s), 0, offsetof<Source>());
  s.slot = slot;
  s.image = table_at();
  s.image_bytes = table_bytes();
  use_table(is_assistant() ? tools_kept(slot) : 0);
}

/** Uses the table that was set and lies at `set`; 0, or one that is damaged: the image's. */
function use_table(set: usize): void {
  const s = source;
  if (set != 0 && (set & 3) == 0 && table_is_sound(set, tools_kept_bytes())) {
    assistant_open(set, tools_kept_bytes());
    s.src = TOOLS_SET;
  } else {
    assistant_open(s.image, s.image_bytes);
    s.src = s.image != 0 ? TOOLS_IMAGE : TOOLS_NONE;
  }
  gen_forget();
  tools_begin();
}

/** The table in use, 0 without one. */
function table_at(): usize {
  return tools_count() != 0 ? tool_at(0) - TBL_HEADER_BYTES : 0;
}

function table_bytes(): u32 {
  return tools_count() != 0 ? <u32>load<u16>(table_at(), TBL_BYTES) : 0;
}

/** Tools of the assistant that runs, -1 when none does. */
export function tools_of_assistant(): i32 {
  return run.context != 0 && is_assistant() ? tools_count() : -1;
}

/** The request. */
export function tools_request(op: u32): i32 {
  if (tools_of_assistant() < 0) return reply_error(TK_RC_BAD_STATE);
  if (op == OP_READ) return read_table();
  if (has(F_DO)) return call();
  if (has(F_D)) return write_piece();
  if (has(F_CLEAR)) return clear();
  const dry = want_bool(F_DRY, false);
  if (fields_wrong() || !has(F_DRY)) return reply_error(TK_RC_BAD_ARGUMENT);
  tools_set_dry(dry);
  put_key(K_DRY);
  put_bool(dry);
  return ANSWERED;
}

function read_table(): i32 {
  const from = want_uint(F_FROM, 0);
  const table = table_at();
  const len = table_bytes();
  if (fields_wrong() || from > len) return reply_error(TK_RC_BAD_ARGUMENT);
  put_key(K_SRC);
  put_uint(source.src);
  put_key(K_LEN);
  put_uint(len);
  put_key(K_CRC);
  put_uint(table != 0 ? load<u32>(table, TBL_CRC) : 0);
  put_key(K_FROM);
  put_uint(from);
  put_key(K_D);
  put_bytes(table + from, min<u32>(TOOLS_PIECE, len - from));
  put_key(K_DRY);
  put_bool(tools_dry());
  put_key(K_KEEP);
  put_bool(tools_room(source.slot));
  return ANSWERED;
}

/** A call without the model. */
function call(): i32 {
  const tool: u32 = want_item(F_DO, 0, -1);
  const verb: u32 = want_item(F_DO, 1, -1);
  const amount = want_item(F_DO, 2, NO_ITEM);
  const lasts = want_item(F_DO, 3, 0);
  if (fields_wrong() || tool > <u32>u8.MAX_VALUE || verb >= <u32>VERBS) return reply_error(TK_RC_BAD_ARGUMENT);
  const is_there = amount != NO_ITEM;
  const rc = tools_call(tool, verb, is_there, is_there ? amount : 0, lasts);
  put_key(K_CALLS);
  put_array(1);
  const was_made = rc == CALL_DONE || rc == CALL_DRY;
  const value = was_made && tool < tools_count() ? tool_value(tool) : amount;
  put_call(tool, verb, rc, is_there, value, 0, lasts);
  return ANSWERED;
}

/** A piece of another table. */
function write_piece(): i32 {
  const s = source;
  const off = want_uint(F_OFF, 0);
  const piece = want_bytes(F_D);
  const n = want_len(F_D);
  const at = intake_at();
  if (!intake_is(INTAKE_TABLE)) s.len = 0;
  const len = want_uint(F_LEN, 0);
  if (fields_wrong() || len == 0 || n > <u32>TOOLS_PIECE || off > len || n > len - off)
    return reply_error(TK_RC_BAD_ARGUMENT);
  if (off == 0 && (len != s.len || n > s.off || s.rc != 0 || memory.compare(at, piece, n) != 0)) {
    if (len > <u32>TOOLS_MAX_BYTES || !tools_room(s.slot)) return reply_error(TK_RC_NO_ROOM);
    if (!generation_free()) return reply_error(TK_RC_BUSY);
    intake_take(INTAKE_TABLE);
    s.len = len;
    s.off = 0;
    s.done = 0;
    s.rc = 0;
  }
  if (s.len == 0) s.off = 0;
  else if (len != s.len) return reply_error(TK_RC_BAD_ARGUMENT);
  else if (off == s.off && s.done == 0) {
    memory.copy(at + off, piece, n);
    s.off += n;
    if (s.off == len) {
      s.rc = set(at, len);
      s.done = 1;
    }
  }
  if (s.len != 0 && s.rc != 0) return reply_error(s.rc);
  put_key(K_OFF);
  put_uint(s.off);
  if (s.len != 0 && s.done != 0) {
    put_key(K_OK);
    put_bool(true);
  }
  return ANSWERED;
}

/** Checks, keeps and uses a table; returns 0 or why not: then everything is as it was. */
function set(table: usize, len: u32): u32 {
  if (!table_is_sound(table, len)) return TK_RC_CORRUPT;
  if (!tools_keep(source.slot, table, len)) return RC_UNKNOWN;
  tools_end();
  use_table(tools_kept(source.slot));
  return 0;
}

/** Takes the table back that was set. */
function clear(): i32 {
  const wanted = want_bool(F_CLEAR, false);
  if (fields_wrong() || !wanted) return reply_error(TK_RC_BAD_ARGUMENT);
  if (!generation_free()) return reply_error(TK_RC_BUSY);
  source.len = 0;
  if (source.src != TOOLS_SET) return ANSWERED;
  if (!tools_keep(source.slot, intake_at(), 0)) return reply_error(RC_UNKNOWN);
  tools_end();
  use_table(0);
  return ANSWERED;
}
