/**
 * The answer to the request under way: version, group, command and seq come from the request, the map from whoever handles
 * it. An answer that has to wait is put aside under a name and taken up again.
 */
import {
  GROUP_IMAGE,
  IMG_RC_ADDRESS,
  IMG_RC_BAD_ARGUMENT,
  IMG_RC_BAD_STATE,
  IMG_RC_CORRUPT,
  IMG_RC_NO_ENTRY,
  IMG_RC_TOO_LARGE,
  MTU,
  OP_READ,
  OP_READ_RSP,
  OP_WRITE_RSP,
  RC_BAD_ARGUMENT,
  RC_BAD_STATE,
  RC_CORRUPT,
  RC_NO_ENTRY,
  RC_TOO_LARGE,
  RC_UNKNOWN,
  SMP_HEADER_BYTES,
  SMP_V1,
} from "../../spec/wire.ts";
import { cbor_begin, cbor_end, put_key, put_map, put_uint, put_word } from "../wire/cbor_write.ts";
import { tx_message } from "../wire/frame.ts";
import { K_ERR, K_GROUP, K_RC } from "../wire/keys.ts";
import { smp_command, smp_group, smp_op, smp_seq, smp_version, smp_write_header } from "../wire/smp.ts";

/** An answer stands in the transmit buffer. */
export const ANSWERED: i32 = 0;
/** The answer comes later; nothing stands in the transmit buffer. */
export const LATER: i32 = 1;

@unmanaged
class Reply {
  version: u32;
  op: u32;
  group: u32;
  seq: u32;
  command: u32;
}

const REPLY_BYTES: usize = 20;
const reply = changetype<Reply>(memory.data(20));

/** Places for answers that wait. */
export const WAIT_NEXT: u32 = 0;
export const WAIT_UPLOAD: u32 = 1;
const waiting: usize = memory.data(40);

/** Begins the answer to a request. */
export function reply_begin(request: usize): void {
  reply.version = smp_version(request);
  reply.op = smp_op(request) == OP_READ ? OP_READ_RSP : OP_WRITE_RSP;
  reply.group = smp_group(request);
  reply.seq = smp_seq(request);
  reply.command = smp_command(request);
  map_begin();
}

function map_begin(): void {
  cbor_begin(tx_message() + SMP_HEADER_BYTES, tx_message() + MTU);
}

/** Ends the answer; returns the bytes of the message. */
export function reply_end(): u32 {
  let length = cbor_end();
  if (length == 0) {
    reply_rc(RC_TOO_LARGE);
    length = cbor_end();
  }
  const r = reply;
  smp_write_header(tx_message(), r.version, r.op, length, r.group, r.seq, r.command);
  return SMP_HEADER_BYTES + length;
}

/** Puts the answer aside. */
export function reply_later(place: u32): i32 {
  memory.copy(waiting + <usize>place * REPLY_BYTES, changetype<usize>(reply), REPLY_BYTES);
  return LATER;
}

/** Takes up an answer that was put aside. */
export function reply_resume(place: u32): void {
  memory.copy(changetype<usize>(reply), waiting + <usize>place * REPLY_BYTES, REPLY_BYTES);
  map_begin();
}

/** Makes the answer an error of SMP itself: {rc} in both versions. */
export function reply_rc(rc: u32): i32 {
  map_begin();
  put_key(K_RC);
  put_uint(rc);
  return ANSWERED;
}

/** Makes the answer an error of the group: {err: {group, rc}}, in version 1 {rc}. Further keys may follow. */
export function reply_error(rc: u32): i32 {
  if (reply.version == SMP_V1) return reply_rc(reply.group == GROUP_IMAGE ? general_rc(rc) : rc);
  map_begin();
  put_key(K_ERR);
  put_map(2);
  put_word(K_GROUP);
  put_uint(reply.group);
  put_word(K_RC);
  put_uint(rc);
  return ANSWERED;
}

/** Version 1 knows no codes of a group: the general one that comes nearest to an IMG_RC_*. */
function general_rc(rc: u32): u32 {
  switch (rc) {
    case IMG_RC_NO_ENTRY:
      return RC_NO_ENTRY;
    case IMG_RC_BAD_ARGUMENT:
    case IMG_RC_ADDRESS:
      return RC_BAD_ARGUMENT;
    case IMG_RC_BAD_STATE:
      return RC_BAD_STATE;
    case IMG_RC_TOO_LARGE:
      return RC_TOO_LARGE;
    case IMG_RC_CORRUPT:
      return RC_CORRUPT;
    default:
      return RC_UNKNOWN;
  }
}
