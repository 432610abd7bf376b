/**
 * The model partition as the board describes it, and where things lie in it (spec/STORE.md):
 *
 *     sector 0 | sector 1 | slot 0: k sectors ... | slot 1: the rest ...
 *     records  | records  | the slot area
 *
 * Sectors need not be equal. Offsets are relative to the partition.
 */
import {
  INFO_PARTITION_BYTES,
  INFO_PROGRAM_PAGE,
  INFO_PROGRAM_UNIT,
  INFO_RUN_BYTES,
  INFO_RUN_COUNT,
  INFO_SECTOR_RUNS,
} from "../../spec/hal.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import { board_info } from "../hal.ts";

/** Largest piece that is buffered in SRAM for one program call, bytes. */
export const PAGE_MAX: u32 = 256;

@unmanaged
class Geometry {
  partition: u32; // bytes
  sectors: u32;
  unit: u32; // program unit, bytes
  page: u32; // bytes programmed at once: the board's page, at most PAGE_MAX
  area: u32; // offset of the slot area
  area_end: u32;
  split: u32; // offset of slot 1 in the two-slot layout
}

const geo = changetype<Geometry>(memory.data(offsetof<Geometry>()));

/**
 * Reads the board's geometry.
 * @returns false when there is no room for records and slots, or no page that a record fits into
 */
export function geometry_init(): bool {
  geo.partition = board_info(INFO_PARTITION_BYTES, 0);
  geo.unit = board_info(INFO_PROGRAM_UNIT, 0);
  geo.page = min(<u32>board_info(INFO_PROGRAM_PAGE, 0), PAGE_MAX);
  geo.sectors = 0;
  for (let r = 0, runs = board_info(INFO_SECTOR_RUNS, 0); r < runs; r++) geo.sectors += board_info(INFO_RUN_COUNT, r);
  geo.area = sector_offset(RECORD_SECTORS);
  geo.area_end = min(sector_offset(geo.sectors), geo.partition);
  geo.split = geo.area;
  if (geo.sectors < <u32>RECORD_SECTORS || geo.unit == 0 || geo.page < geo.unit) return false;
  choose_split();
  return true;
}

/** Cuts where the smaller slot is as large as possible; the lower cut among equals. */
function choose_split(): void {
  let best: u32 = 0;
  for (let i: u32 = RECORD_SECTORS; i <= geo.sectors; i++) {
    const cut = sector_offset(i);
    const smaller = min(cut - geo.area, geo.area_end - cut);
    if (smaller <= best) continue;
    best = smaller;
    geo.split = cut;
  }
}

export function program_unit(): u32 {
  return geo.unit;
}

export function program_page(): u32 {
  return geo.page;
}

export function partition_bytes(): u32 {
  return geo.partition;
}

/** Offset of a slot. `single`: slot 0 is the whole area. */
export function slot_offset(slot: u32, single: bool): u32 {
  if (slot == 0) return geo.area;
  return single ? geo.area_end : geo.split;
}

/** Bytes of a slot. */
export function slot_bytes(slot: u32, single: bool): u32 {
  if (slot == 0) return (single ? geo.area_end : geo.split) - geo.area;
  return single ? 0 : geo.area_end - geo.split;
}

/** Offset of sector `index`; the end of the last sector for larger ones. */
export function sector_offset(index: u32): u32 {
  let offset: u32 = 0;
  for (let r = 0, runs = board_info(INFO_SECTOR_RUNS, 0); r < runs && index > 0; r++) {
    const count = min(index, <u32>board_info(INFO_RUN_COUNT, r));
    offset += count * board_info(INFO_RUN_BYTES, r);
    index -= count;
  }
  return offset;
}

/** Offset of the sector that holds byte `at`. */
export function sector_start(at: u32): u32 {
  let start: u32 = 0;
  for (let r = 0, runs = board_info(INFO_SECTOR_RUNS, 0); r < runs; r++) {
    const bytes: u32 = board_info(INFO_RUN_BYTES, r);
    const run = bytes * board_info(INFO_RUN_COUNT, r);
    if (at - start < run) return at - ((at - start) % bytes);
    start += run;
  }
  return start;
}

/** Bytes of the sector that holds byte `at`, 0 behind the last one. */
export function sector_bytes(at: u32): u32 {
  let start: u32 = 0;
  for (let r = 0, runs = board_info(INFO_SECTOR_RUNS, 0); r < runs; r++) {
    const bytes: u32 = board_info(INFO_RUN_BYTES, r);
    const run = bytes * board_info(INFO_RUN_COUNT, r);
    if (at - start < run) return bytes;
    start += run;
  }
  return 0;
}

/** Sectors of run `r` that belong to the slot area (the first two sectors of the partition hold records). */
export function area_run_count(r: i32): u32 {
  let skip: u32 = RECORD_SECTORS;
  for (let i = 0; i < r; i++) skip -= min(skip, <u32>board_info(INFO_RUN_COUNT, i));
  const count: u32 = board_info(INFO_RUN_COUNT, r);
  return count - min(count, skip);
}
