/**
 * A new firmware into the slot that does not run, and its trial (spec/FIRMWARE.md). Bytes come in order and are collected in SRAM; nothing of
 * flash is touched before the header has said that the image is for this board and this slot.
 *
 *     confirmed ── upload, verify ── test ── reset ──► the other slot runs: on trial ── confirm ──► confirmed
 *         ▲                                                    │
 *         └──────────── any reset, power cut, or 5 minutes ────┘
 *
 * That a slot is to be tried is kept where a power cut loses it (HAL firmware_try), never in flash: so whatever the new firmware does, the
 * next reset starts the confirmed one.
 */
import { FW_HEADER_BYTES, FW_TRAILER_BYTES, FW_TRIAL_US } from "../../spec/firmware.ts";
import { CHECKPOINTS_MAX } from "../../spec/store.ts";
import {
  IMG_RC_BAD_ARGUMENT,
  IMG_RC_BAD_STATE,
  IMG_RC_FLASH,
  IMG_RC_REFUSED,
  IMG_RC_TOO_LARGE,
} from "../../spec/wire.ts";
import { firmware_erase, firmware_program, firmware_try, ticks } from "../hal.ts";
import { program_page, program_unit } from "../store/geometry.ts";
import { SHA_BYTES } from "../store/sha256.ts";
import { same_sha } from "../store/slots.ts";
import { firmware_forget, firmware_usable, header_check, region_sha } from "./image.ts";
import { record_confirmed, record_done, record_len, record_load, record_sha, record_write } from "./record.ts";
import {
  firmware_present,
  firmware_sector_bytes,
  firmware_slot,
  firmware_slot_bytes,
  firmware_slot_offset,
} from "./region.ts";

/** No upload is under way. */
export const UPDATE_NONE: u32 = 0;
/** Bytes are wanted. */
export const UPDATE_OPEN: u32 = 1;
/** The file is in flash and has the right sha. */
export const UPDATE_MATCH: u32 = 2;
/** It has another one, and is given up. */
export const UPDATE_MISMATCH: u32 = 3;

@unmanaged
class Update {
  phase: u32;
  len: u32;
  off: u32; // next byte wanted
  fill: u32; // bytes in the buffer that are not in flash yet
  erased: u32; // bytes from the slot's start whose sectors were erased
  checkpoint: u32; // the last one recorded
  begun: u32; // 1: a record says that the slot's content is given up for this file
  pending: u32; // 1: the next reset tries the other slot
  trial: u32; // 1: this firmware is not confirmed, and the one that is waits in the other slot
  confirmed: u32;
  sha0: u32; // first of 32 bytes
}

const up = changetype<Update>(memory.data(72));
/** As long as a header, so that it is checked before it is programmed. */
const buffer: usize = memory.data(256);
const digest: usize = memory.data(32);

function wanted_sha(): usize {
  return changetype<usize>(up) + offsetof<Update>("sha0");
}

/** After reset. Blocks for the SHA-256 of the other slot when this firmware is not the confirmed one. */
export function update_boot(): void {
  up.phase = UPDATE_NONE;
  up.pending = 0;
  up.trial = 0;
  if (!firmware_present()) return;
  record_load();
  up.confirmed = firmware_slot();
  if (record_confirmed() == firmware_slot()) return;
  // Where the confirmed one is damaged this firmware stands in for it; the next record says so.
  if (!firmware_usable(record_confirmed())) return;
  up.trial = 1;
  up.confirmed = record_confirmed();
}

/** The slot that an update goes to. */
export function update_slot(): u32 {
  return 1 - firmware_slot();
}

export function update_phase(): u32 {
  return up.phase;
}

/** The next byte wanted; the file's length when nothing is. */
export function update_off(): u32 {
  return up.off;
}

export function update_len(): u32 {
  return up.len;
}

/** The slot that a reset starts. */
export function update_confirmed(): u32 {
  return up.confirmed;
}

/** Whether the next reset tries the other slot. */
export function update_pending(): bool {
  return up.pending != 0;
}

/** Whether this firmware runs only until the next reset. */
export function update_trial(): bool {
  return up.trial != 0;
}

/** Gives the upload up, in SRAM only. */
export function update_cancel(): void {
  up.phase = UPDATE_NONE;
}

/**
 * Starts or resumes; `update_off` then tells the byte wanted. `sha_at`: SHA-256 of the file.
 * @returns 0 or IMG_RC_*
 */
export function update_begin(len: u32, sha_at: usize): u32 {
  // The other slot is the way back.
  if (up.trial != 0) return IMG_RC_BAD_STATE;
  if (len > firmware_slot_bytes()) return IMG_RC_TOO_LARGE;
  if (len < <u32>(FW_HEADER_BYTES + FW_TRAILER_BYTES)) return IMG_RC_REFUSED;
  const recorded = record_confirmed() == firmware_slot() && record_len() == len && same_sha(record_sha(), sha_at);
  if (recorded && record_done() == len && firmware_usable(update_slot())) {
    up.phase = UPDATE_MATCH;
    up.len = len;
    up.off = len;
    return 0;
  }
  if (up.phase == UPDATE_OPEN && up.len == len && same_sha(wanted_sha(), sha_at)) return 0;
  if (!withdraw()) return IMG_RC_FLASH;
  up.phase = UPDATE_OPEN;
  up.len = len;
  memory.copy(wanted_sha(), sha_at, SHA_BYTES);
  up.begun = u32(recorded && record_done() < len);
  rewind(up.begun != 0 ? record_done() : 0);
  up.checkpoint = up.off;
  return 0;
}

