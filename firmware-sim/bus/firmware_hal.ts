/**
 * The HAL's firmware region (spec/HAL.md): records and both slots, read in place, written but for the slot that runs.
 *
 *     flash.update.offset                                    NOT IMPLEMENTED: boards whose flash lies outside the module's
 *     ├ record sector │ record sector │ slot 0 │ slot 1 ┤    linear memory (E_SIM_MEMORY)
 */
import { type Board, memoryPages, type UpdateRegion, updateRegion } from "../../boards/board.ts";
import {
  HAL_ABSENT,
  HAL_EINVAL,
  INFO_FIRMWARE_ADDRESS,
  INFO_FIRMWARE_SECTOR_BYTES,
  INFO_FIRMWARE_SLOT,
  INFO_FIRMWARE_SLOT_BYTES,
} from "../../spec/hal.ts";
import type { Flash } from "../peripherals/flash.ts";
import { SimError } from "../sim_error.ts";

const PAGE_BYTES = 65536;

export interface FirmwareHal {
  /** The value of a key of board_info, HAL_ABSENT for one of others. */
  info(key: number, index: number): number;
  map(offset: number, len: number): number;
  erase(offset: number, len: number): number;
  program(offset: number, data: Uint8Array): number;
  /** The next reset starts the other slot, once; or not. */
  tryOther(wanted: boolean): number;
}

export interface FirmwarePins {
  readonly board: Board;
  /** The flash around the partition; its first byte is the first of all flash. */
  readonly flash: Flash;
  /** The slot that runs. */
  readonly running: () => number;
  /** @param slot null: none */
  readonly wish: (slot: number | null) => void;
}

/** @throws SimError E_SIM_MEMORY, E_SIM_BOOT when the board has no second slot */
export function firmwareHal({ board, flash, running, wish }: FirmwarePins): FirmwareHal {
  const region = regionOf(board);
  const isInside = (offset: number, len: number): boolean => offset >= 0 && len >= 0 && offset + len <= region.bytes;
  const mayWrite = (offset: number, len: number): boolean => {
    const own = region.slots[running()] - region.offset;
    return isInside(offset, len) && (offset + len <= own || offset >= own + region.slotBytes);
  };
  return {
    info(key, index) {
      if (key === INFO_FIRMWARE_SLOT) return running();
      if (key === INFO_FIRMWARE_SLOT_BYTES) return region.slotBytes;
      if (key === INFO_FIRMWARE_SECTOR_BYTES) return region.sectorBytes;
      if (key === INFO_FIRMWARE_ADDRESS) return (board.flash.base + region.slots[index]) | 0;
      return HAL_ABSENT;
    },
    map: (offset, len) => (isInside(offset, len) ? flash.map(region.offset + offset, len) : 0),
    erase: (offset, len) => (mayWrite(offset, len) ? flash.erase(region.offset + offset, len) : HAL_EINVAL),
    program: (offset, data) =>
      mayWrite(offset, data.length) ? flash.program(region.offset + offset, data) : HAL_EINVAL,
    tryOther(wanted) {
      wish(wanted ? 1 - running() : null);
      return 0;
    },
  };
}

function regionOf(board: Board): UpdateRegion {
  const region = updateRegion(board);
  if (region === null) throw new SimError("E_SIM_BOOT", `${board.name} has no second slot for its firmware`);
  const end = board.flash.base + region.offset + region.bytes;
  const isShown = region.offset < board.flash.partition.offset && end <= memoryPages(board) * PAGE_BYTES;
  if (!isShown)
    throw new SimError("E_SIM_MEMORY", `${board.name}: its firmware cannot be shown in the module's memory`);
  return region;
}
