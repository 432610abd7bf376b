/** Group 84, TRITKIT: who the device is, what lies in its flash; the rest is in link.ts and generation.ts. */
import {
  CFG_SEQ_LEN,
  HDR_SECTIONS,
  HDR_TABLE,
  IMAGE_BLOCK_BYTES,
  IMAGE_OK,
  KIND_CONFIG,
  SEC_BYTES,
  SEC_KIND,
  SEC_OFFSET,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import {
  INFO_RUN_BYTES,
  INFO_SECTOR_RUNS,
  INFO_UART_BAUD,
  INFO_UART_MAX_BAUD,
  INFO_UART_RX_BYTES,
} from "../../spec/hal.ts";
import { SLOTS } from "../../spec/store.ts";
import {
  COBS_LINE_BYTES,
  CONSOLE_LINE_BYTES,
  FRAMING_COBS,
  HASHES_MAX,
  MTU,
  OP_READ,
  OP_WRITE,
  PROTOCOL_VERSION,
  RC_NOT_SUPPORTED,
  RC_UNKNOWN,
  SLOT_ACTIVE,
  SLOT_TEST,
  SLOT_UPLOADING,
  SLOT_VERIFIED,
  TK_GEN,
  TK_HASHES,
  TK_HELLO,
  TK_IDS,
  TK_LINK,
  TK_MODELS,
  TK_NEXT,
  TK_RC_BAD_ARGUMENT,
  TK_STOP,
  TK_TOOLS,
  WINDOW_MAX,
} from "../../spec/wire.ts";
import { board_info, flash_map } from "../hal.ts";
import { firmware_present } from "../firmware/region.ts";
import { update_slot } from "../firmware/update.ts";
import { run } from "../memory/run_state.ts";
import {
  area_run_count,
  partition_bytes,
  program_page,
  program_unit,
  slot_bytes,
  slot_offset,
} from "../store/geometry.ts";
import { SHA_BYTES } from "../store/sha256.ts";
import {
  flash_sha,
  slot_checkpoint,
  slot_len,
  slot_sha,
  slot_state,
  slots_active,
  slots_single,
  slots_test,
} from "../store/slots.ts";
import { UPLOAD_OPEN, upload_off, upload_phase, upload_slot } from "../store/upload.ts";
import { fields_wrong, want_uint } from "../wire/cbor_read.ts";
import {
  put_array,
  put_bytes,
  put_bytes_later,
  put_key,
  put_map,
  put_text,
  put_uint,
  put_word,
} from "../wire/cbor_write.ts";
import { framing, lost_damaged, lost_long } from "../wire/frame.ts";
import {
  F_FROM,
  F_N,
  F_SLOT,
  K_ARENA,
  K_BAUD,
  K_BOARD,
  K_CRC,
  K_CTX,
  K_FROM,
  K_FW,
  K_FWSLOT,
  K_H,
  K_HAVE,
  K_IMG,
  K_LEN,
  K_LOST,
  K_MAXBAUD,
  K_MODEL,
  K_MTU,
  K_NAME,
  K_NATIVE,
  K_NEED,
  K_OFF,
  K_PAGE,
  K_PART,
  K_RESTBAUD,
  K_RUNS,
  K_RX,
  K_SEQ,
  K_SHA,
  K_SLOT,
  K_SLOTS,
  K_STATE,
  K_TOOLS,
  K_UNIT,
  K_UP,
  K_V,
  K_WIN,
} from "../wire/keys.ts";
import { gen_request, ids_request, next_request, stop_request } from "./generation.ts";
import { link_baud, link_request } from "./link.ts";
import { board_name, model_name, name_bytes } from "./names.ts";
import { NATIVE_ABSENT, NATIVE_USED, native_state } from "./native.ts";
import { ANSWERED, reply_error, reply_rc } from "./reply.ts";
import { running_context, running_error, running_slot } from "./running.ts";
import { WORD_VERSION } from "./version.ts";
import { tools_of_assistant, tools_request } from "./tools_group.ts";
import { put_copro } from "./copro_report.ts";

/** Bytes of a digest in the answer to hashes. */
const HASH_BYTES: u32 = 8;
const digest: usize = memory.data(32);

export function tritkit_request(command: u32, op: u32): i32 {
  if (command == TK_TOOLS) return tools_request(op);
  if (op == OP_READ) {
    if (command == TK_HELLO) return hello();
    if (command == TK_HASHES) return hashes();
    if (command == TK_IDS) return ids_request();
    if (command == TK_MODELS) return models();
    if (command == TK_NEXT) return next_request();
  } else if (op == OP_WRITE) {
    if (command == TK_LINK) return link_request();
    if (command == TK_GEN) return gen_request();
    if (command == TK_STOP) return stop_request();
  }
  return reply_rc(RC_NOT_SUPPORTED);
}

/** Frames of the framing in use that the board holds while nobody reads. */
export function window(): u32 {
  const line: u32 = framing() == FRAMING_COBS ? COBS_LINE_BYTES : CONSOLE_LINE_BYTES;
  const frames = <u32>max(board_info(INFO_UART_RX_BYTES, 0), 0) / line;
  return max<u32>(1, min<u32>(frames, WINDOW_MAX));
}

function hello(): i32 {
  put_key(K_V);
  put_uint(PROTOCOL_VERSION);
  put_key(K_FW);
  put_word(WORD_VERSION);
  put_key(K_BOARD);
  put_text(board_name(), name_bytes(board_name()));
  put_key(K_MTU);
  put_uint(MTU);
  put_key(K_WIN);
  put_uint(window());
  put_key(K_RX);
  put_uint(board_info(INFO_UART_RX_BYTES, 0));
  put_key(K_BAUD);
  put_uint(link_baud());
  put_key(K_RESTBAUD);
  put_uint(board_info(INFO_UART_BAUD, 0));
  put_key(K_MAXBAUD);
  put_uint(board_info(INFO_UART_MAX_BAUD, 0));
  put_flash();
  put_model();
  put_upload();
  if (firmware_present()) {
    put_key(K_FWSLOT);
    put_uint(update_slot());
  }
  if (isDefined(ASC_COPRO)) put_copro();
  if (native_state() != NATIVE_ABSENT) {
    put_key(K_NATIVE);
    put_uint(u32(native_state() == NATIVE_USED));
  }
  put_key(K_LOST);
  put_map(2);
  put_word(K_RX);
  put_uint(lost_long());
  put_word(K_CRC);
  put_uint(lost_damaged());
  return ANSWERED;
}

/** Slots and runs are told from the start of the slot area. */
function put_flash(): void {
  const single = slots_single();
  put_key(K_PART);
  put_uint(partition_bytes());
  put_key(K_SLOTS);
  put_array(SLOTS);
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    put_map(2);
    put_word(K_OFF);
    put_uint(slot_offset(slot, single) - slot_offset(0, single));
    put_word(K_LEN);
    put_uint(slot_bytes(slot, single));
  }
  const runs = board_info(INFO_SECTOR_RUNS, 0);
  let used: u32 = 0;
  for (let r = 0; r < runs; r++) used += u32(area_run_count(r) > 0);
  put_key(K_RUNS);
  put_array(used);
  for (let r = 0; r < runs; r++) {
    if (area_run_count(r) == 0) continue;
    put_array(2);
    put_uint(area_run_count(r));
    put_uint(board_info(INFO_RUN_BYTES, r));
  }
  put_key(K_UNIT);
  put_uint(program_unit());
  put_key(K_PAGE);
  put_uint(program_page());
}

