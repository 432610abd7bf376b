/**
 * A table of tools that was set over the wire, kept in the last two sectors of a slot (spec/STORE.md, "Tables of tools").
 *
 *     slot: | image ... | free ... | cell, table | cell, table |
 *
 * One of the two counts; another table goes to the other one, its cell last. Nothing is remembered between calls: what
 * counts is what flash says.
 */
import { TRAILER_BYTES, TRL_SHA256 } from "../../spec/image.ts";
import {
  RECORD_BYTES,
  TTBL_CRC,
  TTBL_DIGEST,
  TTBL_DIGEST_BYTES,
  TTBL_LEN,
  TTBL_MAGIC,
  TTBL_SECTORS,
  TTBL_SEQ,
  TTBL_TABLE,
} from "../../spec/store.ts";
import { TOOLS_MAX_BYTES } from "../../spec/tools.ts";
import { flash_erase, flash_map, flash_program } from "../hal.ts";
import { crc32 } from "./crc32.ts";
import { program_page, program_unit, sector_bytes, sector_start, slot_bytes, slot_offset } from "./geometry.ts";
import { slot_len, slots_single } from "./slots.ts";

const NO_SECTOR: u32 = 0xffffffff;

@unmanaged
class Kept {
  first: u32; // offsets of the two sectors
  second: u32;
  counts: u32; // the sector whose table counts, or NO_SECTOR
  other: u32; // the one to write next
  seq: u32; // the highest of both
  len: u32; // of the table that counts
}

const kept = changetype<Kept>(memory.data(offsetof<Kept>()));
const cell: usize = memory.data(64);
const digest: usize = memory.data(8);

/** Whether the slot's image leaves room for tables; fills in where they are. */
export function tools_room(slot: u32): bool {
  const begin = slot_offset(slot, slots_single());
  const end = begin + slot_bytes(slot, slots_single());
  const image = begin + slot_len(slot);
  if (image == begin || end == begin) return false;
  kept.second = sector_start(end - 1);
  if (kept.second < image) return false;
  kept.first = sector_start(kept.second - 1);
  const least: u32 = TTBL_TABLE + TOOLS_MAX_BYTES;
  return kept.first >= image && kept.second - kept.first >= least && end - kept.second >= least;
}

/** Looks at both cells; false when there is no room for any. */
function look(slot: u32): bool {
  if (!tools_room(slot)) return false;
  const image = slot_offset(slot, slots_single()) + slot_len(slot);
  const trailer = flash_map(image - TRAILER_BYTES + TRL_SHA256, TTBL_DIGEST_BYTES);
  if (trailer == 0) return false;
  memory.copy(digest, trailer, TTBL_DIGEST_BYTES);
  kept.counts = NO_SECTOR;
  kept.other = kept.first;
  kept.seq = 0;
  let counted: u32 = 0;
  for (let i = 0; i < TTBL_SECTORS; i++) {
    const sector = i == 0 ? kept.first : kept.second;
    const seq = read_cell(sector);
    // Of two sectors with another image's tables, the older one is the first to go.
    if (seq < kept.seq) kept.other = sector;
    kept.seq = max(kept.seq, seq);
    if (seq <= counted || memory.compare(cell + TTBL_DIGEST, digest, TTBL_DIGEST_BYTES) != 0) continue;
    counted = seq;
    kept.counts = sector;
    kept.len = load<u32>(cell + TTBL_LEN);
  }
  if (kept.counts != NO_SECTOR) kept.other = kept.counts == kept.first ? kept.second : kept.first;
  return true;
}

/** Copies a sector's cell to SRAM; returns its seq, 0 when it is none. */
function read_cell(sector: u32): u32 {
  const from = flash_map(sector, RECORD_BYTES);
  if (from == 0) return 0;
  memory.copy(cell, from, RECORD_BYTES);
  if (load<u32>(cell) != TTBL_MAGIC || load<u32>(cell + TTBL_CRC) != crc32(cell, TTBL_CRC)) return 0;
  return load<u32>(cell + TTBL_LEN) <= <u32>TOOLS_MAX_BYTES ? load<u32>(cell + TTBL_SEQ) : 0;
}

/** Address of the table that is kept for the slot's image, 0 when there is none. Its own CRC is not looked at. */
export function tools_kept(slot: u32): usize {
  if (!look(slot) || kept.counts == NO_SECTOR || kept.len == 0) return 0;
  return flash_map(kept.counts + TTBL_TABLE, kept.len);
}

/** Bytes of the table that tools_kept() found. */
export function tools_kept_bytes(): u32 {
  return kept.len;
}

/**
 * Keeps a table for the slot's image.
 * @param table `len` bytes in SRAM and room behind them to the next program unit; len 0: the image's own counts
 * @returns false when flash failed or has no room: then what was kept still is
 */
export function tools_keep(slot: u32, table: usize, len: u32): bool {
  if (!look(slot)) return false;
  const sector = kept.other;
  const seq = kept.seq + 1;
  if (flash_erase(sector, sector_bytes(sector)) != 0) return false;
  const whole = ((len + program_unit() - 1) / program_unit()) * program_unit();
  memory.fill(table + len, 0xff, whole - len);
  if (!program(sector + TTBL_TABLE, table, whole)) return false;
  const copy = flash_map(sector + TTBL_TABLE, len);
  if (copy == 0 || memory.compare(copy, table, len) != 0) return false;
  memory.fill(cell, 0, RECORD_BYTES);
  store<u32>(cell, TTBL_MAGIC);
  store<u32>(cell + TTBL_SEQ, seq);
  store<u32>(cell + TTBL_LEN, len);
  memory.copy(cell + TTBL_DIGEST, digest, TTBL_DIGEST_BYTES);
  store<u32>(cell + TTBL_CRC, crc32(cell, TTBL_CRC));
  return program(sector, cell, RECORD_BYTES) && read_cell(sector) == seq;
}

/** Programs bytes page by page. */
function program(offset: u32, from: usize, len: u32): bool {
  for (let done: u32 = 0; done < len; ) {
    const n = min(len - done, program_page() - ((offset + done) % program_page()));
    if (flash_program(offset + done, from + done, n) != 0) return false;
    done += n;
  }
  return true;
}
