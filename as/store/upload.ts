/**
 * An upload into a slot (spec/WIRE.md "Image number, upload, state", spec/STORE.md). Bytes come in order, are collected in
 * one page in SRAM and programmed; a sector is erased when its first byte arrives. The hash runs over the bytes in flash,
 * not over those received, and follows the upload in small pieces so that little is left to do at its end.
 *
 *     0 ........ hashed ........ off - fill | page buffer | off ........ len
 *                 SHA-256 so far   in flash     in SRAM     wanted next
 */
import {
  REC_ACTIVE,
  REC_BEGIN,
  REC_CHECKPOINT,
  REC_EMPTY,
  REC_VERIFIED,
  CHECKPOINTS_MAX,
  MODE_SINGLE,
  SLOTS,
} from "../../spec/store.ts";
import {
  IMG_RC_BAD_ARGUMENT,
  IMG_RC_BAD_STATE,
  IMG_RC_FLASH,
  IMG_RC_TOO_LARGE,
  SLOT_UPLOADING,
  SLOT_VERIFIED,
} from "../../spec/wire.ts";
import { flash_erase, flash_map, flash_program } from "../hal.ts";
import { program_page, program_unit, sector_bytes, sector_start, slot_bytes, slot_offset } from "./geometry.ts";
import { journal_append } from "./journal.ts";
import { Sha256, sha256_final, sha256_init, sha256_update } from "./sha256.ts";
import {
  HASH_PIECE,
  NO_SLOT,
  same_sha,
  slot_checkpoint,
  slot_len,
  slot_mode,
  slot_sha,
  slot_trust,
  slots_active,
  slots_find,
  slots_recorded,
  slots_running,
  slots_single,
} from "./slots.ts";

/** Nothing is under way. */
export const UPLOAD_NONE: u32 = 0;
/** Bytes are wanted. */
export const UPLOAD_OPEN: u32 = 1;
/** All bytes are in flash, the hash is being finished: `upload_step` until it changes. */
export const UPLOAD_HASHING: u32 = 2;
/** Ended with the right sha. */
export const UPLOAD_MATCH: u32 = 3;
/** Ended with another sha: the slot is empty. */
export const UPLOAD_MISMATCH: u32 = 4;

@unmanaged
class Upload {
  phase: u32;
  slot: u32;
  base: u32; // offset of the slot
  len: u32;
  off: u32; // next byte wanted
  fill: u32; // bytes of the page buffer that are not in flash yet
  erased: u32; // bytes from the slot's start whose sectors were erased or skipped
  checkpoint: u32; // the last one written
  hashed: u32;
}

const up = changetype<Upload>(memory.data(offsetof<Upload>()));
const page: usize = memory.data(256);
const sha = changetype<Sha256>(memory.data(100));
const digest: usize = memory.data(32);

export function upload_phase(): u32 {
  return up.phase;
}

/** The next byte wanted; the image's length when nothing is. */
export function upload_off(): u32 {
  return up.off;
}

export function upload_slot(): u32 {
  return up.slot;
}

/** The slot that an upload would go to: the one neither running nor confirmed, slot 0 when both are free; NO_SLOT: none. */
export function upload_target(): u32 {
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    if (slot != slots_running() && slot != slots_active()) return slot;
  }
  return NO_SLOT;
}

/**
 * Starts or resumes; `upload_off` then tells the byte wanted. `sha_at`: SHA-256 of the file. `single`: the active model may
 * be given up; the caller closes it when it is not the running one any more.
 * @returns 0 or IMG_RC_*
 */
export function upload_begin(len: u32, sha_at: usize, single: bool): u32 {
  const held = slots_find(SLOT_VERIFIED, sha_at, 0);
  if (held != NO_SLOT) {
    up.phase = UPLOAD_MATCH;
    up.slot = held;
    up.len = slot_len(held);
    up.off = up.len;
    return 0;
  }
  if (len == 0) return IMG_RC_BAD_ARGUMENT;
  const begun = slots_find(SLOT_UPLOADING, sha_at, len);
  if (begun != NO_SLOT) {
    if (up.phase != UPLOAD_OPEN || up.slot != begun) open_at(begun, slot_checkpoint(begun));
    return 0;
  }
  let slot = upload_target();
  if (slot == NO_SLOT) return IMG_RC_BAD_STATE;
  if (len > slot_bytes(slot, slots_single())) {
    if (len > slot_bytes(0, true) || !single) return IMG_RC_TOO_LARGE;
    slot = 0;
  }
  const mode = slot == 0 && len > slot_bytes(0, false) ? MODE_SINGLE : 0;
  up.phase = UPLOAD_NONE;
  // The record of the damaged model ends with its slot: the one that stands in for it takes its place first.
  const active = slots_active();
  if (!slots_recorded() && slot != active && !journal_append(REC_ACTIVE, active, slot_len(active), 0, 0))
    return IMG_RC_FLASH;
  if (!journal_append(REC_BEGIN, slot, len, mode, sha_at)) return IMG_RC_FLASH;
  open_at(slot, 0);
  return 0;
}

