/**
 * Where the module reads what it does not keep in SRAM, and what that costs: flash, and on a board with PSRAM that, since models run from there. One range
 * covers both, and the cache in front of flash is in front of PSRAM, too.
 *
 * NOT IMPLEMENTED: two prices. On a board with PSRAM reading flash costs what reading PSRAM costs, which flatters the copying of a model, once, when it is opened.
 */
import type { Board, Xip } from "../../boards/board.ts";
import type { MemoryMap } from "../bus/memory_map.ts";
import type { FlashRange } from "./flash_probe.ts";

/** Where the partition shows in its own place, firmware does around it. */
export function isInPlace({ flash }: Board, map: MemoryMap): boolean {
  return map.xip === flash.base + flash.partition.offset;
}

export function modelRange(board: Board, map: MemoryMap): FlashRange {
  const { flash, psram } = board;
  const shown = isInPlace(board, map)
    ? { base: flash.base, bytes: flash.bytes }
    : { base: map.xip, bytes: map.xipBytes };
  if (psram === null) return shown;
  const base = Math.min(shown.base, psram.base);
  return { base, bytes: Math.max(shown.base + shown.bytes, psram.base + psram.bytes) - base };
}

/** null: as fast as SRAM. */
export function modelXip({ cpu, flash, psram }: Board): Xip | null {
  if (psram === null || flash.xip === null) return flash.xip;
  const clocks = cpu.hz / psram.hz;
  return {
    ...flash.xip,
    overhead_cycles: psram.setup_clocks * clocks,
    following_cycles: psram.setup_clocks * clocks,
    cycles_per_byte: (8 * clocks) / psram.bits_per_clock,
  };
}