/** The next byte wanted is the first of a sector. */
function rewind(off: u32): void {
  up.off = off;
  up.erased = off;
  up.fill = 0;
}

/**
 * Takes the bytes [off, off + n) when they are the ones wanted.
 * @returns 0 (also when they were not wanted) or IMG_RC_*; after the last byte blocks for two SHA-256 over the image
 */
export function update_write(off: u32, from: usize, n: u32): u32 {
  if (up.phase == UPDATE_NONE) return IMG_RC_BAD_STATE;
  if (up.phase != UPDATE_OPEN || off != up.off) return 0;
  if (n > up.len - off) return IMG_RC_BAD_ARGUMENT;
  while (n > 0) {
    const taken = min<u32>(n, FW_HEADER_BYTES - up.fill);
    memory.copy(buffer + up.fill, from, taken);
    up.fill += taken;
    up.off += taken;
    from += taken;
    n -= taken;
    if (up.fill < <u32>FW_HEADER_BYTES && up.off < up.len) break;
    const rc = flush();
    if (rc != 0) return rc;
  }
  if (up.off == up.len) return finish();
  return 0;
}

/** Programs the buffer, filled up to whole units with erased bytes; the first time after a look at the header. */
function flush(): u32 {
  const start = up.off - up.fill;
  if (start == 0) {
    const rc = header_check(buffer, update_slot());
    if (rc != 0) {
      up.phase = UPDATE_NONE;
      return rc;
    }
  }
  if (program(start)) {
    up.fill = 0;
    if (up.off == up.len || up.off < up.erased || checkpoint()) return 0;
  }
  // The sector under way is erased and sent again.
  rewind(start - (start % firmware_sector_bytes()));
  up.checkpoint = min(up.checkpoint, up.off);
  return IMG_RC_FLASH;
}

function program(start: u32): bool {
  const base = firmware_slot_offset(update_slot());
  if (up.begun == 0) {
    firmware_forget(update_slot());
    if (!record_write(firmware_slot(), up.len, 0, wanted_sha())) return false;
    up.begun = 1;
  }
  if (start >= up.erased) {
    if (firmware_erase(base + start, firmware_sector_bytes()) != 0) return false;
    up.erased = start + firmware_sector_bytes();
  }
  const whole = ((up.fill + program_unit() - 1) / program_unit()) * program_unit();
  memory.fill(buffer + up.fill, 0xff, whole - up.fill);
  for (let at: u32 = 0; at < whole; at += program_page())
    if (firmware_program(base + start + at, buffer + at, min(program_page(), whole - at)) != 0) return false;
  return true;
}

/** At a sector's end: records how far the upload got when an eighth of the file came since the last time. */
function checkpoint(): bool {
  if (up.off - up.checkpoint < (up.len + CHECKPOINTS_MAX - 1) / CHECKPOINTS_MAX) return true;
  up.checkpoint = up.off;
  return record_write(firmware_slot(), up.len, up.off, wanted_sha());
}

/** All is in flash: is it what was sent, and a whole image? */
function finish(): u32 {
  const slot = update_slot();
  firmware_forget(slot);
  const same = region_sha(firmware_slot_offset(slot), up.len, digest) && same_sha(digest, wanted_sha());
  const whole = same && firmware_usable(slot);
  up.phase = whole ? UPDATE_MATCH : UPDATE_MISMATCH;
  const recorded = record_write(firmware_slot(), whole ? up.len : 0, whole ? up.len : 0, whole ? wanted_sha() : 0);
  if (whole && recorded) return 0;
  if (!same) return 0; // the answer says so
  up.phase = UPDATE_NONE;
  return recorded ? IMG_RC_REFUSED : IMG_RC_FLASH;
}

/**
 * The next reset starts the other slot, once.
 * @returns 0 or IMG_RC_*
 */
export function update_test(): u32 {
  if (up.trial != 0) return IMG_RC_BAD_STATE;
  if (firmware_try(true) != 0) return IMG_RC_BAD_STATE;
  up.pending = 1;
  return 0;
}

/** No slot is tried at the next reset. */
function withdraw(): bool {
  if (up.pending != 0 && firmware_try(false) != 0) return false;
  up.pending = 0;
  return true;
}

/**
 * The firmware that runs is the one to start from now on.
 * @returns 0 or IMG_RC_*
 */
export function update_confirm(): u32 {
  if (record_confirmed() == firmware_slot()) return 0;
  if (!record_write(firmware_slot(), 0, 0, 0)) return IMG_RC_FLASH;
  up.confirmed = firmware_slot();
  up.trial = 0;
  return 0;
}

/** Whether a trial has lasted too long: nobody is there, or nobody can be heard. Then a reset brings the confirmed one back. */
export function update_overdue(): bool {
  return up.trial != 0 && ticks() > <u32>FW_TRIAL_US;
}
