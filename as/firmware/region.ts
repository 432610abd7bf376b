/**
 * Where firmware lies on a board that can change its own (spec/FIRMWARE.md), as offsets of the HAL's firmware region:
 *
 *     record sector 0 | record sector 1 | slot 0 ........ | slot 1 ........ |
 */
import {
  HAL_ABSENT,
  INFO_FIRMWARE_ADDRESS,
  INFO_FIRMWARE_SECTOR_BYTES,
  INFO_FIRMWARE_SLOT,
  INFO_FIRMWARE_SLOT_BYTES,
} from "../../spec/hal.ts";
import { FREC_SECTORS } from "../../spec/firmware.ts";
import { board_info } from "../hal.ts";

/** Whether this board has a second slot for its firmware. */
export function firmware_present(): bool {
  return board_info(INFO_FIRMWARE_SLOT, 0) != HAL_ABSENT;
}

/** The slot that this firmware was linked for and runs from. */
export function firmware_slot(): u32 {
  return board_info(INFO_FIRMWARE_SLOT, 0);
}

export function firmware_slot_bytes(): u32 {
  return board_info(INFO_FIRMWARE_SLOT_BYTES, 0);
}

export function firmware_sector_bytes(): u32 {
  return board_info(INFO_FIRMWARE_SECTOR_BYTES, 0);
}

/** Offset of a slot in the region. */
export function firmware_slot_offset(slot: u32): u32 {
  return FREC_SECTORS * firmware_sector_bytes() + slot * firmware_slot_bytes();
}

/** Address at which code of a slot runs. */
export function firmware_slot_address(slot: u32): u32 {
  return board_info(INFO_FIRMWARE_ADDRESS, slot);
}
