/**
 * What is in the slots now: the records of the journal applied one after another. Written by journal.ts only; a static
 * struct, so that a snapshot of SRAM is a snapshot of the device.
 */
import {
  MODE_SINGLE,
  REC_ACTIVE,
  REC_BEGIN,
  REC_CHECKPOINT,
  REC_EMPTY,
  REC_TEST,
  REC_VERIFIED,
  SLOTS,
} from "../../spec/store.ts";
import { SLOT_UPLOADING, SLOT_VERIFIED } from "../../spec/wire.ts";
import { flash_map, watchdog_feed } from "../hal.ts";
import { slot_bytes, slot_offset } from "./geometry.ts";
import { SHA_BYTES, Sha256, sha256_final, sha256_init, sha256_update } from "./sha256.ts";

export const NO_SLOT: u32 = 0xffffffff;
/** Flash is hashed in pieces of this many bytes: a board may copy each into a window. */
export const HASH_PIECE: u32 = 1024;

@unmanaged
class SlotState {
  state: u32; // SLOT_EMPTY, SLOT_UPLOADING or SLOT_VERIFIED
  len: u32; // image bytes
  checkpoint: u32; // bytes known to be in flash
  trusted: u32; // 1: its bytes were verified since reset
  sha0: u32; // first of 32 bytes
}

const SLOT_STATE_BYTES: usize = 16 + 32;
const SLOT_STATES: usize = memory.data(96);

@unmanaged
class Chosen {
  single: u32;
  active: u32; // the confirmed slot or NO_SLOT
  active_ctx: u32;
  unrecorded: u32; // 1: the active slot stands in for a damaged one since this boot, the journal names that
  test: u32; // the slot under test or NO_SLOT
  test_ctx: u32;
}

const chosen = changetype<Chosen>(memory.data(offsetof<Chosen>()));

const sha = changetype<Sha256>(memory.data(100));
const digest: usize = memory.data(32);

function at(slot: u32): SlotState {
  return changetype<SlotState>(SLOT_STATES + <usize>(slot & 1) * SLOT_STATE_BYTES);
}

/** Nothing anywhere. */
export function slots_clear(): void {
  memory.fill(SLOT_STATES, 0, SLOT_STATE_BYTES * SLOTS);
  chosen.single = 0;
  chosen.active = NO_SLOT;
  chosen.unrecorded = 0;
  chosen.test = NO_SLOT;
}

/** Applies one record; one that makes no sense in the present state is ignored. `sha_at`: 32 bytes. */
export function slots_apply(kind: u32, slot: u32, len: u32, arg: u32, sha_at: usize): void {
  if (slot >= <u32>SLOTS) return;
  const s = at(slot);
  if (kind == REC_BEGIN || kind == REC_VERIFIED) {
    const single = slot == 0 && arg == MODE_SINGLE;
    if (len > slot_bytes(slot, slot == 0 ? single : slots_single())) return;
    if (kind == REC_BEGIN) release(slot);
    if (single) release(1);
    if (slot == 0) chosen.single = u32(single);
    s.state = kind == REC_BEGIN ? SLOT_UPLOADING : SLOT_VERIFIED;
    s.len = len;
    s.checkpoint = 0;
    memory.copy(slot_sha(slot), sha_at, SHA_BYTES);
  } else if (kind == REC_CHECKPOINT) {
    if (s.state == SLOT_UPLOADING && arg <= s.len) s.checkpoint = arg;
  } else if (kind == REC_ACTIVE) {
    if (s.state != SLOT_VERIFIED) return;
    chosen.active = slot;
    chosen.active_ctx = arg;
    chosen.unrecorded = 0;
    chosen.test = NO_SLOT;
  } else if (kind == REC_TEST) {
    if (s.state != SLOT_VERIFIED) return;
    chosen.test = slot;
    chosen.test_ctx = arg;
  } else if (kind == REC_EMPTY) {
    release(slot);
    if (slot == 0) chosen.single = 0;
  }
}

