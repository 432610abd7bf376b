/** Group 0, OS: what any SMP client may ask. */
import {
  MTU,
  OP_READ,
  OP_WRITE,
  OS_ECHO,
  OS_INFO,
  OS_PARAMS,
  OS_RESET,
  RC_BAD_ARGUMENT,
  RC_NOT_SUPPORTED,
} from "../../spec/wire.ts";
import { fields_wrong, want_len, want_text } from "../wire/cbor_read.ts";
import { put_key, put_key9, put_more, put_raw, put_text, put_text_head, put_uint } from "../wire/cbor_write.ts";
import { F_D, K_BUF_COUN, K_BUF_SIZE, K_OUTPUT, K_R } from "../wire/keys.ts";
import { board_name, name_bytes } from "./names.ts";
import { ANSWERED, reply_rc } from "./reply.ts";
import { window } from "./tritkit_group.ts";
import { TRITKIT_BYTES, VERSION_BYTES, WORD_TRITKIT, WORD_VERSION } from "./version.ts";

const SPACE: u64 = 0x20;
const T: u32 = 0x74; // the ninth letter of buf_count

@unmanaged
class Os {
  /** 1: reset when the answer has left. */
  reset: u32;
}

const os = changetype<Os>(memory.data(offsetof<Os>()));

export function os_request(command: u32, op: u32): i32 {
  if (command == OS_ECHO && op == OP_WRITE) return echo();
  if (command == OS_PARAMS && op == OP_READ) return params();
  if (command == OS_INFO && op == OP_READ) return info();
  if (command != OS_RESET || op != OP_WRITE) return reply_rc(RC_NOT_SUPPORTED);
  os.reset = 1;
  return ANSWERED;
}

export function os_reset_wanted(): bool {
  return os.reset != 0;
}

function echo(): i32 {
  const text = want_text(F_D);
  if (fields_wrong()) return reply_rc(RC_BAD_ARGUMENT);
  put_key(K_R);
  put_text(text, want_len(F_D));
  return ANSWERED;
}

function params(): i32 {
  put_key(K_BUF_SIZE);
  put_uint(MTU);
  put_key9(K_BUF_COUN, T);
  put_uint(window());
  return ANSWERED;
}

/** The same whatever `format` asks for: "tritkit 0.1.0 rp2040-pico". */
function info(): i32 {
  const name = board_name();
  put_key(K_OUTPUT);
  put_text_head(TRITKIT_BYTES + 1 + VERSION_BYTES + 1 + name_bytes(name));
  put_more(WORD_TRITKIT);
  put_more(SPACE);
  put_more(WORD_VERSION);
  put_more(SPACE);
  put_raw(name, name_bytes(name));
  return ANSWERED;
}