function put_model(): void {
  const open = running_context() != 0;
  put_key(K_CTX);
  put_uint(running_context());
  put_key(K_ARENA);
  put_map(2);
  put_word(K_NEED);
  put_uint(run.needed);
  put_word(K_HAVE);
  put_uint(arena_bytes());
  put_key(K_MODEL);
  const name = open ? model_name(running_slot()) : 0;
  put_text(name, open ? name_bytes(name) : 0);
  // At most one of the two: a map has no room for more keys than these.
  if (running_error() != IMAGE_OK) {
    put_key(K_IMG);
    put_uint(running_error());
  } else if (tools_of_assistant() >= 0) {
    put_key(K_TOOLS);
    put_uint(tools_of_assistant());
  }
}

function put_upload(): void {
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    if (slot_state(slot) != SLOT_UPLOADING) continue;
    const open = upload_phase() == UPLOAD_OPEN && upload_slot() == slot;
    put_key(K_UP);
    put_map(4);
    put_word(K_SLOT);
    put_uint(slot);
    put_word(K_LEN);
    put_uint(slot_len(slot));
    put_word(K_OFF);
    put_uint(open ? upload_off() : slot_checkpoint(slot));
    put_word(K_SHA);
    put_bytes(slot_sha(slot), SHA_BYTES);
    return;
  }
}

