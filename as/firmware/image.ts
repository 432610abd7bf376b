/**
 * A firmware image in its slot (spec/FIRMWARE.md): MCUboot's header and trailer, and in the header's padding what a selector needs.
 *
 *     0 ....... 31 | 32 ............... 75 | ... 255 | 256 ........ | +4 | +4 ........... +36
 *     MCUboot        mark, CRCs, board       0xFF      payload        TLV   SHA-256 of all before
 */
import {
  FW_ADDRESS,
  FW_BOARD,
  FW_HEADER_BYTES,
  FW_HEADER_CRC,
  FW_HEADER_SIZE,
  FW_MAGIC_HIGH,
  FW_MAGIC_LOW,
  FW_MAJOR,
  FW_MARK,
  FW_MARK_TKFW,
  FW_PAYLOAD,
  FW_SLOTS,
  FW_TLV_MAGIC,
  FW_TLV_SHA256,
  FW_TLV_SHA256_AT,
  FW_TRAILER_BYTES,
} from "../../spec/firmware.ts";
import { BOARD_NAME_MAX, INFO_NAME } from "../../spec/hal.ts";
import { IMG_RC_ADDRESS, IMG_RC_CORRUPT, IMG_RC_REFUSED } from "../../spec/wire.ts";
import { board_info, firmware_map, watchdog_feed } from "../hal.ts";
import { crc32 } from "../store/crc32.ts";
import { SHA_BYTES, Sha256, sha256_final, sha256_init, sha256_update } from "../store/sha256.ts";
import { HASH_PIECE, same_sha } from "../store/slots.ts";
import { firmware_slot_address, firmware_slot_bytes, firmware_slot_offset } from "./region.ts";

const UNKNOWN: u32 = 0;
const USABLE: u32 = 1;
const DAMAGED: u32 = 2;

/** What is known of a slot since reset. */
@unmanaged
class Known {
  state: u32;
  version: u32; // FW_MAJOR and the fields behind it
  sha0: u32; // first of 32 bytes: the image's own digest, by which SMP clients name it
}

const KNOWN_BYTES: usize = 8 + 32;
const KNOWN: usize = memory.data(80);
const sha = changetype<Sha256>(memory.data(100));
const digest: usize = memory.data(32);

function known(slot: u32): Known {
  return changetype<Known>(KNOWN + <usize>(slot & 1) * KNOWN_BYTES);
}

export function firmware_sha(slot: u32): usize {
  return changetype<usize>(known(slot)) + offsetof<Known>("sha0");
}

/** Major, minor, revision: one byte, one byte, two. */
export function firmware_version(slot: u32): u32 {
  return known(slot).version;
}

/** The slot's content changes, or may have. */
export function firmware_forget(slot: u32): void {
  known(slot).state = UNKNOWN;
}

/**
 * Whether the slot holds a whole image that is made for this board and for this slot. Blocks for one SHA-256 over it when it is not
 * known yet.
 */
export function firmware_usable(slot: u32): bool {
  if (slot >= <u32>FW_SLOTS) return false;
  const k = known(slot);
  if (k.state == UNKNOWN) k.state = verify(slot) == 0 ? USABLE : DAMAGED;
  return k.state == USABLE;
}

/** Whether bytes begin as a firmware does; at least four of them, anywhere. */
export function is_firmware(bytes: usize): bool {
  return half(bytes) == FW_MAGIC_LOW && half(bytes + 2) == FW_MAGIC_HIGH;
}

/**
 * What is wrong with a header (its FW_HEADER_BYTES at `header`, aligned to words) for a slot of this board.
 * @returns 0 or IMG_RC_*
 */
export function header_check(header: usize, slot: u32): u32 {
  if (!is_firmware(header) || load<u32>(header + FW_MARK) != FW_MARK_TKFW) return IMG_RC_REFUSED;
  if (load<u32>(header + FW_HEADER_CRC) != crc32(header, FW_HEADER_CRC)) return IMG_RC_CORRUPT;
  for (let i = 0; i < BOARD_NAME_MAX; i += 4)
    if (load<u32>(header + FW_BOARD + i) != board_info(INFO_NAME, i >> 2)) return IMG_RC_REFUSED;
  if (load<u32>(header + FW_ADDRESS) != firmware_slot_address(slot)) return IMG_RC_ADDRESS;
  const room = firmware_slot_bytes() - FW_HEADER_BYTES - FW_TRAILER_BYTES;
  if (load<u16>(header + FW_HEADER_SIZE) != FW_HEADER_BYTES || load<u32>(header + FW_PAYLOAD) > room)
    return IMG_RC_REFUSED;
  return 0;
}

function verify(slot: u32): u32 {
  const at = firmware_slot_offset(slot);
  const header = firmware_map(at, FW_HEADER_BYTES);
  if (header == 0) return IMG_RC_CORRUPT;
  const wrong = header_check(header, slot);
  if (wrong != 0) return wrong;
  const end = FW_HEADER_BYTES + load<u32>(header + FW_PAYLOAD);
  known(slot).version = load<u32>(header + FW_MAJOR);
  if (!region_sha(at, end, digest)) return IMG_RC_CORRUPT;
  // The payload may end anywhere.
  const trailer = firmware_map(at + end, FW_TRAILER_BYTES);
  if (trailer == 0 || half(trailer) != FW_TLV_MAGIC || half(trailer + 2) != FW_TRAILER_BYTES) return IMG_RC_CORRUPT;
  if (half(trailer + 4) != FW_TLV_SHA256 || half(trailer + 6) != SHA_BYTES) return IMG_RC_CORRUPT;
  memory.copy(firmware_sha(slot), trailer + FW_TLV_SHA256_AT, SHA_BYTES);
  return same_sha(digest, firmware_sha(slot)) ? 0 : IMG_RC_CORRUPT;
}

function half(at: usize): u32 {
  return load<u8>(at) | (load<u8>(at + 1) << 8);
}

/** SHA-256 of `len` bytes of the region into the 32 bytes at `to`; false when they cannot be read. */
export function region_sha(offset: u32, len: u32, to: usize): bool {
  sha256_init(sha);
  for (let done: u32 = 0; done < len; ) {
    const n = min(HASH_PIECE, len - done);
    const bytes = firmware_map(offset + done, n);
    if (bytes == 0) return false;
    sha256_update(sha, bytes, n);
    done += n;
    watchdog_feed();
  }
  sha256_final(sha, to);
  return true;
}
