/**
 * Where a board's memory lies in the module's address space. An address in the module is the address on the chip:
 *
 *     0x00000000 ............................ no memory
 *     flash.base + partition.offset ......... the partition, read in place (XIP)
 *     psram.base ............................ PSRAM, on a board that has some
 *     memory.base .. memory.end ............. SRAM that the module owns
 *                                             end of linear memory: memory.end rounded up to 64 KiB
 *
 * On a board whose flash lies above its SRAM (mps3-an547) the linear memory ends before the flash. There the partition is shown
 * in a hole below the SRAM instead: the module only knows the address that flash_map gave it.
 */
import { type Board, memoryPages } from "../../boards/board.ts";
import { SimError } from "../sim_error.ts";

const PAGE_BYTES = 65536;

/** Views are fetched anew for each access, since a memory that grows detaches its old buffer. */
export interface LinearMemory {
  bytes(): Uint8Array;
}

export interface MemoryMap {
  /** SRAM of the module: first address, and one past the last. */
  readonly base: number;
  readonly end: number;
  /** Address of the partition's byte 0, and its length. */
  readonly xip: number;
  readonly xipBytes: number;
  /** PSRAM: first address and length, 0 bytes where there is none. */
  readonly psram: number;
  readonly psramBytes: number;
}

/** @throws SimError E_SIM_MEMORY when no place is left for the partition */
export function memoryMap(board: Board): MemoryMap {
  const { memory, flash } = board;
  const xipBytes = flash.partition.bytes;
  const natural = flash.base + flash.partition.offset;
  const xip = natural + xipBytes <= memoryPages(board) * PAGE_BYTES ? natural : holeBelow(board, xipBytes);
  const psram = { psram: board.psram?.base ?? 0, psramBytes: board.psram?.bytes ?? 0 };
  if (psram.psram + psram.psramBytes > memoryPages(board) * PAGE_BYTES)
    throw new SimError("E_SIM_MEMORY", `${board.name}: its PSRAM lies beyond the module's address space`);
  return { base: memory.base, end: memory.end, xip, xipBytes, ...psram };
}

/** The lowest 64 KiB-aligned address, not 0, with `bytes` free of SRAM below memory.base. */
function holeBelow(board: Board, bytes: number): number {
  const psram = board.psram === null ? [] : [board.psram];
  const taken = [
    ...board.memory.sram,
    ...psram,
    { base: board.memory.base, bytes: board.memory.end - board.memory.base },
  ];
  let at = PAGE_BYTES;
  for (const region of taken.sort((a, b) => a.base - b.base)) {
    if (at + bytes <= region.base) break;
    const end = region.base + region.bytes;
    if (end > at) at = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
  }
  if (at + bytes <= board.memory.base) return at;
  throw new SimError("E_SIM_MEMORY", `${board.name}: no room for the flash partition in the module's address space`);
}

export function inSram(map: MemoryMap, at: number, bytes: number): boolean {
  return at >= map.base && at + bytes <= map.end;
}

export function inPsram(map: MemoryMap, at: number, bytes: number): boolean {
  return at >= map.psram && at + bytes <= map.psram + map.psramBytes;
}

export function readable(map: MemoryMap, at: number, bytes: number): boolean {
  return inSram(map, at, bytes) || inPsram(map, at, bytes) || (at >= map.xip && at + bytes <= map.xip + map.xipBytes);
}