function arena_bytes(): u32 {
  return <u32>(run.end - run.base);
}

/** First 8 bytes of SHA-256 of each 4096-byte block of a slot, as flash is now. Blocks for at most HASHES_MAX of them. */
function hashes(): i32 {
  const slot = want_uint(F_SLOT, 0);
  const from = want_uint(F_FROM, 0);
  const wanted = want_uint(F_N, HASHES_MAX);
  if (fields_wrong() || slot >= <u32>SLOTS || wanted > <u32>HASHES_MAX) return reply_error(TK_RC_BAD_ARGUMENT);
  const bytes = slot_bytes(slot, slots_single());
  const blocks = (bytes + IMAGE_BLOCK_BYTES - 1) / IMAGE_BLOCK_BYTES;
  if (from > blocks) return reply_error(TK_RC_BAD_ARGUMENT);
  const n = min(wanted, blocks - from);
  put_key(K_SLOT);
  put_uint(slot);
  put_key(K_FROM);
  put_uint(from);
  put_key(K_H);
  const h = put_bytes_later(n * HASH_BYTES);
  for (let i: u32 = 0; i < n; i++) {
    const at = (from + i) * IMAGE_BLOCK_BYTES;
    const len = min<u32>(IMAGE_BLOCK_BYTES, bytes - at);
    if (h == 0 || !flash_sha(slot_offset(slot, slots_single()) + at, len, digest)) return reply_error(RC_UNKNOWN);
    memory.copy(h + i * HASH_BYTES, digest, HASH_BYTES);
  }
  return ANSWERED;
}

function models(): i32 {
  const slot = want_uint(F_SLOT, 0);
  if (fields_wrong() || slot >= <u32>SLOTS) return reply_error(TK_RC_BAD_ARGUMENT);
  const mine = slot == running_slot();
  const open = mine && running_context() != 0;
  const verified = slot_state(slot) == SLOT_VERIFIED;
  put_key(K_SLOT);
  put_uint(slot);
  put_key(K_NAME);
  const name = verified ? model_name(slot) : 0;
  put_text(name, verified ? name_bytes(name) : 0);
  put_key(K_LEN);
  put_uint(slot_len(slot));
  put_key(K_SHA);
  put_bytes(slot_sha(slot), SHA_BYTES);
  put_key(K_STATE);
  put_uint(slot == slots_test() ? SLOT_TEST : slot == slots_active() ? SLOT_ACTIVE : slot_state(slot));
  put_key(K_SEQ);
  put_uint(verified ? seq_len(slot) : 0);
  put_key(K_CTX);
  put_uint(open ? running_context() : 0);
  put_key(K_NEED);
  put_uint(mine ? run.needed : 0);
  put_key(K_HAVE);
  put_uint(arena_bytes());
  if (mine && running_error() != IMAGE_OK) {
    put_key(K_IMG);
    put_uint(running_error());
  }
  return ANSWERED;
}

/** SEQ_LEN of the image in a slot, 0 when its CONFIG is not found in the first block. */
function seq_len(slot: u32): u32 {
  const offset = slot_offset(slot, slots_single());
  const bytes = slot_len(slot);
  const sections = word_at(offset + HDR_SECTIONS);
  for (let i: u32 = 0; i < sections; i++) {
    const entry: u32 = HDR_TABLE + i * SECTION_ENTRY_BYTES;
    if (entry + SECTION_ENTRY_BYTES > <u32>IMAGE_BLOCK_BYTES) return 0;
    if ((word_at(offset + entry + SEC_KIND) & 0xffff) != KIND_CONFIG) continue;
    const at = word_at(offset + entry + SEC_OFFSET) + CFG_SEQ_LEN * 4;
    const inside = word_at(offset + entry + SEC_BYTES) >= <u32>(CFG_SEQ_LEN * 4 + 4) && at < bytes && bytes - at >= 4;
    return inside ? word_at(offset + at) : 0;
  }
  return 0;
}

/** A word of flash wherever it lies; 0 outside. */
function word_at(offset: u32): u32 {
  const p = flash_map(offset, 4);
  if (p == 0) return 0;
  return load<u8>(p) | (u32(load<u8>(p, 1)) << 8) | (u32(load<u8>(p, 2)) << 16) | (u32(load<u8>(p, 3)) << 24);
}
