/**
 * After reset: which model is there (spec/STORE.md "Boot"). Blocks for one SHA-256 over the active model, and two over a
 * model that is found without a journal.
 */
import {
  HDR_IMAGE_BYTES,
  HDR_MAGIC,
  HDR_MAJOR,
  IMAGE_BLOCK_BYTES,
  IMAGE_MAGIC,
  TRAILER_BYTES,
  IMAGE_VERSION_MAJOR,
  TRAILER_MAGIC,
  TRL_SHA256,
} from "../../spec/image.ts";
import { MODE_SINGLE, REC_ACTIVE, REC_VERIFIED, SLOTS } from "../../spec/store.ts";
import { SLOT_VERIFIED } from "../../spec/wire.ts";
import { flash_map } from "../hal.ts";
import { geometry_init, slot_bytes, slot_offset } from "./geometry.ts";
import { journal_append, journal_replay } from "./journal.ts";
import {
  flash_sha,
  NO_SLOT,
  same_sha,
  slot_distrust,
  slot_state,
  slot_trust,
  slot_usable,
  slots_active,
  slots_clear,
  slots_drop_test,
  slots_stand_in,
} from "./slots.ts";

const digest: usize = memory.data(32);

/**
 * Brings the slots to the state that flash tells.
 * @returns false when the board's partition cannot hold a store: then there is no slot of any length
 */
export function store_boot(): bool {
  slots_clear();
  if (!geometry_init()) return false;
  if (!journal_replay()) return adopt();
  slots_drop_test();
  const active = slots_active();
  if (active == NO_SLOT || slot_usable(active)) return true;
  // The confirmed model is damaged: the other one, when it is whole. Nothing is recorded, so that a read error of one
  // boot costs no model.
  slot_distrust(active);
  const other = 1 - active;
  if (slot_usable(other)) slots_stand_in(other);
  else if (slot_state(other) == SLOT_VERIFIED) slot_distrust(other);
  return true;
}

/** Without a journal: the first slot that holds a whole image becomes the active model. */
function adopt(): bool {
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) {
    const len = image_at(slot);
    if (len == 0 || !flash_sha(slot_offset(slot, false), len, digest)) continue;
    const mode = slot == 0 && len > slot_bytes(0, false) ? MODE_SINGLE : 0;
    if (!journal_append(REC_VERIFIED, slot, len, mode, digest)) return true;
    slot_trust(slot);
    journal_append(REC_ACTIVE, slot, len, 0, 0);
    return true;
  }
  return true;
}

/** Bytes of the image at a slot's start whose trailer digest is right, 0 without one. Slot 0 may reach into slot 1. */
function image_at(slot: u32): u32 {
  const offset = slot_offset(slot, false);
  const room = slot_bytes(slot, slot == 0);
  if (room < <u32>(IMAGE_BLOCK_BYTES + TRAILER_BYTES)) return 0;
  const header = flash_map(offset, HDR_IMAGE_BYTES + 4);
  if (header == 0 || load<u32>(header + HDR_MAGIC) != IMAGE_MAGIC) return 0;
  if (load<u16>(header + HDR_MAJOR) != IMAGE_VERSION_MAJOR) return 0;
  const len = load<u32>(header + HDR_IMAGE_BYTES);
  if (len < <u32>(IMAGE_BLOCK_BYTES + TRAILER_BYTES) || len > room) return 0;
  const hashed = len - TRAILER_BYTES;
  if (!flash_sha(offset, hashed, digest)) return 0;
  const trailer = flash_map(offset + hashed, TRAILER_BYTES);
  if (trailer == 0 || (trailer & 3) != 0 || load<u32>(trailer) != TRAILER_MAGIC) return 0;
  return same_sha(digest, trailer + TRL_SHA256) ? len : 0;
}
