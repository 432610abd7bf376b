/** Image 0 of group 1: the board's own firmware, where it has a second slot for it (spec/FIRMWARE.md). */
import { FW_SLOTS } from "../../spec/firmware.ts";
import { IMAGE_NUMBER_FIRMWARE, IMG_RC_BAD_ARGUMENT, IMG_RC_BAD_STATE } from "../../spec/wire.ts";
import { firmware_sha, firmware_usable, firmware_version, is_firmware } from "../firmware/image.ts";
import { firmware_present, firmware_slot } from "../firmware/region.ts";
import {
  UPDATE_MATCH,
  UPDATE_MISMATCH,
  UPDATE_NONE,
  UPDATE_OPEN,
  update_begin,
  update_confirm,
  update_confirmed,
  update_len,
  update_off,
  update_pending,
  update_phase,
  update_test,
  update_trial,
  update_write,
} from "../firmware/update.ts";
import { SHA_BYTES } from "../store/sha256.ts";
import { NO_SLOT, same_sha } from "../store/slots.ts";
import { upload_cancel } from "../store/upload.ts";
import { fields_wrong, has, want_bytes, want_len, want_uint } from "../wire/cbor_read.ts";
import { put_bool, put_bytes, put_key, put_map, put_text, put_uint, put_word, put_word9 } from "../wire/cbor_write.ts";
import {
  F_LEN,
  F_SHA,
  K_ACTIVE,
  K_BOOTABLE,
  K_CONFIRME,
  K_HASH,
  K_IMAGE,
  K_MATCH,
  K_OFF,
  K_PENDING,
  K_PERMANEN,
  K_SLOT,
  K_VERSION,
} from "../wire/keys.ts";
import { ANSWERED, reply_error } from "./reply.ts";

const D: u32 = 0x64; // the ninth letter of confirmed
const T: u32 = 0x74; // and of permanent
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
/** 255.255.65535 */
const text: usize = memory.data(16);

/** Slots that are listed: 0 on a board without a second one. */
export function firmware_images(): u32 {
  let n: u32 = 0;
  if (firmware_present()) for (let slot: u32 = 0; slot < <u32>FW_SLOTS; slot++) n += u32(firmware_usable(slot));
  return n;
}

export function put_firmware_images(): void {
  if (!firmware_present()) return;
  for (let slot: u32 = 0; slot < <u32>FW_SLOTS; slot++) if (firmware_usable(slot)) put_image(slot);
}

function put_image(slot: u32): void {
  const running = slot == firmware_slot();
  const confirmed = slot == update_confirmed();
  put_map(9);
  put_word(K_IMAGE);
  put_uint(IMAGE_NUMBER_FIRMWARE);
  put_word(K_SLOT);
  put_uint(slot);
  put_word(K_VERSION);
  put_version(firmware_version(slot));
  put_word(K_HASH);
  put_bytes(firmware_sha(slot), SHA_BYTES);
  put_word(K_BOOTABLE);
  put_bool(true);
  put_word(K_PENDING);
  put_bool(!running && update_pending());
  put_word9(K_CONFIRME, D);
  put_bool(confirmed);
  put_word(K_ACTIVE);
  put_bool(running);
  put_word9(K_PERMANEN, T);
  put_bool(confirmed);
}

/** "major.minor.revision" */
function put_version(version: u32): void {
  let end = put_number(text, version & 0xff);
  store<u8>(end++, DOT);
  end = put_number(end, (version >> 8) & 0xff);
  store<u8>(end++, DOT);
  end = put_number(end, version >> 16);
  put_text(text, u32(end - text));
}

/** Decimal digits at `at`; returns the address behind them. */
function put_number(at: usize, value: u32): usize {
  let digits: u32 = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits++;
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i - 1, ZERO + (value % 10));
    value /= 10;
  }
  return at + digits;
}

/** The slot whose image has this digest, or NO_SLOT. */
export function firmware_find(hash: usize): u32 {
  if (!firmware_present()) return NO_SLOT;
  for (let slot: u32 = 0; slot < <u32>FW_SLOTS; slot++)
    if (firmware_usable(slot) && same_sha(firmware_sha(slot), hash)) return slot;
  return NO_SLOT;
}

/**
 * A state write that names a firmware: for a test, or, when it is the one that runs, to keep it. One that was never tried is not confirmed.
 * @returns 0 or IMG_RC_*
 */
export function firmware_choose(slot: u32, confirm: bool): u32 {
  if (slot == firmware_slot()) return confirm ? update_confirm() : 0;
  return confirm ? IMG_RC_BAD_STATE : update_test();
}

/** A state write that names nothing: what runs is confirmed. */
export function firmware_keep(): u32 {
  return update_trial() ? update_confirm() : 0;
}

/** Whether bytes that come without an image number are for the firmware: they begin as one does, or go on with one. */
export function firmware_meant(off: u32, data: usize, n: u32): bool {
  if (!firmware_present()) return false;
  if (off != 0) return update_phase() != UPDATE_NONE;
  return n >= 4 && is_firmware(data);
}

export function firmware_upload(off: u32, data: usize, n: u32): i32 {
  if (off == 0 && has(F_SHA)) {
    const sha = want_bytes(F_SHA);
    const len = want_uint(F_LEN, 0);
    if (fields_wrong() || want_len(F_SHA) != SHA_BYTES || len == 0 || n > len) return reply_error(IMG_RC_BAD_ARGUMENT);
    const rc = update_begin(len, sha);
    if (rc != 0) return reply_error(rc);
    upload_cancel();
  } else if (off == 0 && has(F_LEN)) {
    const same = update_phase() == UPDATE_OPEN && update_len() == want_uint(F_LEN, 0);
    if (fields_wrong() || !same) return reply_error(IMG_RC_BAD_ARGUMENT);
  }
  const rc = update_write(off, data, n);
  if (rc != 0) return reply_error(rc);
  put_key(K_OFF);
  put_uint(update_off());
  if (update_phase() == UPDATE_MATCH || update_phase() == UPDATE_MISMATCH) {
    put_key(K_MATCH);
    put_bool(update_phase() == UPDATE_MATCH);
  }
  return ANSWERED;
}