/** Forgets a slot and whatever points at it. */
function release(slot: u32): void {
  memory.fill(changetype<usize>(at(slot)), 0, SLOT_STATE_BYTES);
  if (chosen.active == slot) chosen.active = NO_SLOT;
  if (chosen.test == slot) chosen.test = NO_SLOT;
}

/** At boot: a test ends with a reset. */
export function slots_drop_test(): void {
  chosen.test = NO_SLOT;
}

export function slots_single(): bool {
  return chosen.single != 0;
}

/** The `arg` of a slot's BEGIN and VERIFIED records. */
export function slot_mode(slot: u32): u32 {
  return slot == 0 && slots_single() ? MODE_SINGLE : 0;
}

export function slot_state(slot: u32): u32 {
  return at(slot).state;
}

export function slot_len(slot: u32): u32 {
  return at(slot).len;
}

export function slot_checkpoint(slot: u32): u32 {
  return at(slot).checkpoint;
}

/** Address of the 32 bytes of the sha of the slot's file. */
export function slot_sha(slot: u32): usize {
  return changetype<usize>(at(slot)) + offsetof<SlotState>("sha0");
}

/** The confirmed slot, or NO_SLOT. */
export function slots_active(): u32 {
  return chosen.active;
}

export function slots_active_ctx(): u32 {
  return chosen.active_ctx;
}

/** At boot: the slot is active without a record that says so. */
export function slots_stand_in(slot: u32): void {
  slots_apply(REC_ACTIVE, slot, slot_len(slot), 0, slot_sha(slot));
  chosen.unrecorded = 1;
}

/** Whether slots_active() is what the journal says, or nothing that could be recorded. */
export function slots_recorded(): bool {
  return chosen.unrecorded == 0 || chosen.active == NO_SLOT;
}

/** The slot that runs until the next reset, or NO_SLOT. */
export function slots_test(): u32 {
  return chosen.test;
}

export function slots_test_ctx(): u32 {
  return chosen.test_ctx;
}

/** The slot that runs now, under test or confirmed, or NO_SLOT. */
export function slots_running(): u32 {
  return chosen.test != NO_SLOT ? chosen.test : chosen.active;
}

/** The slot in `state` whose file has this sha and (unless 0) this length, or NO_SLOT. */
export function slots_find(state: u32, sha_at: usize, len: u32): u32 {
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    if (at(slot).state != state || (len != 0 && at(slot).len != len)) continue;
    if (same_sha(slot_sha(slot), sha_at)) return slot;
  }
  return NO_SLOT;
}

export function same_sha(a: usize, b: usize): bool {
  return memory.compare(a, b, SHA_BYTES) == 0;
}

export function slot_trust(slot: u32): void {
  at(slot).trusted = 1;
}

/**
 * Whether a VERIFIED slot still holds the bytes it was verified with. Blocks for the time of one SHA-256 over the image
 * at its first call after reset.
 */
export function slot_usable(slot: u32): bool {
  if (slot >= <u32>SLOTS || at(slot).state != SLOT_VERIFIED) return false;
  if (at(slot).trusted != 0) return true;
  if (!flash_sha(slot_offset(slot, slots_single()), slot_len(slot), digest)) return false;
  if (!same_sha(digest, slot_sha(slot))) return false;
  slot_trust(slot);
  return true;
}

/** At boot: a slot whose bytes changed counts as empty; the records stay. */
export function slot_distrust(slot: u32): void {
  slots_apply(REC_EMPTY, slot, 0, 0, 0);
}

/** SHA-256 of `len` bytes of flash into the 32 bytes at `to`; false when flash cannot be read. */
export function flash_sha(offset: u32, len: u32, to: usize): bool {
  sha256_init(sha);
  for (let done: u32 = 0; done < len; ) {
    const n = min(HASH_PIECE, len - done);
    const bytes = flash_map(offset + done, n);
    if (bytes == 0) return false;
    sha256_update(sha, bytes, n);
    done += n;
    watchdog_feed();
  }
  sha256_final(sha, to);
  return true;
}
