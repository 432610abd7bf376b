/** Group 10, enumeration: which groups there are. */
import {
  ENUM_COUNT,
  ENUM_DETAILS,
  ENUM_LIST,
  ENUM_SINGLE,
  GROUP_ENUM,
  GROUP_IMAGE,
  GROUP_OS,
  GROUP_TRITKIT,
  OP_READ,
  RC_BAD_ARGUMENT,
  RC_NOT_SUPPORTED,
} from "../../spec/wire.ts";
import { fields_wrong, want_uint } from "../wire/cbor_read.ts";
import { put_array, put_bool, put_key, put_map, put_uint, put_word, put_word9 } from "../wire/cbor_write.ts";
import { F_INDEX, K_COUNT, K_END, K_GROUP, K_GROUPS, K_HANDLERS, K_NAME } from "../wire/keys.ts";
import { ANSWERED, reply_rc } from "./reply.ts";
import { WORD_TRITKIT } from "./version.ts";

const GROUPS: u32 = 4;
// Zephyr's names of the standard groups.
const WORD_OS_MGMT: u64 = 0x00746d676d20736f; // os mgmt
const WORD_IMG_MGMT: u64 = 0x746d676d20676d69; // img mgmt
const WORD_ENUM_MGM: u64 = 0x6d676d206d756e65; // enum mgm
const T: u32 = 0x74;

export function enum_request(command: u32, op: u32): i32 {
  if (op != OP_READ) return reply_rc(RC_NOT_SUPPORTED);
  if (command == ENUM_COUNT) return count();
  if (command == ENUM_LIST) return list();
  if (command == ENUM_SINGLE) return single();
  if (command == ENUM_DETAILS) return details();
  return reply_rc(RC_NOT_SUPPORTED);
}

function group(i: u32): u32 {
  return i == 0 ? GROUP_OS : i == 1 ? GROUP_IMAGE : i == 2 ? GROUP_ENUM : GROUP_TRITKIT;
}

/** Commands of a group. */
function handlers(i: u32): u32 {
  return i == 0 ? 4 : i == 1 ? 3 : i == 2 ? 4 : 9;
}

function count(): i32 {
  put_key(K_COUNT);
  put_uint(GROUPS);
  return ANSWERED;
}

function list(): i32 {
  put_key(K_GROUPS);
  put_array(GROUPS);
  for (let i: u32 = 0; i < GROUPS; i++) put_uint(group(i));
  return ANSWERED;
}

function single(): i32 {
  const i = want_uint(F_INDEX, 0);
  if (fields_wrong() || i >= GROUPS) return reply_rc(RC_BAD_ARGUMENT);
  put_key(K_GROUP);
  put_uint(group(i));
  if (i == GROUPS - 1) {
    put_key(K_END);
    put_bool(true);
  }
  return ANSWERED;
}

function details(): i32 {
  put_key(K_GROUPS);
  put_array(GROUPS);
  for (let i: u32 = 0; i < GROUPS; i++) {
    put_map(3);
    put_word(K_GROUP);
    put_uint(group(i));
    put_word(K_NAME);
    if (i == 2) put_word9(WORD_ENUM_MGM, T);
    else put_word(i == 0 ? WORD_OS_MGMT : i == 1 ? WORD_IMG_MGMT : WORD_TRITKIT);
    put_word(K_HANDLERS);
    put_uint(handlers(i));
  }
  return ANSWERED;
}