function open_at(slot: u32, off: u32): void {
  up.phase = UPLOAD_OPEN;
  up.slot = slot;
  up.base = slot_offset(slot, slots_single());
  up.len = slot_len(slot);
  up.off = off;
  up.fill = 0;
  up.erased = off;
  up.checkpoint = off;
  up.hashed = 0;
  sha256_init(sha);
}

/** Gives the upload up, in SRAM only. */
export function upload_cancel(): void {
  up.phase = UPLOAD_NONE;
}

/**
 * Takes the bytes [off, off + n) when they are the ones wanted, or jumps ahead to them from one sector boundary to another.
 * @returns 0 (also when they were not wanted) or IMG_RC_*; when the last byte is in flash the phase is UPLOAD_HASHING
 */
export function upload_write(off: u32, from: usize, n: u32): u32 {
  if (up.phase == UPLOAD_NONE) return IMG_RC_BAD_STATE;
  if (up.phase != UPLOAD_OPEN) return 0;
  if (off > up.len || n > up.len - off) return IMG_RC_BAD_ARGUMENT;
  if (off != up.off) {
    if (off < up.off || off == up.len || !on_boundary(up.off) || !on_boundary(off)) return 0;
    up.off = off;
    up.erased = off;
    if (!checkpoint()) return IMG_RC_FLASH;
  }
  while (n > 0) {
    const taken = take(from, n);
    if (taken == 0) {
      rewind();
      return IMG_RC_FLASH;
    }
    from += taken;
    n -= taken;
  }
  if (up.off == up.len) {
    if (!flush()) {
      rewind();
      return IMG_RC_FLASH;
    }
    up.phase = UPLOAD_HASHING;
  }
  return 0;
}

function on_boundary(off: u32): bool {
  return sector_start(up.base + off) == up.base + off;
}

/** Moves bytes into the page buffer, at most to its end; returns how many, 0 when flash failed. */
function take(from: usize, n: u32): u32 {
  if (up.off >= up.erased) {
    const start = sector_start(up.base + up.off);
    const bytes = sector_bytes(start);
    if (bytes == 0 || flash_erase(start, bytes) != 0) return 0;
    up.erased = start + bytes - up.base;
  }
  const taken = min(n, program_page() - up.fill);
  memory.copy(page + up.fill, from, taken);
  up.fill += taken;
  up.off += taken;
  if (up.fill == program_page()) {
    if (!flush()) return 0;
    if (up.off < up.len && on_boundary(up.off) && !checkpoint()) return 0;
  }
  return taken;
}

/** Programs the page buffer, filled up to whole units with erased bytes. */
function flush(): bool {
  if (up.fill == 0) return true;
  const whole = ((up.fill + program_unit() - 1) / program_unit()) * program_unit();
  memory.fill(page + up.fill, 0xff, whole - up.fill);
  if (flash_program(up.base + up.off - up.fill, page, whole) != 0) return false;
  up.fill = 0;
  return true;
}

/** At a sector boundary: records how far the upload got when an eighth of the image came since the last time. */
function checkpoint(): bool {
  if (up.off - up.checkpoint < (up.len + CHECKPOINTS_MAX - 1) / CHECKPOINTS_MAX) return true;
  up.checkpoint = up.off;
  return journal_append(REC_CHECKPOINT, up.slot, up.len, up.off, 0);
}

/** After a failure: the sector under way is erased and sent again. */
function rewind(): void {
  up.off = sector_start(up.base + up.off - up.fill) - up.base;
  up.fill = 0;
  up.erased = up.off;
  up.checkpoint = min(up.checkpoint, up.off);
  up.hashed = 0;
  sha256_init(sha);
}

/**
 * Hashes the next piece of what is in flash; at the end of the image compares and records the outcome.
 * @returns whether there was anything to do
 */
export function upload_step(): bool {
  if (up.phase != UPLOAD_OPEN && up.phase != UPLOAD_HASHING) return false;
  const n = min(HASH_PIECE, up.off - up.fill - up.hashed);
  if (n == 0 && up.phase == UPLOAD_OPEN) return false;
  if (n > 0) {
    const bytes = flash_map(up.base + up.hashed, n);
    if (bytes == 0) return finish(false);
    sha256_update(sha, bytes, n);
    up.hashed += n;
    return true;
  }
  sha256_final(sha, digest);
  return finish(same_sha(digest, slot_sha(up.slot)));
}

/** Ends the upload with a record; when even that fails, as a mismatch. */
function finish(match: bool): bool {
  if (match) match = journal_append(REC_VERIFIED, up.slot, up.len, slot_mode(up.slot), 0);
  if (match) slot_trust(up.slot);
  else journal_append(REC_EMPTY, up.slot, up.len, 0, 0);
  up.off = up.len;
  up.phase = match ? UPLOAD_MATCH : UPLOAD_MISMATCH;
  return true;
}
